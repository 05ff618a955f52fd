"""Reads the case files of `data/`: one behaviour a file, cited from RFC 9669.

# what is shown, with the clause
-- map NAME TYPE KEY_SIZE VALUE_SIZE ENTRIES [FLAGS [LOCK]]   (any number; the index is the order; LOCK: offset of a lock)
-- program NAME INDEX LABEL                      (any number: an entry of a program array, the function at the label)
-- packet HEX                                    (default: 64 zero bytes)
-- code
assembly, see tests/support/programs/assembler.py
-- result 0x2a        r0, all 64 bits      or   -- trap budget|fault
-- packet-out HEX                                (optional: the packet afterwards)
-- value NAME KEY_HEX VALUE_HEX                  (optional, any number: a map entry afterwards; VALUE_HEX `none`: no entry)
-- checking-only                                 (optional: the trusting policy would do harm)
-- no-kernel                                     (optional: Linux cannot run it; the reason follows)
"""

from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.messages.base import Kind

DATA = Path(__file__).parent / "data"


@dataclass(kw_only=True)
class Case:
    """One file. `result` is None exactly when `trap` is set."""

    name: str
    kind: Kind = "rewriter"
    maps: list[BundleMap] = field(default_factory=list)
    programs: list[tuple[str, int, str]] = field(default_factory=list)
    packet: bytes = bytes(64)
    code: str = ""
    result: int | None = None
    trap: str | None = None
    packet_out: bytes | None = None
    values: list[tuple[str, str, str]] = field(default_factory=list)
    checking_only: bool = False
    no_kernel: bool = False


def read(path: Path) -> Case:
    """Parse one case file."""
    case = Case(name=path.stem)
    in_code = False
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            case.code += line + "\n" if in_code else ""
            continue
        in_code = line == "-- code"
        if not in_code:
            _directive(case, line[2:].split())
    if (case.result is None) == (case.trap is None):
        raise ValueError(f"{path.name}: expected one of `-- result` and `-- trap`")
    return case


def _directive(case: Case, words: list[str]) -> None:
    match words:
        case ["map", *rest]:
            case.maps.append(_map(rest))
        case ["program", name, index, label]:
            case.programs.append((name, int(index), label))
        case ["kind", ("filter" | "classifier" | "rewriter") as kind]:
            case.kind = kind
        case ["packet", text]:
            case.packet = bytes.fromhex(text)
        case ["packet-out", text]:
            case.packet_out = bytes.fromhex(text)
        case ["result", text]:
            case.result = int(text, 0) & 0xFFFF_FFFF_FFFF_FFFF
        case ["trap", kind]:
            case.trap = kind
        case ["value", name, key, value]:
            case.values.append((name, key, value))
        case [("checking-only" | "no-kernel") as flag, *_]:
            setattr(case, flag.replace("-", "_"), True)
        case _:
            raise ValueError(f"{case.name}: unknown directive {words}")


def _map(words: list[str]) -> BundleMap:
    name, kind, *numbers = words
    key, value, entries, flags, *lock = map(int, [*numbers, *["0"][: 4 - len(numbers)]])
    return BundleMap(
        name=name,
        type=MapType.named(kind),
        key_size=key,
        value_size=value,
        max_entries=entries,
        flags=flags,
        lock=lock[0] if lock else None,
    )


def maps_of(case: Case, labels: dict[str, int]) -> list[BundleMap]:
    """Return the case's maps, program arrays filled."""
    filled = []
    for spec in case.maps:
        entries = tuple((index, labels[label]) for name, index, label in case.programs if name == spec.name)
        filled.append(structs.replace(spec, entries=entries))
    return filled


def all_cases() -> list[Case]:
    """Return every case, by name."""
    return [read(path) for path in sorted(DATA.glob("*.txt"))]
