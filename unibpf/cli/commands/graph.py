"""`unibpf graph check|draw|run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_json, emit_table, fail

if TYPE_CHECKING:
    from unibpf.cli.reports.graph_picture import Counted
    from unibpf.host.graph_check import GraphReport

app = command_group("Graphs: check, draw, run.")


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


@app.command("draw")
def graph_draw(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A graph (Click's language).")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The SVG file; else standard output.")] = None,
    guest: Annotated[
        str | None, typer.Option(help="A running guest with this graph, for the numbers of its packets.")
    ] = None,
    nic: Annotated[list[str] | None, typer.Option(help="A NIC that its guest has; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Draw a graph as SVG: elements along the way of the packets, ports, what is pushed and what is pulled."""
    from unibpf.cli.reports.graph_picture import picture

    report = _sound(file, nic if nic is not None else _nics_of(file))
    text = picture(report, counters=_counters(guest) if guest is not None else None, title=file.name)
    if output is not None:
        output.write_text(text)
    if json:
        emit_json({"elements": len(report.elements), "connections": len(report.connections), "svg": text})
    elif output is None:
        sys.stdout.write(text)


@app.command("run")
def graph_run(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A graph (Click's language).")],
    input: Annotated[
        list[str] | None, typer.Option(metavar="NIC=PCAP", help="What arrives at a NIC; may be repeated.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="A folder: what each NIC sent, as NIC.pcap.")] = None,
    json: Json = False,
) -> None:
    """Run a graph on packets from files, in simulated time, without a guest; print what each element did.

    Elements that run eBPF programs have none here and drop everything: `unibpf run` runs a program.
    """
    import os

    from unibpf.host.graph_run import GraphRunError, run_graph
    from unibpf.host.settings import binary_directory

    words = [word.partition("=") for word in input or []]
    for name, equals, capture in words:
        if not (name and equals and Path(capture).is_file()):
            fail(
                Exit.USAGE, f"got `{name}{equals}{capture}`, expected NIC=PCAP with a file that is there", rule="input"
            )
    captures = {name: Path(capture) for name, _, capture in words}
    try:
        rows = run_graph(binary_directory(os.environ), file, nics=_nics_of(file), captures=captures, output=output)
    except GraphRunError as error:
        fail(Exit.USAGE, str(error), "`unibpf graph check` says more of a graph", rule="graph")
    if json:
        emit_json(rows)
    else:
        cells = [(one.name, one.class_name, one.packets, one.drops, one.reasons) for one in rows]
        emit_table(("element", "class", "packets", "dropped", "reasons"), cells)


def _nics_of(file: Path) -> list[str]:
    """Every NIC that a device element of the graph names, as far as the text itself says it."""
    import re

    text = file.read_text(errors="replace")
    return sorted(set(re.findall(r"\b(?:From|To)Device\(\s*(?:DEVNAME\s+)?([A-Za-z0-9_]{1,15})\s*[,)]", text)))


def _sound(file: Path, nics: list[str]) -> "GraphReport":
    import asyncio
    import os

    from unibpf.host import graph_check as checking
    from unibpf.host.settings import binary_directory

    text = file.read_bytes()[: checking.MOST_GRAPH_BYTES + 1].decode(errors="replace")
    try:
        work = checking.check_graph(binary_directory(os.environ), text, nics=nics, memory_mib=1024)
        report = asyncio.run(work)
    except checking.GraphCheckMissing as error:
        fail(Exit.USAGE, str(error), "`make build` makes it", rule="not-installed")
    if report.errors or not report.elements:
        lines = "\n".join(report.faults()) or "the graph has no elements"
        fail(Exit.USAGE, lines, "only a sound graph is drawn", rule="graph", result=report)
    return report


def _counters(guest: str) -> "dict[str, Counted]":
    from unibpf.cli.reports.graph_picture import Counted
    from unibpf.cli.session import run
    from unibpf.client import guests
    from unibpf.client.status import describe_guest

    found = run(describe_guest(guest))
    if found is None or found.guest is None:
        fail(Exit.USAGE, *guests.unknown(guest), rule="not-found")
    return {one.name: Counted(packets=one.packets, drops=sum(one.drops.values())) for one in found.guest.elements}
