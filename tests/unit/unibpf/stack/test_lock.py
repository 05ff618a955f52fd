"""unibpf.stack.lock: one stack a state folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unibpf.stack.lock import FolderLock, Occupied, holder

HOLD = """
import sys, time
from pathlib import Path
from unibpf.stack.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.take()
print("taken", flush=True)
time.sleep(60)
"""


def test_the_second_to_ask_is_told_who_has_it_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run" / "stack.lock"
    first = FolderLock(path)
    first.take()
    with pytest.raises(Occupied) as refused:
        FolderLock(path).take()
    assert refused.value.pid == holder(path) == os.getpid()
    first.release()
    assert holder(path) is None
    FolderLock(path).take()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "stack.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"taken\n"
        assert holder(path) == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert holder(path) is None


def test_a_file_that_holds_no_pid_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "stack.lock"
    path.write_text("not a number")
    assert holder(path) is None
