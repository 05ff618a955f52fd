"""`unibpf graph check`."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_json, emit_table, fail

app = command_group("Graphs: check.")


@app.command("check")
def graph_check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A graph (Click's language).")],
    nic: Annotated[list[str] | None, typer.Option(help="A NIC that its guest has; may be repeated.")] = None,
    memory: Annotated[int, typer.Option(min=4, max=1024, help="The guest's memory in MiB.")] = 8,
    json: Json = False,
) -> None:
    """Say what a guest would say of a graph, with the guest's own parser; lists its elements."""
    import asyncio
    import os

    from unibpf.host import graph_check as checking
    from unibpf.host.settings import binary_directory

    text = file.read_bytes()[: checking.MOST_GRAPH_BYTES + 1].decode(errors="replace")
    try:
        work = checking.check_graph(binary_directory(os.environ), text, nics=nic or [], memory_mib=memory)
        report = asyncio.run(work)
    except checking.GraphCheckMissing as error:
        fail(Exit.USAGE, str(error), "`make build` makes it", rule="not-installed")
    if report.errors or not report.elements:
        lines = "\n".join(report.faults()) or "the graph has no elements"
        fail(Exit.USAGE, lines, "a guest with this graph would not start", rule="graph", result=report)
    if json:
        emit_json(report)
    else:
        rows = [(one.name, one.class_name, one.kind or "", one.program or "") for one in report.elements]
        emit_table(("element", "class", "kind", "program"), rows)
