"""One stack a state folder: the lock that says whose it is.

The kernel ends the lock with its holder, however that ended, so there is no stale one. The file holds the holder's pid, for
messages and for `unibpf down`; that it is up to date is certain while the lock is held.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

TRIES: Final = 4  # somebody may be looking just now whether it is held (`holder`)
PAUSE_SECONDS: Final = 0.05


class Occupied(Exception):  # noqa: N818  what was found
    """Somebody else has the folder; `pid` is his, 0 where he has not said yet."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"pid {pid}")
        self.pid = pid


class FolderLock:
    """The lock of one state folder, held from `take` to `release` or to the end of this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises Occupied where another process has it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            raise Occupied(_pid_in(self._path))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it up; nothing where it was never taken."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._descriptor is not None


def holder(path: Path) -> int | None:
    """The pid of whoever has the folder now; None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # who looks is in nobody's way who looks
    except BlockingIOError:
        return _pid_in(path)
    finally:
        os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    for number in range(TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_SECONDS if number < TRIES - 1 else 0)
            continue
        return True
    return False


def _pid_in(path: Path) -> int:
    text = path.read_bytes()[:20].strip()
    return int(text) if text.isdigit() else 0
