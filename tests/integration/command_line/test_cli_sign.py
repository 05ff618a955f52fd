"""`unibpf sign`: the header by which somebody else's client publishes a signed message."""

from pathlib import Path

from tests.support.services.cli import Cli
from unibpf import subjects
from unibpf.authority.judge import Judge
from unibpf.authority.ring import Ring
from unibpf.authority.statement import HEADER
from unibpf.host import identity


def test_an_upload_and_any_other_subject_can_be_signed_with_headers(tmp_path: Path) -> None:
    identity.create(tmp_path / "keys", "ci")
    identity.create(tmp_path / "keys", "cli")
    judge, file = Judge(Ring(tmp_path / "keys")), tmp_path / "firewall.o"
    file.write_bytes(b"\x7fELF")
    cli = Cli(tmp_path)
    line = cli.run("sign", str(file), "--identity", "ci", "-H", "Unibpf-Element: fw").out.strip()
    name, _, value = line.partition(": ")
    assert name == HEADER
    headers, subject = {name: value, "Unibpf-Element": "fw"}, subjects.upload("ci", "firewall")
    assert judge.said_row(subjects.upload, subject, b"\x7fELF", headers).identity == "ci"
    told = cli.run("sign", str(file), "--subject", subjects.guest_apply("fw1"), "--json").json
    found = {told["name"]: told["value"]}
    assert judge.said_row(subjects.guest_apply, told["subject"], b"\x7fELF", found).identity == "cli"


def test_a_missing_key_and_a_header_without_a_value_are_said(tmp_path: Path) -> None:
    file = tmp_path / "firewall.o"
    file.write_bytes(b"")
    cli = Cli(tmp_path)
    assert "there is no key for `cli`" in cli.run("sign", str(file), ok=False).err
    identity.create(tmp_path / "keys", "cli")
    answer = cli.run("sign", str(file), "-H", "Unibpf-Element", ok=False)
    assert (answer.code, "expected NAME:VALUE" in answer.err) == (2, True)
