"""XDP programs that are held against the Linux kernel (tests/conformance/xdp): bundles, and the entries they begin with."""

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from services.verifier.frontend import frontend
from unibpf.formats.bpf import MAPS_OF_MAPS, MapType

PROGRAMS: Final = sorted((Path(__file__).parents[2] / "conformance/xdp").glob("*.c"))
# Entries that are there before the first packet: index 2 leads to port 1, which is the kernel's loopback device.
PRESETS: Final[dict[str, list[tuple[str, bytes, bytes]]]] = {
    "devices": [
        ("ports", bytes([2, 0, 0, 0]), bytes([1, 0, 0, 0])),
        ("sparse", bytes([3, 0, 0, 0]), bytes([1, 0, 0, 0, 0, 0, 0, 0])),
    ],
}
# Map types whose values, programs and maps, are other numbers to the kernel than here.
REFERRING: Final = frozenset({MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, *MAPS_OF_MAPS})
# The kernel has a value for each of its CPUs, and chooses where it runs.
PER_CPU: Final = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})

_INCLUDE: Final = "/usr/include/x86_64-linux-gnu"
_COMMAND: Final = ("clang-19", "-target", "bpf", "-mcpu=v4", "-O2", "-g", "-Wall", "-Werror", "-I", _INCLUDE, "-c")


@functools.cache
def compiled(source: Path) -> bytes:
    """Return the bundle of one of the programs, for the newest processor."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "program.o"
        subprocess.run([*_COMMAND, source, "-o", target], check=True)
        return frontend.translate(target.read_bytes(), frontend.Options(function=source.stem)).bundle
