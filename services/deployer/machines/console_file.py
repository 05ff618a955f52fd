"""The files that guests write: their consoles, which must not fill a host's disk or the memory of who reads them.

    MAX_BYTES    more than that in the file, and the deployer empties it (`rotate`, every PAUSE_SECONDS)
    KEPT_BYTES   its end goes to the file beside it (`before`), after the ready line, which a new deployer looks for
    HARD_BYTES   the kernel lets no guest write further (RLIMIT_FSIZE), however fast it is, or while no deployer runs

Guests have their console open to append: after it was emptied they go on at its beginning.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from unibpf.host.private_file import write_private

PAUSE_SECONDS: Final = 0.5
MAX_BYTES: Final = 1 << 20
KEPT_BYTES: Final = 64 << 10
HARD_BYTES: Final = 64 << 20
LOOK_BYTES: Final = 2 << 20  # for the ready line: a guest is not ready after more than that
_BEFORE: Final = ".before.log"


def before(console: Path) -> Path:
    """Where the end of what was there before lies."""
    return console.with_name(console.name.removesuffix(".log") + _BEFORE)


def tail(file: Path, size: int) -> bytes:
    """The last `size` bytes; nothing where there is no file."""
    try:
        with file.open("rb") as opened:
            end = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, end - size))
            return opened.read(size)
    except FileNotFoundError:
        return b""


def head(file: Path, size: int) -> bytes:
    """The first `size` bytes; nothing where there is no file."""
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except FileNotFoundError:
        return b""


def rotate(console: Path, ready_line: bytes) -> None:
    """Keep the ready line and the end, empty the file: in this order, so that a crash between them loses nothing."""
    write_private(before(console), ready_line + b"...\n" + tail(console, KEPT_BYTES))
    with contextlib.suppress(FileNotFoundError):
        os.truncate(console, 0)


def too_long(guests: Path) -> Iterator[Path]:
    """The consoles of a host's guests that are above their limit."""
    for console in guests.glob("*/console-*.log"):
        with contextlib.suppress(FileNotFoundError):
            if not console.name.endswith(_BEFORE) and console.stat().st_size > MAX_BYTES:
                yield console


def limit(pid: int) -> None:
    """No file of that process may become longer than HARD_BYTES; what is gone, or not ours, is left alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (HARD_BYTES, HARD_BYTES))
