"""`unibpf verify FILE`: what the verifier would say, without a bus and without a signature.

The verifier is a service and no library of this package: it runs as its own process, which is also what keeps a hostile
object away from this one. Options are read by argparse here and not by typer: the imports of typer alone take longer than
a verification.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn, get_args

import msgspec

from unibpf.cli.output import Exit, FailedAndSaid, emit_json, fail, fail_as
from unibpf.cli.reports import also, junit, sarif
from unibpf.cli.reports.text import (
    Verified,
    catalogue_pages,
    explain_lines,
    invariant_lines,
    print_report,
    verdict_line,
)
from unibpf.host import installed
from unibpf.messages.base import Kind
from unibpf.messages.reports import Report
from unibpf.push import loading, second_opinion
from unibpf.push.compile import CompileError, compile_c
from unibpf.text import decoded, visible

_GRACE_SECONDS: Final = 60  # beside the analysis: start, front end, and a machine with other work
_PASSED_ON: Final = ("section", "kind", "platform", "budget", "memory", "max_seconds", "max_mebibytes")


def main(arguments: list[str]) -> int:
    """Verify and print; returns the exit code."""
    chosen = loading.parse_arguments(_parser(), arguments)
    if chosen.cfg and chosen.format in ("sarif", "junit"):
        fail(
            Exit.USAGE,
            f"`--cfg {chosen.cfg}` has no place in `--{chosen.format}`",
            "use `--cfg` alone or with `--json`",
        )
    if not chosen.file.is_file():
        fail(Exit.USAGE, f"`{chosen.file}` is no file that can be read", rule="file")
    require_verifier()
    if chosen.file.suffix != ".c":
        return _verify(chosen.file, chosen)
    with tempfile.TemporaryDirectory(prefix="unibpf-") as folder:
        target = Path(folder) / f"{chosen.file.stem}.o"
        try:
            target.write_bytes(compile_c(chosen.file, defines=chosen.define))
        except CompileError as error:
            fail(Exit.USAGE, f"`{chosen.file}` does not compile:\n{error}", error.hint)
        return _verify(target, chosen)


def _verify(target: Path, chosen: argparse.Namespace) -> int:
    code, output, programs = _run(target, chosen)
    opinions = also.opinions(programs, target)
    if chosen.format == "json":
        document = msgspec.json.decode(also.with_opinions(output, opinions))
    elif chosen.format == "sarif":
        print(sarif.document(programs, file=chosen.file))
    elif chosen.format == "junit":
        print(junit.document(programs, file=chosen.file))
    else:
        for one in programs:
            _say(one, chosen)
        _explain_rules(programs, explain=chosen.explain and not chosen.cfg)
    for opinion in opinions:
        print(opinion.sentence(), file=sys.stderr)
    if chosen.format == "json" and code != 0:
        fail_with(next((one for one in programs if EXITS.get(one.verdict) == code), programs[0]), code, document)
    if chosen.format == "json":
        emit_json(document)
    return code


# docs/exit-codes.md
EXITS: Final = {"safe": Exit.OK, "unsafe": Exit.REFUSED, "unsupported": Exit.UNSUPPORTED, "gave_up": Exit.GAVE_UP}


def fail_with(report: Report, code: int, document: object) -> NoReturn:
    """End as a report says that is not `safe`; people have read it."""
    finding = report.findings[0] if report.findings else None
    message = finding.message if finding is not None else verdict_line(report)
    rule = finding.rule if finding is not None else None
    hint = finding.hint if finding is not None else None
    raise FailedAndSaid(Exit(code), message, hint, rule=rule, result=document)


def require_verifier() -> None:
    """End the command where the verifier cannot run here: a wheel has no native code."""
    try:
        installed.require_native(os.environ, installed.ANALYSER)
    except installed.NotInstalled as missing:
        fail(Exit.USAGE, str(missing), missing.hint, rule="not-installed")


def _run(file: Path, chosen: argparse.Namespace) -> tuple[int, bytes, list[Verified]]:
    """Run the verifier; returns its exit code, its output and the programs in it, or ends with its complaint."""
    command = [sys.executable, "-m", "services.verifier", "verify", str(file.absolute()), *_options(chosen)]
    patience = 64 * chosen.max_seconds if chosen.all else 2 * chosen.max_seconds
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=patience + _GRACE_SECONDS, check=False, env=os.environ
        )
    except subprocess.TimeoutExpired:
        fail(Exit.GAVE_UP, f"the verifier did not answer within {patience + _GRACE_SECONDS} s")
    try:
        programs = msgspec.json.decode(done.stdout, type=_Programs).programs if chosen.all else [_one(done.stdout)]
    except msgspec.MsgspecError:
        fail_as(Exit.USAGE, decoded(done.stderr), f"the verifier ended with {done.returncode}")
    return done.returncode, done.stdout.strip(), programs


class _Programs(msgspec.Struct, frozen=True):
    """The answer to `--all`."""

    programs: list[Verified]


def _one(output: bytes) -> Verified:
    return msgspec.json.decode(output, type=Verified)


def _options(chosen: argparse.Namespace) -> list[str]:
    found = [(f"--{name.replace('_', '-')}", getattr(chosen, name)) for name in _PASSED_ON]
    found.append(("--function", chosen.program))
    found.append(("--cfg", chosen.cfg))
    flags = [f"--{name}" for name in ("all", "invariants") if getattr(chosen, name)]
    flags += [f"--also={name}" for name in dict.fromkeys(chosen.also)]
    return [*(f"{option}={value}" for option, value in found if value is not None), *chosen.loading.arguments(), *flags]


def _say(one: Verified, chosen: argparse.Namespace) -> None:
    print_report(one, explain=chosen.explain)
    if chosen.cfg:  # then stdout is for the program that draws it
        print(verdict_line(one), file=sys.stderr)
        print(one.graph or "", end="")
        return
    print(verdict_line(one))
    if chosen.explain:
        print(*map(visible, explain_lines(one)), sep="\n")
    for line in invariant_lines(one):
        print(visible(line))


def _explain_rules(programs: list[Verified], *, explain: bool) -> None:
    if explain:
        print(*catalogue_pages(finding.rule for one in programs for finding in one.findings), sep="\n", end="")


_UNKNOWN: Final = re.compile(r"unrecognized arguments: (-\S+)")


class Parser(argparse.ArgumentParser):
    """Fails as every command does, and names the nearest option."""

    def error(self, message: str) -> NoReturn:
        """What argparse calls."""
        wrong = _UNKNOWN.match(message, 0)
        known = [name for action in self._actions for name in action.option_strings]
        near = difflib.get_close_matches(wrong[1], known, n=1) if wrong else []
        meant = f"; did you mean `{near[0]}`?" if near else ""
        fail(Exit.USAGE, f"{message}{meant}", f"`{self.prog} --help` shows what there is")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="unibpf verify",
        description="Verify a program without a bus: 0 safe, 1 unsafe, 2 bad input, 3 unsupported, 4 gave up.",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="an ELF object, or C that clang compiles")
    which = parser.add_argument_group("which program")
    which.add_argument("--section", help="section of the program, when the object holds several")
    which.add_argument("--function", dest="program", help="function of the program, likewise")
    which.add_argument("--program", dest="program", help=argparse.SUPPRESS)  # what `--function` was called before
    which.add_argument(
        "-D",
        dest="define",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the C compiler; may come twice",
    )
    which.add_argument("--all", action="store_true", help="every program of the object; the gravest verdict counts")
    which.add_argument(
        "--kind",
        choices=get_args(Kind),
        help="what a program is whose section does not say it (default: filter, or rewriter if need be)",
    )
    loading.add_options(parser.add_argument_group("what a loader would set"))
    how = parser.add_argument_group("how")
    how.add_argument(
        "--platform", choices=["guest", "linux-xdp"], default="guest", help="what runs it (default: guest)"
    )
    how.add_argument("--budget", metavar="N", help="instructions that a guest gives one packet (default: 1000000)")
    how.add_argument(
        "--memory", type=_positive, metavar="MIB", help="memory of the guests that it is for, which holds its maps"
    )
    how.add_argument(
        "--max-seconds", type=_positive, default=5, metavar="N", help="CPU time of the analysis (default: 5)"
    )
    how.add_argument("--max-mebibytes", type=_positive, default=1024, metavar="N", help="its memory (default: 1024)")
    how.add_argument(
        "--also",
        action="append",
        choices=second_opinion.KNOWN,
        default=[],
        help="ask this verifier too, and say whether both agree; may come twice",
    )
    _add_formats(parser.add_argument_group("what is shown"))
    return parser


def _add_formats(shown: "argparse._ArgumentGroup") -> None:
    one = shown.add_mutually_exclusive_group()
    for name, meaning in (("json", "the report as one JSON object"), ("sarif", "SARIF 2.1.0"), ("junit", "JUnit XML")):
        one.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=f"{meaning}, on stdout")
    shown.add_argument(
        "--explain", action="store_true", help="also slices, digests, timings, the page of each broken rule"
    )
    shown.add_argument("--invariants", action="store_true", help="what is known before each instruction")
    shown.add_argument(
        "--cfg", choices=["dot"], help="the control-flow graph, for `dot -Tsvg`; with `--invariants` also those"
    )


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"got {number}, expected 1 to 1000000")
    return number
