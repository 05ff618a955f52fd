"""Source lines: from `.BTF.ext` rows of sections to rows of the linked program.

The bundle carries files, lines and columns; the text of each line stays beside it, for messages only. Consecutive rows of
the same place are one row. A function without rows gets an explicit unknown place (line 0), because a row holds until the
next one and would otherwise name the line of another function.
"""

from bisect import bisect_left, bisect_right

from msgspec import Struct

from services.verifier.frontend.debug.btf import Extension, LineRecord
from services.verifier.frontend.elf import ObjectFile
from services.verifier.frontend.linker import Linked, Placed
from unibpf.formats.bpf import INSN_BYTES
from unibpf.formats.bundle import Line, LineInfo


class SourceLine(Struct, frozen=True):
    """From instruction `insn` on the code came from here; `text` is the source line as the compiler saw it."""

    insn: int
    file: str
    line: int
    column: int
    text: str


def trace(obj: ObjectFile, linked: Linked, extension: Extension) -> tuple[SourceLine, ...]:
    """Return the source lines of the linked program by rising instruction."""
    rows: list[SourceLine] = []
    for placed in linked.functions:
        records = extension.lines.get(obj.sections[placed.function.section].name, [])
        for row in _function_rows(placed, records):
            if not rows or _place(rows[-1]) != _place(row):
                rows.append(row)
    return tuple(rows) if any(row.line for row in rows) else ()


def _function_rows(placed: Placed, records: list[LineRecord]) -> list[SourceLine]:
    start, end = placed.function.start, placed.function.start + placed.function.size
    found: dict[int, SourceLine] = {}
    first, past = (bisect_left(records, at, key=lambda record: record.offset) for at in (start, end))
    for record in records[first:past]:
        insn = placed.base + (record.offset - start) // INSN_BYTES
        found[insn] = SourceLine(insn, record.file, record.line, record.column, record.text)
    found.setdefault(placed.base, SourceLine(placed.base, "", 0, 0, ""))
    return [found[insn] for insn in sorted(found)]


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
    at = bisect_right(records, offset, key=lambda record: record.offset)
    return records[at - 1] if at and records[at - 1].line else None


def _place(row: SourceLine) -> tuple[str, int, int]:
    return row.file, row.line, row.column
