"""The XDP programs among the verifier cases of the kernel's selftests, as bundles: small, and many of them unsafe on purpose.

They are C initialisers, so a program made of them prints them: the start of their test_verifier.c, up to the table, and
`kernel_cases.c` after it. Maps that we do not have leave their instruction without a map, and the case is left out.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.programs.bundles import bundle_of
from unibpf.formats.bpf import INSN_BYTES, MapType
from unibpf.formats.bundle import BundleMap
from unibpf.push.compile import find_compiler

_SHAPES: Final = {
    "hash_8b": BundleMap(name="hash_8b", type=MapType.HASH, key_size=8, value_size=8, max_entries=1),
    "hash_48b": BundleMap(name="hash_48b", type=MapType.HASH, key_size=8, value_size=48, max_entries=1),
    "hash_16b": BundleMap(name="hash_16b", type=MapType.HASH, key_size=8, value_size=16, max_entries=1),
    "array_48b": BundleMap(name="array_48b", type=MapType.ARRAY, key_size=4, value_size=48, max_entries=1),
    "array_ro": BundleMap(
        name="array_ro", type=MapType.ARRAY, key_size=4, value_size=48, max_entries=1, flags=128, data=bytes(48)
    ),
    "array_small": BundleMap(name="array_small", type=MapType.ARRAY, key_size=4, value_size=1, max_entries=1),
}
_LDDW: Final = 0x18


@dataclass(frozen=True)
class KernelCase:
    """One case; the description is the kernel's."""

    description: str
    bundle: bytes


def read(selftests: Path, build: Path) -> list[KernelCase]:
    """Every case that our maps can carry, from the extracted folder of the selftests."""
    lines = _printed(selftests, build).splitlines()
    return [case for case in (_case(*line.rsplit("|", 2)) for line in lines) if case is not None]


def _printed(selftests: Path, build: Path) -> str:
    head, _, _ = (selftests / "test_verifier.c").read_text().partition("static int probe_filter_length")
    linux = selftests.parents[2] / "include"
    head = head.replace('"../../../include/linux/filter.h"', f'"{linux}/linux/filter.h"')
    (build / "cases.h").write_text(head)
    (build / "verifier").mkdir(exist_ok=True)
    table = "".join(f'#include "{path}"\n' for path in sorted((selftests / "verifier").glob("*.c")))
    (build / "verifier" / "tests.h").write_text(table)
    program = build / "kernel_cases"
    includes = [f"-I{one}" for one in (build, selftests, linux / "uapi")]
    # the sections of functions that nobody calls go, and with them what they would have to be linked with
    sections = ["-ffunction-sections", "-Wl,--gc-sections"]
    command = [find_compiler(), "-w", "-D_GNU_SOURCE", *sections, *includes, Path(__file__).with_suffix(".c")]
    subprocess.run([*command, "-o", program], check=True)
    return subprocess.run([program], capture_output=True, text=True, errors="replace", check=True).stdout


def _case(description: str, fixups: str, code_hex: str) -> KernelCase | None:
    code = bytearray.fromhex(code_hex)
    maps: list[str] = []
    named: set[int] = set()
    for name, slot in (fixup.split(":") for fixup in fixups.split(",") if fixup):
        at = int(slot) * INSN_BYTES
        maps += [name] if name not in maps else []
        named.add(at)
        code[at + 1] += 4 << 4  # Linux' source 1 (map) is the bundle's 5
        code[at + 4 : at + 8] = maps.index(name).to_bytes(4, "little")
    if any(_loads_map(code, at) and at not in named for at in range(0, len(code), INSN_BYTES)):
        return None
    return KernelCase(description, bundle_of(bytes(code), [_SHAPES[name] for name in maps]))


def _loads_map(code: bytes, at: int) -> bool:
    return code[at] == _LDDW and code[at + 1] >> 4 != 0
