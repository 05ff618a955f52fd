"""`unibpf wire`: packets in and out of a guest."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import Json, command_group

app = command_group()


@app.command()
def wire(
    nic: Annotated[str, typer.Argument(metavar="NIC", help="GUEST/NIC of this host, or a socket's path.")],
    source: Annotated[
        Path | None, typer.Option("--in", exists=True, dir_okay=False, help="A capture whose packets go in.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--out", metavar="[NIC=]FILE", help="Where what comes out goes, of this NIC or another one."),
    ] = None,
    quiet: Annotated[float, typer.Option(min=0.01, max=3600, help="End when nothing came for so many seconds.")] = 0.5,
    seconds: Annotated[float, typer.Option(min=0.1, max=86400, help="End after so long in any case.")] = 60.0,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=10_000_000, help="Packets a second (default: all).")
    ] = None,
    json: Json = False,
) -> None:
    """Send a capture into a guest's NIC, and keep what comes out as captures."""
    from unibpf.cli import wire as work

    work.wire(nic, source=source, targets=target or [], quiet=quiet, seconds=seconds, rate=rate, json=json)
