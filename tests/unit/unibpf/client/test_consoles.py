"""unibpf.client.consoles: the end of a console, the lines of programs, and what comes later."""

import threading
import time
from pathlib import Path

from tests.support.guests.guests import spec
from unibpf.client import consoles
from unibpf.host.guest_folder import Boot, GuestFolder


def booted(guests: Path, boot_id: str = "1") -> Path:
    folder = GuestFolder(guests, "g1")
    folder.create()
    boot = Boot(boot_id=boot_id, spec=spec(), seed=b"", machine="process", accel="none", control="", started_us=0)
    folder.write_boot(boot, b"image")
    return folder.console_file(boot_id)


def test_the_newest_lines_and_those_of_programs(tmp_path: Path) -> None:
    file = booted(tmp_path)
    assert consoles.file_of(tmp_path, "g1") == file and consoles.file_of(tmp_path, "g2") is None
    assert consoles.last_lines(file, 5) == []
    file.write_bytes(b"unibpf ready\r\nbpf: one\nother\nbpf: two\n")
    assert consoles.last_lines(file, 2) == [b"other", b"bpf: two"]
    assert consoles.last_lines(file, 9, prefix=consoles.OF_PROGRAMS) == [b"one", b"two"]
    assert consoles.last_lines(file, 0) == []


def test_a_console_without_end_is_read_by_its_end(tmp_path: Path) -> None:
    file = booted(tmp_path)
    with file.open("wb") as out:
        out.truncate(8 << 30)  # sparse: reading all of it would take more memory than there is
        out.seek(0, 2)
        out.write(b"\n" + b"x" * 100_000 + b"\nlast\n")
    assert consoles.last_lines(file, 2) == [b"x" * 4096, b"last"]


def test_lines_are_followed_over_a_reboot_and_when_the_file_was_emptied(tmp_path: Path) -> None:
    first = booted(tmp_path)
    first.write_bytes(b"before\n")

    def write() -> None:
        for what in (b"a\nhal", b"f\n"):
            time.sleep(0.3)
            with first.open("ab") as out:
                out.write(what)
        time.sleep(0.3)
        first.write_bytes(b"e\n")
        time.sleep(0.3)
        second = booted(tmp_path, "2")
        second.write_bytes(b"new boot\n")

    writer = threading.Thread(target=write)
    lines = consoles.follow(tmp_path, "g1")
    writer.start()
    assert [next(lines) for _ in range(4)] == [b"a", b"half", b"e", b"new boot"]
    writer.join()
