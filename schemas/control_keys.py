"""What the keys of the control channel's maps are called: read from `control.cddl`, written for the guest and for Python.

Run as `python schemas/control_keys.py`; a test holds both files equal to what this makes.
"""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CDDL: Final = ROOT / "schemas/control.cddl"
GUEST: Final = ROOT / "guest/control/keys.hpp"
PYTHON: Final = ROOT / "unibpf/formats/control_keys.py"

_TABLE: Final = re.compile(r"^([a-z-]+)-key = &\(([^)]*)\)", re.MULTILINE)
_ENTRY: Final = re.compile(r"([a-z-]+): (-?\d+)")


def tables() -> dict[str, dict[str, int]]:
    """Each `x-key = &( name: number, ... )` of the CDDL (RFC 8610 2.2.2.2)."""
    found = _TABLE.findall(CDDL.read_text())
    return {name: {entry: int(number) for entry, number in _ENTRY.findall(body)} for name, body in found}


def guest_header() -> str:
    """`guest/control/keys.hpp`."""
    enums = "\n".join(_enum(name, entries) for name, entries in tables().items())
    return (
        "// Made by schemas/control_keys.py from schemas/control.cddl: the names of the control channel's keys.\n"
        "#pragma once\n\n#include <cstdint>\n\nnamespace unibpf {\n\n" + enums + "\n}  // namespace unibpf\n"
    )


def python_module() -> str:
    """`unibpf/formats/control_keys.py`."""
    head = (
        '"""Made by schemas/control_keys.py from schemas/control.cddl: the names of the control channel\'s keys."""'
        "\n\nfrom enum import IntEnum\n"
    )
    return head + "".join(_class(name, entries) for name, entries in tables().items())


def files() -> dict[Path, str]:
    """What each made file has to hold."""
    return {GUEST: guest_header(), PYTHON: python_module()}


def _enum(name: str, entries: dict[str, int]) -> str:
    rows = "".join(f"    {entry.replace('-', '_')} = {number},\n" for entry, number in entries.items())
    return f"enum class {_camel(name)}Key : std::int8_t {{\n{rows}}};\n"


def _class(name: str, entries: dict[str, int]) -> str:
    rows = "".join(f"    {entry.replace('-', '_').upper()} = {number}\n" for entry, number in entries.items())
    return f'\n\nclass {_camel(name)}Key(IntEnum):\n    """Keys of `{name}`."""\n\n{rows}'


def _camel(name: str) -> str:
    return name.title().replace("-", "")


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
