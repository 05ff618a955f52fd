"""`python -m services.verifier bundle FILE`: the front end alone; the bundle of one program on stdout.

Nothing is proved about what comes out: it is for whoever runs it where a mistake can do no harm. A rejection is said on
stderr; the exit codes are those of `verify`.
"""

import argparse
import sys
from pathlib import Path

from services.verifier.commands import options
from services.verifier.commands.verify import EXIT, EXIT_BAD_INPUT
from services.verifier.errors import GaveUp
from services.verifier.frontend.elf import MAX_OBJECT
from services.verifier.frontend.frontend import Answer
from services.verifier.processes import worker
from services.verifier.verification import more_rights
from unibpf.host import fence
from unibpf.messages.reports import Finding
from unibpf.push import loading
from unibpf.text import visible


def main(arguments: list[str]) -> int:
    """Translate the chosen program in a limited child; returns the exit code."""
    chosen = _arguments(arguments)
    try:
        with Path(chosen.file).open("rb") as file:
            data = file.read(MAX_OBJECT + 1)  # one byte more than allowed: the front end names the rule
    except OSError as error:
        print(f"error: `{chosen.file}` cannot be read: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT
    try:
        wanted = options.options_of(chosen)
        answer = worker.limited(data, wanted, fence.Limits())
        if answer.translation is not None and answer.translation.kind_is_open and answer.translation.kind == "filter":
            # whether it writes the packet only the analyser knows: what runs it here asks for no rights
            answer = worker.limited(data, more_rights(wanted, answer.translation), fence.Limits())
    except GaveUp as error:
        print(f"error[{error.rule}]: {error}", file=sys.stderr)
        return EXIT["gave_up"]
    if answer.translation is None:
        return _refuse(answer)
    sys.stdout.buffer.write(answer.translation.bundle)
    return 0


def _refuse(answer: Answer) -> int:
    if answer.finding is not None:
        print("\n".join(_lines(answer.finding)), file=sys.stderr)
    return EXIT_BAD_INPUT if answer.bad_input else EXIT[answer.verdict]


def _lines(finding: Finding) -> list[str]:
    lines = [f"error[{finding.rule}]: {finding.message}", *([f"hint: {finding.hint}"] if finding.hint else [])]
    return list(map(visible, lines))


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.verifier", description="Translate one eBPF object")
    parser.add_argument("command", choices=["bundle"])
    parser.add_argument("file", metavar="FILE", help="object that `clang -target bpf -c` wrote")
    options.add_words(parser)
    return loading.parse_arguments(parser, arguments)
