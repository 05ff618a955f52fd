"""The console script. `verify` goes past everything that the other commands need: it must answer in half a second."""

import sys

from unibpf.text import guard_streams


def main() -> None:
    """Run the command that the command line names."""
    guard_streams()
    if sys.argv[1:2] == ["verify"]:
        from unibpf.cli import verify

        raise SystemExit(verify.main(sys.argv[2:]))
    from unibpf.cli.app import app

    app()
