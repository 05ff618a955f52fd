"""unibpf.authority.ring: public keys from files of this host."""

from pathlib import Path

import pytest

from unibpf.authority.ring import Ring
from unibpf.host import identity
from unibpf.host.identity import IdentityError


def test_a_key_is_the_file_of_that_name_as_it_is_now(tmp_path: Path) -> None:
    ring = Ring(tmp_path)
    assert ring.key("ci") is None
    made = identity.create(tmp_path, "ci")
    assert ring.key("ci") == made.public_key
    identity.public_file(tmp_path, "ci").unlink()
    assert ring.key("ci") is None


@pytest.mark.parametrize("name", ["../ci", "", "CI", "a/b", "ci\n"])
def test_what_is_no_name_is_no_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "keys").mkdir()
    identity.create(tmp_path, "ci")
    assert Ring(tmp_path / "keys").key(name) is None


def test_a_file_that_holds_no_key_is_said(tmp_path: Path) -> None:
    (tmp_path / "ci.pub").write_text("no key")
    with pytest.raises(IdentityError):
        Ring(tmp_path).key("ci")


@pytest.mark.parametrize(("name", "knows"), [("verifier", True), ("deployer-a", True), ("ci", False), ("cli", False)])
def test_who_has_no_services_key_cannot_check_what_services_say(tmp_path: Path, name: str, knows: bool) -> None:
    assert not Ring(None).knows_services()
    identity.create(tmp_path, name)
    assert Ring(tmp_path).knows_services() is knows
