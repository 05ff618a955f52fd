"""`unibpf up|status|trace|demo`: the stack as a whole."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_json, fail

app = command_group()


@app.command()
def up(json: Json = False) -> None:
    """Run the embedded stack until Ctrl-C: NATS server, HSM token, four services, guests under QEMU."""
    from unibpf.cli.up import run_stack

    run_stack(json=json)


@app.command()
def status(json: Json = False) -> None:
    """What runs: processes, services, guests with their elements."""
    from unibpf.cli.session import run
    from unibpf.cli.status import say
    from unibpf.client.status import collect

    found = run(collect())
    if json:
        emit_json(found)
    else:
        say(found)
    raise SystemExit(int(Exit.OK if found.bus else Exit.UNREACHABLE))


@app.command()
def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, as `push` prints them.")],
    json: Json = False,
) -> None:
    """Print one trace as a tree: from the publish to the first packet of the new program."""
    from unibpf.cli.session import run
    from unibpf.cli.trace_tree import tree_lines
    from unibpf.client.session import open_bus
    from unibpf.client.traces import load_trace
    from unibpf.messages.operations import SpanRecord

    async def work() -> list[SpanRecord]:
        async with open_bus() as bus:
            return await load_trace(bus, trace_id)

    spans = run(work())
    if not spans:
        fail(Exit.USAGE, f"no trace `{trace_id}` is known", "traces are kept for seven days")
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
