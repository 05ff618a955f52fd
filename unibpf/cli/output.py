"""What every command says, and where: data to stdout, everything else to stderr, and one table of exit codes."""

import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NoReturn

import msgspec

from unibpf.text import visible, visible_lines


class Exit(IntEnum):
    """The exit codes of `unibpf`; docs/exit-codes.md lists the same."""

    OK = 0
    REFUSED = 1  # unsafe program, refused by the signer or the guest, a guest that failed
    USAGE = 2  # wrong call or bad input
    UNSUPPORTED = 3  # the program needs something that guests do not offer
    GAVE_UP = 4  # the analysis hit a limit
    UNREACHABLE = 5  # no bus, no service, no guest
    TIMEOUT = 6  # it may still happen


def fail(code: Exit, message: str, hint: str | None = None) -> NoReturn:
    """Say what is wrong, on stderr, and end with `code`."""
    print(f"error: {visible_lines(message)}", file=sys.stderr)
    if hint:
        print(f"hint: {visible(hint)}", file=sys.stderr)
    raise SystemExit(int(code))


def progress(text: str) -> None:
    """One line about work that takes time, on stderr."""
    print(text, file=sys.stderr, flush=True)


def emit_json(value: object) -> None:
    """`value` (Structs allowed) as one line of JSON on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def emit_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """An aligned table on stdout; the last column is not padded."""
    cells = [[visible(str(cell)) for cell in row] for row in [headings, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())


def emit_fields(fields: Mapping[str, object]) -> None:
    """`name  value` lines on stdout."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        print(f"{name.ljust(width)}  {visible(str(value))}")
