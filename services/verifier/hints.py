"""Hints in the program's own words: what the analyser says of registers and offsets, with names from the source line. Pure.

BTF has the text of each line and no names of local variables; the pointer that a line goes through is read off the text, where
there is only one that it can be.
"""

import re
from collections.abc import Sequence
from typing import Final

from services.verifier.frontend.debug.lines import SourceLine

UNOPTIMISED: Final = (
    "the object looks compiled without optimisation, which keeps every variable on the stack: use `-O2`"
)

_CHECK: Final = "return before this line unless"
_END: Final = re.compile(r"\b(\w+)\s*=[^=;]*?->\s*data_end\b")
_COMPARED: Final = re.compile(r"[<>]=?\s*(\w*end\w*)\b(?!\s*->)")
_MEMBER: Final = re.compile(r"(?<![\w.>\]])(\w+)\s*->")
_ELEMENT: Final = re.compile(r"(?<![\w.>\]])(\w+)\[([\w +*-]{1,40})\]")
_POINTEE: Final = re.compile(r"(?:^|[=(,!&|+?:-]\s*|\breturn\s+)\*\s*(\w+)")
_CONTEXT: Final = re.compile(r"\b(\w+)\s*->\s*(?:data|data_end|data_meta|ingress_ifindex|rx_queue_index)\b")


def in_c(hint: str | None, row: SourceLine | None, sources: Sequence[SourceLine]) -> str | None:
    """Return a hint to compare with the packet's end as C that can be written there; others as they are."""
    if hint is None or row is None or not hint.startswith(_CHECK):
        return hint
    access = _access(row.text)
    return hint if access is None else f"{_CHECK} `(void *)({access} + 1) <= {_end(sources)}`"


def _access(text: str) -> str | None:
    contexts = set(_CONTEXT.findall(text))
    pointers = {name for name in _MEMBER.findall(text) if name not in contexts}
    elements = {f"{name} + {index.strip()}" for name, index in _ELEMENT.findall(text)}
    pointees = {name for name in _POINTEE.findall(text) if not name.isdecimal()}
    found = pointers or elements or pointees
    one = next(iter(found)) if len(found) == 1 else None
    return None if one is None else one.removesuffix(" + 0")


def _end(sources: Sequence[SourceLine]) -> str:
    names = [found[1] for way in (_END, _COMPARED) for row in sources if (found := way.search(row.text)) is not None]
    return names[0] if names else "data_end"
