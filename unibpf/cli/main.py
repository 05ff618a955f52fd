"""The console script. `verify` goes past everything that the other commands need: it must answer in half a second."""

import sys

from unibpf.cli import ending
from unibpf.text import guard_streams


def main() -> None:
    """Run the command that the command line names."""
    guard_streams()
    arguments = sys.argv[1:]
    raise SystemExit(ending.end(lambda: _run(arguments), arguments))


def _run(arguments: list[str]) -> None:
    if arguments[:1] == ["verify"]:
        from unibpf.cli import verify

        raise SystemExit(verify.main(arguments[1:]))
    from unibpf.cli.app import run

    run(arguments)
