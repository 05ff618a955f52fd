"""unibpf.host.identity: keys on disk, signatures that outlive the connection."""

from pathlib import Path

import pytest

from unibpf.host import identity
from unibpf.host.identity import IdentityError


def test_creating_an_identity_twice_keeps_its_key(tmp_path: Path) -> None:
    first = identity.create(tmp_path, "verifier")
    assert identity.create(tmp_path, "verifier") == first == identity.load(tmp_path, "verifier")
    assert identity.load_public(tmp_path, "verifier") == first.public_key


def test_the_seed_file_is_the_owners_only_and_one_that_is_not_is_refused(tmp_path: Path) -> None:
    identity.create(tmp_path, "ci")
    path = identity.seed_file(tmp_path, "ci")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(IdentityError, match="may be read by others; run `chmod 600"):
        identity.load(tmp_path, "ci")


def test_the_seed_does_not_show_in_repr(tmp_path: Path) -> None:
    created = identity.create(tmp_path, "ci")
    assert created.seed not in repr(created)
    assert created.seed.startswith("SU")


def test_a_signature_holds_for_its_data_and_its_key_only(tmp_path: Path) -> None:
    mine, other = identity.create(tmp_path, "mine"), identity.create(tmp_path, "other")
    signature = mine.sign(b"verdict")
    assert identity.verify(mine.public_key, b"verdict", signature)
    assert not identity.verify(mine.public_key, b"verdicT", signature)
    assert not identity.verify(other.public_key, b"verdict", signature)
    assert not identity.verify(mine.public_key, b"verdict", signature[:-1])
    assert not identity.verify(mine.public_key, b"verdict", b"")


def test_a_public_key_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    key = identity.create(tmp_path, "ci").public_key
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    with pytest.raises(IdentityError, match="wrong checksum"):
        identity.verify(wrong, b"", b"")


@pytest.mark.parametrize("name", ["", "../x", "Ci", "a.b", "x" * 49])
def test_a_name_that_is_no_subject_token_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(IdentityError):
        identity.create(tmp_path, name)


def test_something_else_in_the_seed_file_is_refused(tmp_path: Path) -> None:
    path = identity.seed_file(tmp_path, "ci")
    path.write_text("not a seed")
    path.chmod(0o600)
    with pytest.raises(IdentityError, match="not an nkey seed"):
        identity.load(tmp_path, "ci")
