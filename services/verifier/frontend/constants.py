"""Global variables that a loader would set: where a name lies in a data section, and the new content of that section.

    limit   ports[3]   cfg.port   cfg.rules[2].mask

The name of a variable is the one in BTF (a static one of a function is `function.name`), the parts after it are members and
elements as in C. Values that are not set stay as the object has them. The sections are those that become global data, whether
the chosen program uses them or not.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.verifier.errors import Ambiguous, Malformed, Unsupported
from services.verifier.frontend import elf, values
from services.verifier.frontend.debug.btf import MAX_NESTING, Btf, Kind, Type
from services.verifier.frontend.maps import MapTable, variables_of
from unibpf.push.loading import Constant

_PART: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(0|[1-9][0-9]{0,8})\]")
_MOST_SHOWN: Final = 8
_MOST_COMPARED: Final = 1024


class Place(Struct, frozen=True):
    """Where a variable or a part of it lies: `at` in bits of its section; `width` is 0 but for a bit field."""

    section: int
    type: int
    at: int
    width: int = 0


def apply(obj: elf.ObjectFile, btf: Btf | None, maps: MapTable, constants: Sequence[Constant]) -> MapTable:
    """Return the maps with global data as `constants` set it, in their order."""
    if not constants:
        return maps
    if btf is None:
        raise Unsupported(
            "btf-missing", "variables cannot be set: the object has no `.BTF`", hint="compile with `clang -g`"
        )
    finder = _Finder(obj, btf, maps)
    contents: dict[int, bytearray] = {}  # of the sections that change: one may be large
    for constant in constants:
        place = finder.find(constant.name)
        bits = values.encode(btf, constant, place.type, place.width)
        entry = maps.data[place.section]
        content = contents.setdefault(place.section, bytearray(entry.data or bytes(entry.value_size)))
        values.write(content, place.at, bits)
    data = {
        index: replace(entry, data=_data(contents[index], entry.data)) if index in contents else entry
        for index, entry in maps.data.items()
    }
    return replace(maps, data=data)


def _data(content: bytearray, before: bytes | None) -> bytes | None:
    """What was zeroes by itself (.bss) and is still zeroes has no bytes in the bundle."""
    return bytes(content) if before is not None or any(content) else None


class _Finder:
    """Follows names through the object's types."""

    def __init__(self, obj: elf.ObjectFile, btf: Btf, maps: MapTable) -> None:
        self.btf = btf
        self.sizes = {index: entry.value_size for index, entry in maps.data.items()}
        self.variables: dict[str, list[Place]] = {}
        offsets = variables_of(obj)
        for index in maps.data:
            for variable in btf.variables(obj.sections[index].name):
                at = offsets.get(index, {}).get(variable.name)
                if at is not None:
                    self.variables.setdefault(variable.name, []).append(Place(index, variable.type, at * 8))

    def find(self, name: str) -> Place:
        head = self.head(name)
        place, shown, at = self.variables[head][0], head, len(head)
        while at < len(name):
            part = _PART.match(name, at)
            if part is None:
                raise Ambiguous(
                    "constant-choice", f"`{name}` is no name: got `{name[at:]:.60}`, expected `.member` or `[index]`"
                )
            place = self.member(place, shown, part[1]) if part[1] else self.element(place, shown, int(part[2]))
            shown, at = name[: part.end()], part.end()
        bits = place.width or self.btf.size_of(place.type) * 8
        if place.at + bits > self.sizes[place.section] * 8:
            raise Malformed("btf-malformed", f"`{name:.80}` lies outside its section")
        return place

    def head(self, name: str) -> str:
        """The longest beginning that names a variable."""
        ends = [len(name), *(found.start() for found in re.finditer(r"[.\[]", name))]
        head = next((name[:end] for end in sorted(ends, reverse=True) if name[:end] in self.variables), None)
        if head is None:
            raise _unknown("no global variable is named", re.split(r"[.\[]", name)[0], self.variables, "the object has")
        if len(self.variables[head]) > 1:
            raise Ambiguous("constant-choice", f"{len(self.variables[head])} variables are named `{head}`")
        return head

    def member(self, place: Place, shown: str, name: str) -> Place:
        found = self.aggregate(place, shown, name)
        member = next((one for one in self.members(found, place.at, MAX_NESTING) if one[0] == name), None)
        if member is None:
            names = [one[0] for one in self.members(found, place.at, MAX_NESTING)]
            raise _unknown(f"`{shown}` has no member", name, names, "it has")
        return replace(member[1], section=place.section)

    def aggregate(self, place: Place, shown: str, name: str) -> Type:
        found = self.btf.resolve(place.type)
        if found.kind not in (Kind.STRUCT, Kind.UNION) or place.width:
            kind = values.name_of(self.btf, place.type)
            raise Ambiguous("constant-choice", f"`{shown}` is of type `{kind}` and has no member `{name:.60}`")
        return found

    def members(self, found: Type, base: int, depth: int) -> Iterator[tuple[str, Place]]:
        """Yield the members with their places; those of anonymous members stand among their neighbours, as in C."""
        for member in self.btf.members(found):
            inner = self.btf.resolve(member.type)
            if member.name:
                yield member.name, Place(0, member.type, base + member.offset, member.width)
            elif inner.kind in (Kind.STRUCT, Kind.UNION) and depth:
                yield from self.members(inner, base + member.offset, depth - 1)

    def element(self, place: Place, shown: str, index: int) -> Place:
        found = self.btf.resolve(place.type)
        if found.kind is not Kind.ARRAY:
            raise Ambiguous(
                "constant-choice", f"`{shown}` is of type `{values.name_of(self.btf, place.type)}` and no array"
            )
        element, count = self.btf.array(found)
        if index >= count:
            raise Ambiguous(
                "constant-choice", f"`{shown}` has {count} elements: got index {index}, expected below {count}"
            )
        return Place(place.section, element, place.at + index * self.btf.size_of(element) * 8)


def _unknown(what: str, name: str, known: "Sequence[str] | dict[str, list[Place]]", which: str) -> Ambiguous:
    names = list(known)[:_MOST_COMPARED]
    close = get_close_matches(name, names, n=3)
    shown = close + [one for one in names if one not in close]
    listed = ", ".join(f"`{one:.60}`" for one in shown[:_MOST_SHOWN]) + (", ..." if len(shown) > _MOST_SHOWN else "")
    return Ambiguous(
        "constant-choice",
        f"{what} `{name:.60}`: {which} {listed or 'none'}",
        hint=f"did you mean `{close[0]:.60}`?" if close else None,
    )
