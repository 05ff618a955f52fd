"""Source lines: from `.BTF.ext` rows of sections to rows of the linked program.

The bundle carries files, lines and columns; the text of each line stays beside it, for messages only. Consecutive rows of
the same place are one row. A function without rows gets an explicit unknown place (line 0), because a row holds until the
next one and would otherwise name the line of another function.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from msgspec import Struct

from services.verifier.frontend.debug.btf import Extension, LineRecord
from services.verifier.frontend.elf import ObjectFile
from services.verifier.frontend.linker import Linked, Placed
from unibpf.formats.bpf import INSN_BYTES
from unibpf.formats.bundle import Line, LineInfo

_OFFSET: Final = attrgetter("offset")


class SourceLine(Struct, frozen=True, gc=False):
    """From instruction `insn` on the code came from here; `text` is the source line as the compiler saw it."""

    insn: int
    file: str
    line: int
    column: int
    text: str


def trace(obj: ObjectFile, linked: Linked, extension: Extension) -> tuple[SourceLine, ...]:
    """Return the source lines of the linked program by rising instruction."""
    rows: list[SourceLine] = []
    last = None
    for placed in linked.functions:
        records = extension.lines.get(obj.sections[placed.function.section].name, [])
        for row in _function_rows(placed, records):
            place = (row.file, row.line, row.column)
            if place != last:
                rows.append(row)
                last = place
    return tuple(rows) if any(row.line for row in rows) else ()


def _function_rows(placed: Placed, records: list[LineRecord]) -> Iterator[SourceLine]:
    """Of several records of one instruction the last counts."""
    start, end = placed.function.start, placed.function.start + placed.function.size
    first, past = (bisect_left(records, at, key=_OFFSET) for at in (start, end))
    if first == past or records[first].offset >= start + INSN_BYTES:
        yield SourceLine(placed.base, "", 0, 0, "")
    waiting: SourceLine | None = None
    for record in records[first:past]:
        insn = placed.base + (record.offset - start) // INSN_BYTES
        if waiting is not None and waiting.insn != insn:
            yield waiting
        waiting = SourceLine(insn, record.file, record.line, record.column, record.text)
    if waiting is not None:
        yield waiting


def line_info(rows: tuple[SourceLine, ...]) -> LineInfo:
    """Return the rows as the bundle stores them: file names once, in order of appearance."""
    files = {name: number for number, name in enumerate(dict.fromkeys(row.file for row in rows))}
    return LineInfo(
        files=tuple(files), lines=tuple(Line(row.insn, files[row.file], row.line, row.column) for row in rows)
    )


def locate(rows: tuple[SourceLine, ...], insn: int) -> SourceLine | None:
    """Return the source line of an instruction; None when it is unknown."""
    at = bisect_right(rows, insn, key=lambda row: row.insn)
    return rows[at - 1] if at and rows[at - 1].line else None


def locate_in_section(extension: Extension, section: str, offset: int) -> LineRecord | None:
    """Return the source line of a byte of a section, for errors before anything is linked."""
    records = extension.lines.get(section, [])
    at = bisect_right(records, offset, key=_OFFSET)
    return records[at - 1] if at and records[at - 1].line else None
