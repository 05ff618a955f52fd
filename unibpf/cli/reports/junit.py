"""Reports as JUnit XML, as CI systems read it: a test suite for the file, a test case for each program.

There is no standard; this is the part that all readers share: an unsafe program has failed, one that could not be judged
is an error.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from unibpf.cli.reports.text import Verified, format_finding, verdict_line
from unibpf.text import visible_lines

_WHITE: Final = {ord(white): f"&#{ord(white)};" for white in "\t\n\r"}


def document(programs: Sequence[Verified], *, file: Path) -> str:
    """Return the whole document."""
    failures = sum(one.verdict == "unsafe" for one in programs)
    errors = sum(one.verdict in ("unsupported", "gave_up") for one in programs)
    counts = f'tests="{len(programs)}" failures="{failures}" errors="{errors}"'
    seconds = sum(map(_seconds, programs))
    cases = "".join(_case(one, file) for one in programs)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="unibpf verify" {counts} time="{seconds:.3f}">\n'
        f'<testsuite name={_attribute(str(file))} {counts} skipped="0" time="{seconds:.3f}">\n{cases}</testsuite>\n'
        "</testsuites>"
    )


def _case(one: Verified, file: Path) -> str:
    name = _attribute(one.function or one.program or file.name)
    head = f'<testcase classname={_attribute(str(file))} name={name} time="{_seconds(one):.3f}"'
    if one.verdict == "safe":
        return f"{head}/>\n"
    kind = "failure" if one.verdict == "unsafe" else "error"
    rule = _attribute(one.findings[0].rule if one.findings else one.verdict)
    text = escape(
        _clean("\n".join(format_finding(one_of_them, explain=True) for one_of_them in one.findings)), quote=False
    )
    return f"{head}>\n<{kind} type={rule} message={_attribute(verdict_line(one))}>{text}</{kind}>\n</testcase>\n"


def _seconds(one: Verified) -> float:
    return one.timing.get("total_ms", 0.0) / 1e3


def _attribute(text: str) -> str:
    """Quoted; white space as references, or the reader would make blanks of it (XML 1.0 3.3.3)."""
    return f'"{escape(_clean(text)).translate(_WHITE)}"'


def _clean(text: str) -> str:
    """Nothing is left that XML 1.0 cannot carry (2.2 Char)."""
    return visible_lines(text)
