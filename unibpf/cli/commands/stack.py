"""`unibpf up|down|status|trace|demo`: the stack as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import DEFAULT_WAIT, Json, Timeout, command_group
from unibpf.cli.output import Exit, emit_json, fail

app = command_group()


@app.command()
def up(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The bus's port on loopback (default: as last time, else a free one).")
    ] = 0,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once it runs; `unibpf down` ends it.")] = False,
    json: Json = False,
) -> None:
    """Run the embedded stack until Ctrl-C: NATS server, HSM token, four services, guests under QEMU."""
    from unibpf.cli.up import run_stack, start_stack

    (start_stack if detach else run_stack)(json=json, port=port)


@app.command()
def down(timeout: Timeout = DEFAULT_WAIT, json: Json = False) -> None:
    """End the embedded stack of this state directory; guests go on, and the next `up` adopts them."""
    from unibpf.cli.up import stop_stack

    stop_stack(json=json, seconds=timeout)


@app.command()
def status(json: Json = False) -> None:
    """What runs: processes, services, guests with their elements."""
    from unibpf.cli.reports.status import say
    from unibpf.cli.session import run
    from unibpf.client.status import collect

    found = run(collect())
    if not json:
        say(found)
    if not found.bus:
        fail(Exit.UNREACHABLE, found.problem or "the bus was not reached", result=found)
    if json:
        emit_json(found)


@app.command()
def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, as `push` prints them.")],
    json: Json = False,
) -> None:
    """Print one trace as a tree: from the publish to the first packet of the new program."""
    from unibpf.cli.reports.trace_tree import tree_lines
    from unibpf.cli.session import run
    from unibpf.client.session import open_bus
    from unibpf.client.traces import load_trace
    from unibpf.messages.operations import SpanRecord

    async def work() -> list[SpanRecord]:
        async with open_bus() as bus:
            return await load_trace(bus, trace_id)

    spans = run(work())
    if not spans:
        fail(Exit.USAGE, f"no trace `{trace_id}` is known", "traces are kept for seven days", rule="not-found")
    if json:
        emit_json({"trace_id": trace_id, "spans": spans})
    else:
        print("\n".join(tree_lines(spans)))


@app.command()
def demo(
    json: Json = False,
    machine: Annotated[str, typer.Option(help="microvm, q35 or process.")] = "microvm",
    output: Annotated[Path, typer.Option(help="Where the result goes.")] = Path("build/demo.json"),
) -> None:
    """Show the main job: update a running firewall under traffic, lose nothing, refuse what is bad."""
    from unibpf.cli.demo import run_demo

    result = run_demo(machine=machine, output=output)
    if json:
        emit_json(result)
