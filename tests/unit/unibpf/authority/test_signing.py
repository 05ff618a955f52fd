"""unibpf.authority.signing: a message gets its header."""

from collections.abc import Callable
from pathlib import Path

from unibpf import subjects
from unibpf.authority.judge import Judge
from unibpf.authority.ring import Ring
from unibpf.authority.signing import signed
from unibpf.authority.statement import HEADER, canonical, read
from unibpf.host import identity


def test_two_messages_that_say_the_same_are_two_and_both_are_signed(tmp_path: Path) -> None:
    key = identity.create(tmp_path, "cli")
    found = [signed(key, "unibpf.v1.guest.delete.a", b"", {"Unibpf-Kind": "x"}) for _ in range(2)]
    claims = [read(one[HEADER]) for one in found]
    assert claims[0].nonce != claims[1].nonce
    for claim in claims:
        bytes_ = canonical("unibpf.v1.guest.delete.a", claim, b"", {"Unibpf-Kind": "x"})
        assert identity.verify(key.public_key, bytes_, claim.signature)


def test_the_lines_of_the_page_make_the_same_header(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs/authority.md").read_text()
    found: dict[str, Callable[..., str]] = {}
    exec(page.split("```python\n")[1].split("```")[0], found)
    key, headers = identity.create(tmp_path, "ci"), {"Unibpf-Element": "fw", "traceparent": "t"}
    subject = subjects.upload("ci", "fw")
    value = found["authority"](key.seed.encode(), "ci", subject, b"\x7fELF", headers)
    said = Judge(Ring(tmp_path)).said_row(subjects.upload, subject, b"\x7fELF", {**headers, HEADER: value})
    assert said.identity == "ci"
