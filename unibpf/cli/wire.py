"""`unibpf wire NIC`: a capture into a guest's NIC, and what comes out of its NICs into captures."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from unibpf.cli.inputs import captures
from unibpf.cli.output import Exit, emit_json, fail, progress
from unibpf.client import wires
from unibpf.formats import pcap
from unibpf.host.settings import StatePaths


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """What went through one NIC."""

    nic: str
    socket: str
    sent: int
    received: int
    file: str | None = None


def wire(  # noqa: PLR0913 - the options of the command
    nic: str,
    *,
    source: Path | None,
    targets: Sequence[str],
    quiet: float,
    seconds: float,
    rate: float | None,
    json: bool,
) -> None:
    """Send, receive, write, and say how much."""
    files = dict(_target(nic, word) for word in targets)
    ours = captures.read(source) if source is not None else []
    guests = StatePaths.from_environment(os.environ).guests
    try:
        sockets = {name: wires.socket_of(guests, name) for name in dict.fromkeys([nic, *files])}
        frames = {path: ours if name == nic else [] for name, path in sockets.items()}
        found = wires.exchange(frames, quiet=quiet, seconds=seconds, rate=rate)
    except wires.WireError as error:
        fail(Exit.UNREACHABLE, str(error), error.hint, rule="wire")
    for name, file in files.items():
        try:
            file.write_bytes(pcap.encode(found[sockets[name]]))
        except OSError as error:
            fail(Exit.USAGE, f"`{file}` cannot be written: {error.strerror}")
    passed = [
        Passed(
            nic=name,
            socket=str(path),
            sent=len(frames[path]),
            received=len(found[path]),
            file=str(files[name]) if name in files else None,
        )
        for name, path in sockets.items()
    ]
    for one in passed:
        progress(f"{one.nic}  sent {one.sent}  received {one.received}" + (f"  -> {one.file}" if one.file else ""))
    if json:
        emit_json(passed)


def _target(nic: str, word: str) -> tuple[str, Path]:
    """`FILE`: of the same NIC; `NIC=FILE`: of another one."""
    name, is_named, file = word.partition("=")
    return (name, Path(file)) if is_named else (nic, Path(word))
