"""The console script. `verify` goes past everything that the other commands need: it must answer in half a second."""

import sys


def main() -> None:
    """Run the command that the command line names."""
    if sys.argv[1:2] == ["verify"]:
        from unibpf.cli import verify

        raise SystemExit(verify.main(sys.argv[2:]))
    from unibpf.cli.app import app

    app()
