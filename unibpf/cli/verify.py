"""`unibpf verify FILE`: what the verifier would say, without a bus and without a signature.

The verifier is a service and no library of this package: it runs as its own process, which is also what keeps a hostile
object away from this one.
"""

import json as json_format
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from unibpf.cli.output import Exit, fail
from unibpf.cli.report import explain_lines, format_finding, print_report, verdict_line
from unibpf.compile import CompileError, compile_c
from unibpf.messages import Report

__all__ = ["format_finding", "print_report", "verify"]

TIMEOUT_SECONDS = 60


def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ELF object, or C that clang compiles.")],
    section: Annotated[str | None, typer.Option(help="Section of the program, when the object holds several.")] = None,
    program: Annotated[str | None, typer.Option(help="Function of the program, likewise.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The report as one JSON object on stdout.")] = False,
    explain: Annotated[bool, typer.Option(help="Also loops, helpers, digests and timings.")] = False,
) -> None:
    """Verify a program: 0 safe, 1 unsafe, 2 bad input, 3 unsupported, 4 gave up."""
    choice = [*(["--section", section] if section else []), *(["--function", program] if program else [])]
    code, output = _verified(file, choice)
    if json:
        print(output)
    else:
        _say(msgspec.json.decode(output, type=Report), explain=explain)
    raise typer.Exit(code)


def _verified(file: Path, choice: list[str]) -> tuple[int, str]:
    if file.suffix != ".c":
        return _run(file, choice)
    with tempfile.TemporaryDirectory(prefix="unibpf-") as folder:
        target = Path(folder) / f"{file.stem}.o"
        try:
            target.write_bytes(compile_c(file))
        except CompileError as error:
            fail(Exit.USAGE, f"`{file}` does not compile:\n{error}", error.hint)
        return _run(target, choice)


def _run(file: Path, choice: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "services.verifier", "verify", str(file), *choice]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, env=os.environ
        )
    except subprocess.TimeoutExpired:
        fail(Exit.GAVE_UP, f"the verifier did not answer within {TIMEOUT_SECONDS} s")
    if not _is_report(done.stdout):
        fail(Exit.USAGE, done.stderr.strip().removeprefix("error: ") or f"the verifier ended with {done.returncode}")
    return done.returncode, done.stdout.strip()


def _is_report(text: str) -> bool:
    try:
        return isinstance(json_format.loads(text), dict)
    except ValueError:
        return False


def _say(report: Report, *, explain: bool) -> None:
    print_report(report)
    print(verdict_line(report))
    if explain:
        print(*explain_lines(report), sep="\n")
