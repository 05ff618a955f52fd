"""Files that are replaced as a whole, readable by their owner only, and on the disk when the call returns.

A writer works on a partial file beside the real one and holds a lock on it. What a writer that was killed has left, has no
lock: the next write in the folder takes it away. A lock and no process number tells, for writers may live in other containers.
"""

import fcntl
import os
import re
import secrets
from pathlib import Path
from typing import IO, Final

_PARTIAL: Final = re.compile(r"\..+\.(partial|\d+)")  # `.NAME.PID` by versions before this one


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` as a whole, mode 0600, and wait until data and name are on the disk."""
    remove_abandoned(path.parent)
    partial, file = _begin(path)
    with file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_abandoned(folder: Path) -> None:
    """Take away the partial files in `folder` that nobody writes any more."""
    for entry in list(folder.iterdir()):
        if _PARTIAL.fullmatch(entry.name):
            _remove_if_abandoned(entry)


def _begin(path: Path) -> tuple[Path, IO[bytes]]:
    """A new partial file, locked. Who looks between its creation and the lock takes it away: then there is another."""
    while True:
        partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "wb")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink != 0:
            return partial, file
        file.close()


def _remove_if_abandoned(partial: Path) -> None:
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # it has its name now, or is no file
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its writer may have given it its name meanwhile; then the partial name is gone.
        if os.path.samestat(os.fstat(descriptor), partial.stat()):
            partial.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        pass
    finally:
        os.close(descriptor)
