"""unibpf.authority.signing: a message gets its header."""

from pathlib import Path

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
