"""The guest's console: is it ready, and what were its last words (schemas/boot.cddl, the ready line)."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from unibpf.text import decoded

POLL_SECONDS: Final = 0.002
TAIL_LINES: Final = 3
_READY: Final = re.compile(
    rb"^unibpf ready guest=(?P<guest>\S+) graph=\S+"
    rb" elements=(?P<elements>\d+) nics=(?P<nics>\d+) ns=(?P<ns>\d+)\r?\n",
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
    lines = [line.strip() for line in decoded(text.replace(b"\r\n", b"\n")).split("\n") if line.strip()]
    return " / ".join(lines[-TAIL_LINES:])


def read_last_words(console: Path) -> str:
    """`last_words` of a file."""
    try:
        return last_words(console.read_bytes()) or "nothing"
    except FileNotFoundError:
        return "nothing"


async def wait_ready(console: Path, ended: asyncio.Event) -> Ready | None:
    """Poll the file until the guest is ready; None when it `ended` first. The caller sets the time limit."""
    while True:
        has_ended = ended.is_set()
        ready = _look(console)
        if ready is not None or has_ended:
            return ready
        await asyncio.sleep(POLL_SECONDS)


def _look(console: Path) -> Ready | None:
    try:
        text = console.read_bytes()
        written_ns = console.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return parse_ready(text, min(written_ns, time.time_ns()))
