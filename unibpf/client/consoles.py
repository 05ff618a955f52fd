"""What a guest of this host wrote on its console, whole or only the lines of its programs (`bpf_printk`)."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from unibpf.host.guest_folder import GuestFolder

TAIL_BYTES: Final = 256 << 10
OF_PROGRAMS: Final = b"bpf: "  # guest/bpf/helpers/printk.cpp
_MAX_LINE: Final = 4096
_PAUSE_SECONDS: Final = 0.1


def file_of(guests: Path, guest: str) -> Path | None:
    """The console of its last boot; None for a guest that this host never booted."""
    folder = GuestFolder(guests, guest)
    boot = folder.boot()
    return folder.console_file(boot.boot_id) if boot is not None else None


def last_lines(console: Path, count: int, *, prefix: bytes = b"") -> list[bytes]:
    """The newest lines that begin with `prefix`, without it."""
    try:
        with console.open("rb") as file:
            file.seek(max(0, console.stat().st_size - TAIL_BYTES))
            text = file.read(TAIL_BYTES)
    except FileNotFoundError:
        return []
    found = [line for line in text.replace(b"\r", b"").split(b"\n") if line and line.startswith(prefix)]
    return [line.removeprefix(prefix)[:_MAX_LINE] for line in found[-count:]] if count else []


def follow(guests: Path, guest: str, *, prefix: bytes = b"") -> Iterator[bytes]:
    """Lines as they are written from now on, over reboots of the guest and when the file was emptied; never ends."""
    console, position, rest = file_of(guests, guest), -1, b""
    while True:
        newest = file_of(guests, guest)
        if newest != console:
            console, position, rest = newest, 0, b""
        try:
            size = console.stat().st_size if console is not None else 0
        except FileNotFoundError:
            size = 0
        position = size if position < 0 else 0 if size < position else position
        if console is not None and size > position:
            with console.open("rb") as file:
                file.seek(position)
                part = file.read(TAIL_BYTES)
            position += len(part)
            *lines, rest = (rest + part).replace(b"\r", b"").split(b"\n")
            rest = rest[:_MAX_LINE]
            yield from (line.removeprefix(prefix)[:_MAX_LINE] for line in lines if line.startswith(prefix))
        else:
            time.sleep(_PAUSE_SECONDS)
