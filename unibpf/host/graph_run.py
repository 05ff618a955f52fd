"""A graph run on packets from files, in simulated time, by the guest's own elements: `click` (guest/click) as a child."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

EXECUTABLE: Final = "click"
WALL_SECONDS: Final = 300


class GraphRunError(Exception):
    """The graph, or a file of packets, cannot be used; the text says all that is wrong."""


class ElementRun(Struct, frozen=True, kw_only=True, rename={"class_name": "class"}):
    """What an element did: packets that entered it, those that it dropped, and why."""

    name: str
    class_name: str
    packets: int
    drops: int
    reasons: str = ""


def run_graph(
    folder: Path, graph: Path, *, nics: Sequence[str], captures: Mapping[str, Path], output: Path | None
) -> list[ElementRun]:
    """What each element did, in the order of the text; the frames that NICs sent are in `output`."""
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [folder / EXECUTABLE, "--counters"]
    for nic in sorted({*nics, *captures}):
        sent = output / f"{nic}.pcap" if output is not None else ""
        command += ["--nic", f"{nic}={captures.get(nic, '')},{sent}"]
    try:
        done = subprocess.run([*command, graph], capture_output=True, text=True, timeout=WALL_SECONDS, check=False)
    except OSError as error:
        raise GraphRunError(f"`{folder / EXECUTABLE}` cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise GraphRunError(f"the run did not end within {WALL_SECONDS} s") from error
    if done.returncode != 0:
        raise GraphRunError(done.stderr.strip() or f"`{EXECUTABLE}` ended with {done.returncode}")
    rows = [_row(line) for line in done.stdout.splitlines() if line.count("\t") == 4]
    if not rows:
        raise GraphRunError("the graph has no elements")
    return rows


def _row(line: str) -> ElementRun:
    name, kind, packets, drops, reasons = line.split("\t")
    return ElementRun(name=name, class_name=kind, packets=int(packets), drops=int(drops), reasons=reasons)
