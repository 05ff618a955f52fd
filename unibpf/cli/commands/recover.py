"""`unibpf recover sequence`: what only an operator on the signer's host can set right."""

import time
from typing import Annotated

import typer

from unibpf.cli.options import Json, a_program, an_audience, command_group
from unibpf.cli.output import Exit, emit_fields, emit_json, fail

app = command_group("What an operator sets right on the signer's host, with the signer's own files.")


@app.callback()
def recover() -> None:
    """Set right what no service may set right by itself."""


@app.command("sequence")
def recover_sequence(
    audience: Annotated[str, typer.Argument(metavar="AUDIENCE", callback=an_audience)],
    program: Annotated[str, typer.Argument(metavar="PROGRAM", callback=a_program)],
    graph: Annotated[bool, typer.Option("--graph", help="The graph of a guest of that name.")] = False,
    at: Annotated[int, typer.Option(min=0, help="What guests have seen, if it is more than was signed here.")] = 0,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    json: Json = False,
) -> None:
    """Let the numbers of a program go on from one that is too far ahead of the clock, so that it can be pushed again."""
    from unibpf.client.session import state_paths
    from unibpf.host.ledger import MAX_AHEAD, TICKS, Ledger, LedgerError

    path, clock = state_paths().signer_ledger, int(time.time() * TICKS)
    if not path.exists():
        fail(
            Exit.USAGE,
            f"no signer has worked here: `{path}` does not exist",
            "run it on the signer's host",
            rule="not-found",
        )
    counter = f"{'graph' if graph else 'program'}.{audience}.{program}"
    try:
        ledger = Ledger.open(path, now_ms=clock)
        signed = ledger.highest(counter)
        base = max(signed, at)
        needed = base > max(clock, ledger.recovered(counter)) + MAX_AHEAD
        if base >= MOST:
            fail(Exit.REFUSED, f"nothing is above {base}: take another name for the program", rule="sequence-ahead")
        if needed and yes:
            ledger.recover(counter, base)
    except LedgerError as error:
        fail(Exit.USAGE, str(error), rule="file")
    done = "recovered" if needed and yes else "would be recovered: say `--yes`" if needed else "nothing to recover"
    found = {
        "counter": counter,
        "signed": signed,
        "clock": clock,
        "goes_on_from": base if needed else clock,
        "outcome": done,
    }
    if json:
        emit_json(found)
    else:
        emit_fields(found)


MOST = (1 << 63) - 1 - 30 * 86400 * 1000  # above that there is no room for 30 days of releases
