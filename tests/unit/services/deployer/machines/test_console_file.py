"""services.deployer.machines.console_file: what guests write does not fill a host."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.deployer.machines import console, console_file
from services.deployer.machines.console_file import HARD_BYTES, KEPT_BYTES, MAX_BYTES

LINE = b"unibpf ready guest=g1 graph=g elements=7 nics=3 ns=4100200\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "g1"
    folder.mkdir()
    return folder / "console-b.log"


def test_a_console_within_its_limit_is_left_alone(file: Path, tmp_path: Path) -> None:
    file.write_bytes(LINE + b"x" * (MAX_BYTES - len(LINE)))
    assert console.bound(tmp_path) == []
    assert file.stat().st_size == MAX_BYTES


def test_one_above_it_begins_anew_and_keeps_its_ready_line_and_its_end(file: Path, tmp_path: Path) -> None:
    with file.open("ab") as guest:
        for round_ in range(3):
            guest.write((LINE if round_ == 0 else b"") + b"x" * MAX_BYTES + b"end of %d\n" % round_)
            guest.flush()
            assert console.bound(tmp_path) == [str(file)]
            before = console_file.before(file).read_bytes()
            assert before.startswith(LINE) and before.endswith(b"end of %d\n" % round_)
            assert len(before) <= KEPT_BYTES + 2 * len(LINE)
            assert file.stat().st_size == 0
        guest.write(b"goes on\n")  # at the beginning, not where it was
    assert file.read_bytes() == b"goes on\n"
    assert console.bound(tmp_path) == []


async def test_a_deployer_that_comes_later_finds_the_guest_ready(file: Path, tmp_path: Path) -> None:
    await asyncio.to_thread(file.write_bytes, LINE + b"x" * MAX_BYTES)
    console.bound(tmp_path)
    found = await asyncio.wait_for(console.wait_ready(file, asyncio.Event()), 2)
    assert found is not None
    assert found.guest == "g1"


def test_the_last_words_of_a_file_that_was_just_emptied_are_those_before(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"x" * MAX_BYTES + b"\nit was so\n")
    console.bound(tmp_path)
    assert console.read_last_words(file).endswith("it was so")


def test_a_process_loses_words_at_the_hard_limit_and_not_its_life(file: Path) -> None:
    program = (
        "import os\nfor _ in range(100_000):\n  try: os.write(1, bytes(1 << 20))\n  except OSError: break\n"
        "os.write(2, b'alive')"
    )
    with file.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", f"input()\n{program}"],
            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, restore_signals=False,
        )  # fmt: skip
    console_file.limit(child.pid)
    assert child.communicate(b"\n")[1] == b"alive"
    assert file.stat().st_size == HARD_BYTES
    os.truncate(file, 0)


def test_a_process_that_is_gone_has_no_limit() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    console_file.limit(child.pid)
