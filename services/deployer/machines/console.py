"""The guest's console: is it ready, and what were its last words (schemas/boot.cddl, the ready line)."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from services.deployer.machines import console_file
from unibpf.text import decoded

POLL_SECONDS: Final = 0.002
TAIL_LINES: Final = 3
TAIL_BYTES: Final = 4096
WORDS: Final = 600  # characters of all last words
PIECE_BYTES: Final = 64 << 10  # at a time
LINE_BYTES: Final = 256  # of a ready line
_READY: Final = re.compile(
    rb"^unibpf ready guest=(?P<guest>[!-~]{1,64}) graph=[!-~]{1,64}"
    rb" elements=(?P<elements>\d{1,6}) nics=(?P<nics>\d{1,6}) ns=(?P<ns>\d{1,18})\r?\n",
    re.MULTILINE,
)


class Ready(Struct, frozen=True, kw_only=True):
    """What the ready line says; `entry_ns` counts from the guest's entry, `seen_ns` is the host's Unix time of the line."""

    guest: str
    elements: int
    nics: int
    entry_ns: int
    seen_ns: int


def parse_ready(text: bytes, seen_ns: int) -> Ready | None:
    """The ready line in what the console holds so far; only a whole line counts."""
    match = _READY.search(text)
    if match is None:
        return None
    return Ready(
        guest=decoded(match["guest"]),
        elements=int(match["elements"]),
        nics=int(match["nics"]),
        entry_ns=int(match["ns"]),
        seen_ns=seen_ns,
    )


def last_words(text: bytes) -> str:
    """The end of the console, for people: what a guest said before it stopped."""
    lines = [line.strip() for line in decoded(text[-TAIL_BYTES:].replace(b"\r\n", b"\n")).split("\n") if line.strip()]
    words = " / ".join(lines[-TAIL_LINES:])
    return words if len(words) <= WORDS else f"...{words[-WORDS:]}"


def read_last_words(console: Path) -> str:
    """`last_words` of a file, or of what was in it before it became too long."""
    files = (console, console_file.before(console))
    return next((words for file in files if (words := last_words(console_file.tail(file, TAIL_BYTES)))), "nothing")


def ready_line(text: bytes) -> bytes:
    """The line itself; empty where there is none."""
    match = _READY.search(text)
    return b"" if match is None else match[0]


def bound(guests: Path) -> list[str]:
    """Shorten the consoles of a host that have become too long; says which."""
    shortened = []
    for console in console_file.too_long(guests):
        known = console_file.head(console_file.before(console), PIECE_BYTES)
        line = ready_line(known) or ready_line(console_file.head(console, console_file.LOOK_BYTES))
        console_file.rotate(console, line)
        shortened.append(str(console))
    return shortened


async def wait_ready(console: Path, ended: asyncio.Event) -> Ready | None:
    """Poll the file until the guest is ready; None when it `ended` first. The caller sets the time limit."""
    reading = _Reading(console)
    while True:
        has_ended = ended.is_set()
        ready = reading.look()
        while ready is None and reading.has_more:
            await asyncio.sleep(0)
            ready = reading.look()
        if ready is not None or has_ended:
            return ready
        await asyncio.sleep(POLL_SECONDS)


class _Reading:
    """Reads each part of a console once, a piece at a time, and remembers no more than a line of it."""

    def __init__(self, console: Path) -> None:
        self._console = console
        self._at = 0
        self._rest = b"\n"
        self.has_more = False

    def look(self) -> Ready | None:
        """The next piece; first what was in the file before it was shortened."""
        try:
            status = self._console.stat()
        except FileNotFoundError:
            self.has_more = False
            return None
        if status.st_size < self._at or self._at == 0:
            self._at, self._rest = 0, b"\n"
            found = parse_ready(console_file.head(console_file.before(self._console), PIECE_BYTES), status.st_mtime_ns)
            if found is not None:
                return found
        with self._console.open("rb") as opened:
            opened.seek(self._at)
            piece = opened.read(PIECE_BYTES)
        self._at += len(piece)
        self.has_more = len(piece) == PIECE_BYTES
        text = self._rest + piece
        self._rest = text[-LINE_BYTES:] if len(text) > LINE_BYTES else text
        return parse_ready(text, min(status.st_mtime_ns, time.time_ns()))
