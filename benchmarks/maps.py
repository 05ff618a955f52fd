"""Map operations: look-up of what is there, update, deletion with insertion, of each type of map, beside the kernel's.

Both sides run the same object as native code; a run does an operation 64 times, on 64 keys in turn, so that the cost of the run
itself and of the loop is small beside it (it is in the figure). Rounds go through both sides in turn, the fastest counts.
"""

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.document import progress
from benchmarks.engines import JIT, KERNEL, PACKET, Timer, best_times, command_timer, kernel_timer
from tests.support.kernel import kernel_oracle
from tests.support.programs.vnf import bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import decode
from unibpf.host.settings import REPOSITORY, binary_directory

SOURCE: Final = REPOSITORY / "benchmarks/programs/maps.c"
TIMES: Final = 64  # maps.c
OPERATIONS: Final = ("look-up", "update", "delete and insert")
NO_PREALLOC: Final = 1  # Linux wants it of prefix tries


@dataclass(frozen=True, kw_only=True)
class Type:
    """A type of map by Linux' number."""

    name: str
    number: int
    operations: Sequence[str] = OPERATIONS
    defines: Sequence[str] = ("FLAGS=0",)


TYPES: Final = (
    Type(name="array", number=MapType.ARRAY, operations=OPERATIONS[:2]),
    Type(name="per-CPU array", number=MapType.PERCPU_ARRAY, operations=OPERATIONS[:2]),
    Type(name="hash", number=MapType.HASH),
    Type(name="per-CPU hash", number=MapType.PERCPU_HASH),
    Type(name="LRU hash", number=MapType.LRU_HASH),
    Type(name="LPM trie", number=MapType.LPM_TRIE, defines=("PREFIX", f"FLAGS={NO_PREALLOC}")),
)


def measure() -> str:
    """Measure all and return the table: millions of operations a second."""
    sides = (JIT, KERNEL) if kernel_oracle.available() else (JIT,)
    lines = ["### Map operations, millions a second", "", f"| map | operation | {' | '.join(sides)} |"]
    lines.append("|---" * (len(sides) + 2) + "|")
    for kind in TYPES:
        for operation in kind.operations:
            times = operation_ns(kind, OPERATIONS.index(operation))
            lines.append(f"| {kind.name} | {operation} | {' | '.join(f'{1e3 / times[side]:.1f}' for side in sides)} |")
            progress(f"{operation} in {kind.name}: " + ", ".join(f"{side} {times[side]:.1f} ns" for side in sides))
    return "\n".join([*lines, ""])


def operation_ns(kind: Type, operation: int) -> dict[str, float]:
    """Return the time of one operation on each side."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bundle = bundle_of(SOURCE, f"TYPE={kind.number}", f"OPERATION={operation}", *kind.defines)
        (folder / "bundle").write_bytes(bundle)
        runner = [str(binary_directory(os.environ) / "unibpf-run"), str(folder / "bundle"), "--packet", PACKET.hex()]
        timers: dict[str, Timer] = {
            JIT: command_timer([*runner, "--in-place", "--json", "--repeat"], "--engine", "jit")
        }
        if kernel_oracle.available():
            timers[KERNEL] = kernel_timer(stack.enter_context(kernel_oracle.Oracle(bundle=decode(bundle))))
        return {side: ns / TIMES for side, ns in best_times(timers).items()}
