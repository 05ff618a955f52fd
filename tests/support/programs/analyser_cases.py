"""The programs of `tests/data/analyser`, one file each:

# what is shown, one line
-- kind filter|classifier|rewriter               (default rewriter)
-- platform guest|linux-xdp                      (default guest)
-- hook driver|devmap|cpumap                     (default driver)
-- map NAME TYPE KEY_SIZE VALUE_SIZE ENTRIES [FLAGS [DATA_HEX]]   (any number; the index is the order)
-- inner TYPE KEY_SIZE VALUE_SIZE ENTRIES        (of the map before it, which is a map of maps)
-- lock OFFSET                                   (in the values of the map before it)
-- programs LABEL ...                            (entries 0, 1, ... of the map before it: functions of the code)
-- code
assembly, see tests/support/programs/assembler.py; a line ending in `# check` is what makes the program safe
-- safe [BOUND]                                  the instruction bound, `none` if there is none
-- unsafe|unsupported RULE INSTRUCTION [PART OF THE MESSAGE]
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap, InnerMap
from unibpf.messages.base import Kind

DATA = Path(__file__).parents[2] / "data" / "analyser"
CHECK = re.compile(r".*# check\s*$")


@dataclass(kw_only=True)
class Case:
    """One file."""

    name: str
    kind: Kind = "rewriter"
    platform: str = "guest"
    hook: str = "driver"
    maps: list[BundleMap] = field(default_factory=list)
    programs: dict[str, list[str]] = field(default_factory=dict)
    code: list[str] = field(default_factory=list)
    verdict: str = ""
    details: list[str] = field(default_factory=list)

    def checks(self) -> list[int]:
        return [at for at, line in enumerate(self.code) if CHECK.match(line)]

    def bundle(self, assembler: Assembler, *, without: int | None = None) -> bytes:
        """The program, without one of its lines if asked for."""
        text = "\n".join(line for at, line in enumerate(self.code) if at != without)
        code, _ = assembler.assemble(text)
        labels = assembler.labels(text)
        maps = [
            structs.replace(one, entries=tuple(enumerate(labels[name] for name in self.programs.get(one.name, []))))
            for one in self.maps
        ]
        return bundle_of(code, maps, kind=self.kind)


def read(path: Path) -> Case:
    case = Case(name=path.stem)
    in_code = False
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            case.code += [line] if in_code else []
            continue
        in_code = line == "-- code"
        if not in_code:
            _directive(case, line[2:].split())
    if case.verdict not in {"safe", "unsafe", "unsupported"}:
        raise ValueError(f"{path.name}: no verdict")
    return case


def _directive(case: Case, words: list[str]) -> None:
    match words:
        case ["kind", "filter" | "classifier" | "rewriter" as kind]:
            case.kind = kind
        case ["platform", "guest" | "linux-xdp" as platform]:
            case.platform = platform
        case ["hook", "driver" | "devmap" | "cpumap" as hook]:
            case.hook = hook
        case ["map", name, kind, key, value, entries, *rest]:
            case.maps.append(
                BundleMap(
                    name=name,
                    type=MapType.named(kind),
                    key_size=int(key),
                    value_size=int(value),
                    max_entries=int(entries),
                    flags=int(rest[0], 0) if rest else 0,
                    data=bytes.fromhex(rest[1]) if len(rest) > 1 else None,
                )
            )
        case ["inner", kind, key, value, entries]:
            inner = InnerMap(
                type=MapType.named(kind), key_size=int(key), value_size=int(value), max_entries=int(entries), flags=0
            )
            case.maps[-1] = structs.replace(case.maps[-1], inner=inner)
        case ["lock", offset]:
            case.maps[-1] = structs.replace(case.maps[-1], lock=int(offset))
        case ["programs", *labels]:
            case.programs[case.maps[-1].name] = labels
        case ["safe" | "unsafe" | "unsupported" as verdict, *details]:
            case.verdict, case.details = verdict, details
        case _:
            raise ValueError(f"{case.name}: unknown directive {words}")


def all_cases() -> list[Case]:
    """Every case, by name."""
    return [read(path) for path in sorted(DATA.glob("*.case"))]
