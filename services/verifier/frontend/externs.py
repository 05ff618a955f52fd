"""Externs that a loader finds in the kernel's configuration: `extern int LINUX_KERNEL_VERSION __kconfig`.

libbpf makes a constant map of them, section `.kconfig`. So does this: the object is given that section with the variables at
their places, and all that follows sees constants like any others. They are 0 until somebody sets them (`--const`): no guest
has a kernel, and the file that a kernel was configured with is not ours to read. One that is not weak has to be set, as its
loader would find it or fail, but for those that libbpf makes up itself (`LINUX_...`). On `linux-xdp` the version is that of the
Linux whose helpers that platform has.

Other externs that are weak (`__ksym __weak`) do not exist here: their address is 0 (linker.py).
"""

from typing import Final, Literal

from msgspec.structs import replace

from services.verifier.errors import Malformed, Unsupported
from services.verifier.frontend import elf
from services.verifier.frontend.debug.btf import Btf, Variable

SECTION: Final = ".kconfig"
_MADE_UP: Final = "LINUX_"  # names that libbpf answers without the kernel's configuration
_VERSION: Final = "LINUX_KERNEL_VERSION"
_LINUX_6_1: Final = 6 << 16 | 1 << 8  # KERNEL_VERSION(6, 1, 0), as in native/program/linux_xdp.hpp
_MOST_BYTES: Final = 1 << 16
_ALIGNMENT: Final = 8

Platform = Literal["guest", "linux-xdp"]


def defined(obj: elf.ObjectFile, btf: Btf | None, platform: Platform) -> elf.ObjectFile:
    """Return the object with section `.kconfig`, if it asks for anything."""
    wanted = {variable.name: variable for variable in btf.variables(SECTION)} if btf else {}
    if not wanted or obj.section(SECTION) is not None:
        return obj
    places, size = _places(list(wanted.values()))
    index = len(obj.sections)
    renewed = {
        symbol: replace(symbol, section=index, value=places[symbol.name], kind=elf.STT_OBJECT)
        for symbol in obj.symbols
        if symbol.section == elf.SHN_UNDEF and symbol.name in wanted
    }
    if not renewed:
        return obj
    data = bytearray(size)
    if platform == "linux-xdp" and _VERSION in places:
        data[places[_VERSION] : places[_VERSION] + 4] = _LINUX_6_1.to_bytes(4, "little")
    section = elf.Section(
        index=index, name=SECTION, kind=1, flags=elf.SHF_ALLOC, size=size, link=0, info=0, data=memoryview(bytes(data))
    )
    return elf.ObjectFile(
        (*obj.sections, section),
        tuple(renewed.get(symbol, symbol) for symbol in obj.symbols),
        {at: _renewed(rows, renewed) for at, rows in obj.relocations.items()},
    )


def unset(obj: elf.ObjectFile, chosen: frozenset[str]) -> dict[tuple[int, int], Unsupported]:
    """Return the variables, by section and offset, that somebody would have to set; `chosen` are those that are."""
    section = obj.section(SECTION)
    return {
        (symbol.section, symbol.value): _missing(symbol.name)
        for symbol in obj.symbols
        if section is not None and symbol.section == section.index and not _is_answered(symbol, chosen)
    }


def _is_answered(symbol: elf.Symbol, chosen: frozenset[str]) -> bool:
    return symbol.bind == elf.STB_WEAK or symbol.name.startswith(_MADE_UP) or symbol.name in chosen


def _missing(name: str) -> Unsupported:
    return Unsupported(
        "extern-symbol",
        f"`{name:.80}` is for a loader to find in the configuration of a kernel",
        hint=f"say what it is, `--const {name:.80}=VALUE`, or declare it `__weak` as well: then it is 0",
    )


def _places(variables: list[Variable]) -> tuple[dict[str, int], int]:
    places: dict[str, int] = {}
    at = 0
    for variable in variables:
        places[variable.name] = at
        at += -(-variable.size // _ALIGNMENT) * _ALIGNMENT
    if at > _MOST_BYTES:
        raise Malformed("btf-malformed", f"section `{SECTION}` is too large: got {at} bytes, expected {_MOST_BYTES}")
    return places, at


def _renewed(rows: dict[int, elf.Relocation], renewed: dict[elf.Symbol, elf.Symbol]) -> dict[int, elf.Relocation]:
    return {at: replace(row, symbol=renewed[row.symbol]) if row.symbol in renewed else row for at, row in rows.items()}
