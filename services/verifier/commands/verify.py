"""`python -m services.verifier verify FILE`: verifications in this process, their reports on stdout.

One program: its report as one JSON object. `--all`: `{"programs": [...]}` with one report each. To the fields of a report
come `section` and `function`, where the program lies in the object, with `--invariants` what the analyser knew and with
`--cfg dot` its control-flow graph; they are no part of the report that is stored and signed.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from services.verifier.commands import options
from services.verifier.errors import Broken, GaveUp
from services.verifier.frontend.elf import MAX_OBJECT
from services.verifier.frontend.frontend import Answer, Options
from services.verifier.processes import second_verifier, worker
from services.verifier.processes.analysis import DEFAULT_BUDGET, EXECUTABLE, Analyser, AnalyserOptions, Invariant
from services.verifier.report import Outcome
from services.verifier.verification import Verification
from unibpf.host import fence
from unibpf.host.settings import binary_directory
from unibpf.messages.reports import Report
from unibpf.push import loading, second_opinion

# docs/exit-codes.md
EXIT: Final = {"safe": 0, "unsafe": 1, "unsupported": 3, "gave_up": 4}
EXIT_BAD_INPUT: Final = 2
_GRAVEST_FIRST: Final = (1, EXIT_BAD_INPUT, 3, 4)


class Detailed(Report, frozen=True, kw_only=True):
    """A report with what only the command line shows."""

    section: str = ""
    function: str = ""
    invariants: list[Invariant] | None = None
    invariants_cut: bool = False
    graph: str | None = None


def main(arguments: list[str]) -> int:
    """Parse the command line, verify, print; returns the exit code."""
    chosen = _arguments(arguments)
    try:
        with Path(chosen.file).open("rb") as file:
            data = file.read(MAX_OBJECT + 1)  # one byte more than allowed: the front end names the rule
    except OSError as error:
        return _complain(f"`{chosen.file}` cannot be read: {error.strerror}")
    try:
        outcomes = asyncio.run(_verify(data, chosen))
    except (Broken, GaveUp) as error:
        return _complain(str(error))
    shown = [_detailed(outcome, chosen) for outcome in outcomes]
    document = {"programs": shown} if chosen.all else shown[0]
    sys.stdout.buffer.write(msgspec.json.encode(document, order="deterministic") + b"\n")
    return exit_code(outcomes)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 0 when all are safe, else the gravest: an unsafe program counts before one that could not be judged."""
    codes = {EXIT_BAD_INPUT if outcome.bad_input else EXIT[outcome.report.verdict] for outcome in outcomes}
    return next((code for code in _GRAVEST_FIRST if code in codes), 0)


async def _verify(data: bytes, chosen: argparse.Namespace) -> list[Outcome]:
    analyser = Analyser(
        executable=binary_directory(os.environ) / EXECUTABLE,
        options=AnalyserOptions(
            platform=chosen.platform,
            termination=chosen.termination == "on",
            max_seconds=chosen.max_seconds,
            max_mebibytes=chosen.max_mebibytes,
            budget=chosen.budget,
        ),
        invariants=chosen.invariants,
        graph=chosen.cfg is not None,
    )
    analyser.require()
    # Nobody forks beside a thread (sandbox.py), and 3.11's own watcher waits for each analyser in one; 3.12 watches like this.
    if sys.version_info < (3, 12):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
    one = options.options_of(chosen, name=chosen.name)
    known = worker.limited_answers(data, one, fence.Limits()) if chosen.all else {}
    wanted = list(known) or (worker.limited_choices(data, one, fence.Limits()) if chosen.all else [one])

    async def translate(data: bytes, options: Options) -> Answer:
        return known.get(options) or worker.limited(data, options, fence.Limits())

    verification = Verification(
        translate=translate, analyser=analyser, also=[second_verifier.find(name) for name in chosen.also]
    )
    return [await verification.verify(data, options) for options in wanted]


def _detailed(outcome: Outcome, chosen: argparse.Namespace) -> Detailed:
    fields = {name: getattr(outcome.report, name) for name in Report.__struct_fields__}
    return Detailed(
        **fields,
        section=outcome.section,
        function=outcome.function,
        invariants=outcome.invariants if chosen.invariants else None,
        invariants_cut=outcome.invariants_cut,
        graph=outcome.graph if chosen.cfg else None,
    )


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.verifier", description="Verify one eBPF object")
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("file", metavar="FILE", help="object that `clang -target bpf -c` wrote")
    parser.add_argument("--all", action="store_true", help="every program of the object")
    options.add_words(parser)
    parser.add_argument("--name", help="name of the program in the bundle (default: from its function)")
    parser.add_argument("--termination", choices=["on", "off"], default="on")
    parser.add_argument("--max-seconds", type=_positive, default=5, help="CPU seconds for the analysis")
    parser.add_argument("--max-mebibytes", type=_positive, default=1024, help="memory for the analysis")
    parser.add_argument("--budget", type=_instructions, default=DEFAULT_BUDGET, help="what a guest gives a packet")
    parser.add_argument("--also", action="append", choices=second_opinion.KNOWN, default=[], help="ask it too")
    parser.add_argument("--invariants", action="store_true", help="what is known before each instruction")
    parser.add_argument("--cfg", choices=["dot"], help="the control-flow graph")
    return loading.parse_arguments(parser, arguments)


def _instructions(text: str) -> int:
    number = int(text)
    if not 0 < number < 1 << 40:
        raise argparse.ArgumentTypeError(f"got {number}, expected 1 to 2^40")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"got {number}, expected 1 to 1000000")
    return number


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return EXIT_BAD_INPUT
