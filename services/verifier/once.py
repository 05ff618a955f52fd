"""`python -m services.verifier verify FILE`: one verification in this process, the report on stdout."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from services.verifier import report, sandbox, worker
from services.verifier.analysis import EXECUTABLE, Analyser, AnalyserOptions
from services.verifier.elf import MAX_OBJECT
from services.verifier.errors import Broken
from services.verifier.frontend import Answer, Options
from services.verifier.verification import Verification
from unibpf.settings import binary_directory

# docs/exit-codes.md
EXIT: Final = {"safe": 0, "unsafe": 1, "unsupported": 3, "gave_up": 4}
EXIT_BAD_INPUT: Final = 2


def main(arguments: list[str]) -> int:
    """Parse the command line, verify, print; returns the exit code."""
    chosen = _arguments(arguments)
    try:
        with Path(chosen.file).open("rb") as file:
            data = file.read(MAX_OBJECT + 1)  # one byte more than allowed: the front end names the rule
    except OSError as error:
        return _complain(f"`{chosen.file}` cannot be read: {error.strerror}")
    analyser = Analyser(
        executable=binary_directory(os.environ) / EXECUTABLE,
        options=AnalyserOptions(
            platform=chosen.platform, termination=chosen.termination == "on", max_seconds=chosen.max_seconds
        ),
    )
    options = Options(name=chosen.name, section=chosen.section, function=chosen.function)
    try:
        outcome = asyncio.run(Verification(translate=_translate, analyser=analyser).verify(data, options))
    except Broken as error:
        return _complain(f"{error}; build it with `make build`")
    sys.stdout.buffer.write(report.encode(outcome.report) + b"\n")
    return EXIT_BAD_INPUT if outcome.bad_input else EXIT[outcome.report.verdict]


async def _translate(data: bytes, options: Options) -> Answer:
    return worker.limited(data, options, sandbox.Limits())


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.verifier", description="Verify one eBPF object")
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("file", metavar="FILE", help="object that `clang -target bpf -c` wrote")
    parser.add_argument("--section", help="section of the program, when the object holds several")
    parser.add_argument("--function", help="function of the program, likewise")
    parser.add_argument("--name", help="name of the program in the bundle (default: from its function)")
    parser.add_argument("--platform", choices=["guest", "linux-xdp"], default="guest")
    parser.add_argument("--termination", choices=["on", "off"], default="on")
    parser.add_argument("--max-seconds", type=int, default=5, help="CPU seconds for the analysis")
    return parser.parse_args(arguments)


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return EXIT_BAD_INPUT
