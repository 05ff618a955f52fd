"""One stack a state folder: the lock that says whose it is.

The kernel ends the lock with its holder, however that ended, so there is no stale one. The file holds the holder's pid, for
messages and for `unibpf down`; that it is up to date is certain while the lock is held.
"""

import fcntl
import os
from pathlib import Path


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
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Occupied(_pid_in(self._path)) from None
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
    lock = FolderLock(path)
    if not path.exists():
        return None
    try:
        lock.take()
    except Occupied as occupied:
        return occupied.pid
    lock.release()
    return None


def _pid_in(path: Path) -> int:
    text = path.read_text()[:20].strip()
    return int(text) if text.isdecimal() else 0
