"""What every command says, and where: data to stdout, everything else to stderr, and one table of exit codes.

A command that fails raises `Failed`, by `fail`; unibpf.cli.ending alone prints it, so that all commands end in the same way.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NoReturn

import msgspec

from unibpf.text import visible


class Exit(IntEnum):
    """The exit codes of `unibpf`; docs/exit-codes.md lists the same."""

    OK = 0
    REFUSED = 1  # unsafe program, refused by the signer or the guest, a guest that failed
    USAGE = 2  # wrong call or bad input
    UNSUPPORTED = 3  # the program needs something that guests do not offer
    GAVE_UP = 4  # the analysis hit a limit
    UNREACHABLE = 5  # no bus, no service, no guest
    TIMEOUT = 6  # it may still happen
    INTERNAL = 7  # a fault of unibpf's own
    SUPERSEDED = 8  # something newer came first


# The rule and the hint where a failure has none of its own.
_DEFAULTS: Final = {
    Exit.REFUSED: ("refused", "`unibpf guest show GUEST` shows what runs; `docs/exit-codes.md` has the codes"),
    Exit.USAGE: ("usage", "`unibpf --help` shows the commands, `unibpf COMMAND --help` their options"),
    Exit.UNSUPPORTED: ("unsupported", "`docs/run.md` and `docs/verify.md` say what guests offer"),
    Exit.GAVE_UP: ("gave-up", "give the analysis more: `--max-seconds`, `--max-mebibytes`; or a simpler program"),
    Exit.UNREACHABLE: ("unreachable", "`unibpf status` shows what runs, `unibpf up` starts the embedded stack"),
    Exit.TIMEOUT: ("timeout", "it may still happen: `unibpf status` shows what runs"),
    Exit.INTERNAL: ("internal", "please report it"),
    Exit.SUPERSEDED: ("superseded", "nothing is left to do"),
}
_COMPLAINT: Final = re.compile(r"error(?:\[(?P<rule>[a-z0-9_-]+)\])?: (?P<message>.*)")


class Failed(SystemExit):
    """The end of a command that did not do what was asked. `result` is what it found all the same, part of its JSON."""

    is_said = False
    names_rule = False

    def __init__(
        self,
        code: Exit,
        message: str,
        hint: str | None = None,
        *,
        rule: str | None = None,
        result: object = None,
    ) -> None:
        super().__init__(int(code))
        self.exit = code
        self.message = message
        self.has_hint = hint is not None  # of its own; the general one is for programs
        self.hint = hint or _DEFAULTS[code][1]
        self.rule = rule or _DEFAULTS[code][0]
        self.result = result

    def __str__(self) -> str:
        return self.message

    def document(self) -> dict[str, object]:
        """The one JSON object that `--json` promises."""
        found = msgspec.to_builtins(self.result)
        fields = found if isinstance(found, dict) else {} if found is None else {"result": found}
        said = {"error": self.message, "rule": self.rule, "hint": self.hint, "exit_code": int(self.exit)}
        return fields | said


class FailedAndSaid(Failed):
    """People have been told already, in more words."""

    is_said = True


class Complaint(Failed):
    """What a child process said, with the rule as it said it."""

    names_rule = True


def fail(
    code: Exit,
    message: str,
    hint: str | None = None,
    *,
    rule: str | None = None,
    result: object = None,
) -> NoReturn:
    """End with `code`, saying what is wrong, by which rule, and what to do."""
    raise Failed(code, message, hint, rule=rule, result=result)


def fail_as(code: Exit, complaint: str, otherwise: str) -> NoReturn:
    """End as a child did that wrote `error[rule]: message` and `hint: ...` on stderr, or nothing that can be read."""
    lines = complaint.strip().splitlines()
    found = next((match for line in lines if (match := _COMPLAINT.fullmatch(line))), None)
    hint = next((line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")), None)
    if found is None:
        fail(code, lines[-1] if lines else otherwise, hint)
    raise (Complaint if found["rule"] else Failed)(code, found["message"], hint, rule=found["rule"])


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
