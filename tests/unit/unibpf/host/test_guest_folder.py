"""unibpf.host.guest_folder: private, whole, and never going back."""

import signal
import subprocess
import sys
import threading

import pytest

from unibpf.host import private_file
from unibpf.host.guest_folder import Boot, GuestFolder, all_boots
from unibpf.host.private_file import write_private
from unibpf.messages.guests import GuestSpec


def boot(boot_id="1", guest="g"):
    spec = GuestSpec(guest=guest, audience="edge", graph="a")
    return Boot(
        boot_id=boot_id, spec=spec, seed=bytes(range(32)), machine="microvm", accel="tcg", control="h:1", started_us=0
    )


@pytest.fixture
def folder(tmp_path):
    return GuestFolder(tmp_path, "g")


def test_a_boot_is_read_back_and_nobody_else_can_read_it(folder):
    folder.write_boot(boot(), b"image")
    assert folder.boot() == boot()
    assert folder.path.stat().st_mode & 0o077 == 0
    assert {file.stat().st_mode & 0o077 for file in folder.path.iterdir()} == {0}


def test_the_files_of_earlier_boots_go(folder):
    folder.write_boot(boot("1"), b"one")
    folder.write_boot(boot("2"), b"two")
    assert sorted(file.name for file in folder.path.iterdir()) == ["boot.json", "console-2.log", "image-2.cbor"]


def test_floors_only_rise(folder):
    for sequence in (5, 3, 7, 7):
        folder.raise_floor("fw", sequence)
    folder.raise_floor("", 1)
    assert folder.floors() == {"fw": 7, "": 1}


def test_floors_of_two_writers_are_both_kept(folder):
    writers = [threading.Thread(target=folder.raise_floor, args=(f"e{n}", n)) for n in range(1, 9)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert folder.floors() == {f"e{n}": n for n in range(1, 9)}


def test_a_deleted_guest_leaves_its_floors_only(folder):
    folder.write_boot(boot(), b"image")
    folder.raise_floor("fw", 5)
    folder.remove()
    assert (folder.boot(), folder.floors()) == (None, {"fw": 5})
    assert not list(folder.path.glob("*.cbor"))


def test_a_guest_that_never_was_active_leaves_nothing(folder):
    folder.write_boot(boot(), b"image")
    folder.remove()
    assert not folder.path.exists()


def test_a_record_that_can_not_be_read_is_no_boot(folder):
    folder.create()
    (folder.path / "boot.json").write_text("{")
    assert folder.boot() is None
    assert all_boots(folder.path.parent) == {}


def test_all_boots_of_a_host_are_found(tmp_path):
    for name in ("a", "b"):
        GuestFolder(tmp_path, name).write_boot(boot(guest=name), b"")
    assert sorted(all_boots(tmp_path)) == ["a", "b"]


def test_a_file_is_replaced_as_a_whole(tmp_path):
    write_private(tmp_path / "f", b"one")
    with (tmp_path / "f").open("rb") as before:
        write_private(tmp_path / "f", b"two")
        assert before.read() == b"one"
    assert [file.name for file in tmp_path.iterdir()] == ["f"]


KILLED = """
import os, signal, sys
from pathlib import Path
from unibpf.host import private_file
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
private_file.write_private(Path(sys.argv[1]), b"half")
"""


def test_what_a_killed_writer_left_is_gone_after_the_next_write(folder):
    folder.raise_floor("fw", 5)
    done = subprocess.run([sys.executable, "-c", KILLED, folder.path / "floors.json"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(folder.path.glob(".floors.json.*"))) == 1
    (folder.path / ".image-0.cbor.12345").write_bytes(b"by an older version")
    folder.raise_floor("fw", 6)
    assert sorted(file.name for file in folder.path.iterdir()) == [".lock", "floors.json"]
    assert folder.floors() == {"fw": 6}


def test_what_a_living_writer_works_on_stays(tmp_path):
    partial, file = private_file._begin(tmp_path / "f")
    with file:
        private_file.remove_abandoned(tmp_path)
        assert partial.exists()
    private_file.remove_abandoned(tmp_path)
    assert not partial.exists()


def test_many_writers_of_one_file_all_succeed(tmp_path):
    failed = []

    def write(number):
        try:
            for _ in range(20):
                write_private(tmp_path / "f", bytes([number]) * 100)
        except OSError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    assert [file.name for file in tmp_path.iterdir()] == ["f"]
    assert len(set((tmp_path / "f").read_bytes())) == 1


def test_the_seed_never_shows_in_repr():
    assert repr(boot().seed) not in repr(boot())
