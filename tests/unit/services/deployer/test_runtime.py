"""services.deployer.runtime: a folder for sockets that nobody else can take first."""

import os
from pathlib import Path

import pytest

from services.deployer import runtime
from services.deployer.errors import HostConfigError
from services.deployer.runtime import create_private, find, is_private


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for `/tmp`."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "state" / "run"
    folder.mkdir(parents=True)
    return folder


def test_a_short_path_is_used_as_it_is(run: Path, tmp: Path) -> None:
    assert find(run, longest=1000) == run
    assert list(tmp.iterdir()) == []


def test_a_long_one_gets_a_folder_of_a_name_that_nobody_foresees_and_keeps_it(run: Path, tmp: Path) -> None:
    found = find(run, longest=1)
    assert (found.parent, is_private(found)) == (tmp, True)
    assert find(run, longest=1) == found
    other = run.parent.parent / "state2" / "run"
    other.mkdir(parents=True)
    assert find(other, longest=1) != found


def test_what_somebody_else_took_first_is_not_waited_for(run: Path, tmp: Path) -> None:
    """The name that older versions used, in the hands of others: a link, a file, a folder for all."""
    guessed = runtime._of_older_versions(run.parent)
    guessed.symlink_to("/")
    assert find(run, longest=1) not in {guessed, Path("/")}
    (run / "runtime.path").unlink()
    guessed.unlink()
    guessed.mkdir()
    guessed.chmod(0o777)
    assert find(run, longest=1) != guessed


def test_the_folder_of_an_older_version_goes_on_where_it_is_ours(run: Path, tmp: Path) -> None:
    older = runtime._of_older_versions(run.parent)
    older.mkdir(mode=0o700)
    assert find(run, longest=1) == older


def test_a_folder_that_went_away_or_was_taken_is_made_anew(run: Path, tmp: Path) -> None:
    first = find(run, longest=1)
    first.rmdir()
    first.symlink_to(tmp)
    second = find(run, longest=1)
    assert (second != first, is_private(second)) == (True, True)


@pytest.mark.parametrize("note", [b"", b"relative", b"/nowhere/at/all", b"\xff\xfe", b"/etc/passwd"])
def test_a_note_that_names_no_folder_of_ours_is_passed_over(run: Path, tmp: Path, note: bytes) -> None:
    (run / "runtime.path").write_bytes(note)
    assert find(run, longest=1).parent == tmp


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    create_private(tmp_path / "fine")
    open_ = tmp_path / "open"
    open_.mkdir()
    open_.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "fine")
    for path in (open_, link):
        with pytest.raises(HostConfigError):
            create_private(path)
    assert (tmp_path / "fine").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_private(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    assert not is_private(folder)
