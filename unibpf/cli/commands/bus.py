"""`unibpf bus keys|config|init|check|adopt`: what an operator of an own server needs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_fields, emit_json, emit_table, fail

if TYPE_CHECKING:
    from unibpf.bus.stores.setup import Look

app = command_group("The bus: keys, server configuration, streams and buckets.")


@app.command("keys")
def bus_keys(
    pusher: Annotated[list[str] | None, typer.Option(help="An identity that may push, as a CI job.")] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="A hypervisor host, which gets keys of its own (default: one key for all).")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Also copy each key to DIRECTORY/IDENTITY.")] = None,
    json: Json = False,
) -> None:
    """Make the nkeys of operator, services and pushers in the state directory; what exists is kept."""
    from unibpf.bus import own_server
    from unibpf.client.session import state_paths
    from unibpf.host.identity import IdentityError

    keys = state_paths().keys
    try:
        made = own_server.make_keys(keys, pusher or [], host or [])
        if export is not None:
            own_server.export_keys(keys, export, list(made))
    except IdentityError as error:
        fail(Exit.USAGE, str(error), rule="identity")
    if json:
        emit_json(made)
    else:
        emit_fields(made)


@app.command("config")
def bus_config(
    listen: Annotated[str, typer.Option(help="ADDRESS:PORT for clients.")] = "127.0.0.1:4222",
    store: Annotated[Path, typer.Option(help="Where the server keeps its streams.")] = Path("/var/lib/nats"),
    monitor: Annotated[str | None, typer.Option(help="ADDRESS:PORT for /healthz and the like.")] = None,
    output: Annotated[Path | None, typer.Option(help="Instead of stdout.")] = None,
    json: Annotated[bool, typer.Option("--json", help="It is JSON anyway; failures are then, too.")] = False,
) -> None:
    """Print the configuration of a nats-server: everybody with a public key here, with his permissions."""
    from unibpf.bus import own_server
    from unibpf.client.session import state_paths
    from unibpf.host.identity import IdentityError

    try:
        made = own_server.server_configuration(state_paths().keys, listen=listen, store=store, monitor=monitor)
        if output is not None:
            output.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    except (own_server.BusFileError, IdentityError) as error:
        fail(Exit.USAGE, str(error), rule="identity")
    if output is None:
        emit_json(made)


Hosts = Annotated[list[str] | None, typer.Option("--host", help="Hypervisor hosts (default: this one).")]
Replicas = Annotated[
    int | None,
    typer.Option(min=1, max=5, help="Copies of each stream, 3 in a cluster (default: as many as stand already, or 1)."),
]


@app.command("init")
def bus_init(
    replicas: Replicas = None,
    host: Hosts = None,
    yes: Annotated[bool, typer.Option("--yes", help="Also change what stands: raise limits, add subjects.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Create the streams, buckets and consumers that are missing, as the operator. Nothing is ever lowered or deleted."""
    from unibpf.bus.stores import setup
    from unibpf.cli.session import run
    from unibpf.client.session import open_bus

    async def work() -> list[setup.Done]:
        async with open_bus("operator") as bus:
            return await setup.init(bus.jetstream, hosts=_hosts(host), replicas=replicas, yes=yes)

    if dry_run:
        _show(run(_look(host, replicas)), json=json)
        return
    done = run(work())
    wrong = [str(one) for one in done if not one.is_right]
    if wrong:
        hint = "`--yes` changes what waits; `unibpf bus check` says what differs"
        fail(Exit.REFUSED, "; ".join(wrong), hint, rule="bus-differs", result={"done": done})
    if json:
        emit_json({"done": done})
    else:
        emit_fields({f"{one.step.kind} {one.step.name}": "; ".join([one.outcome, *one.step.why]) for one in done})


@app.command("check")
def bus_check(replicas: Replicas = None, host: Hosts = None, json: Json = False) -> None:
    """Say what differs from what this version wants, and what is nearly full; exit code 1 if anything does."""
    from unibpf.cli.session import run

    found = run(_look(host, replicas))
    if found.is_right or not json:
        _show(found, json=json)
    if not found.is_right:
        wrong = [str(step) for step in found.steps if step.do != "keep"]
        wrong += [str(one) for one in found.fills if one.is_alarm]
        hint = "`unibpf bus init --dry-run` shows the plan, `--yes` carries it out; what is full needs a higher limit"
        fail(Exit.REFUSED, "; ".join(wrong), hint, rule="bus-differs", result=found)


@app.command("adopt")
def bus_adopt(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what this host knows, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """After a lost store: write back what this host's files know of its guests, their releases and sequences."""
    from unibpf.cli.session import run
    from unibpf.client import adoption
    from unibpf.client.session import open_bus, state_paths

    kept = adoption.gather(state_paths().guests)

    async def work() -> adoption.Adopted:
        async with open_bus("operator") as bus:
            return await adoption.write_back(bus, kept)

    known = adoption.Adopted(
        guests=list(kept.specs),
        maps=list(kept.maps),
        releases=list(kept.releases),
        sequences=kept.sequences,
        unreadable=kept.unreadable,
    )
    done = known if dry_run else run(work())
    if json:
        emit_json(done)
    else:
        emit_fields({name: _listed(value) for name, value in msgspec.to_builtins(done).items()})


def _listed(value: list[str] | dict[str, int]) -> str:
    rows = value if isinstance(value, list) else [f"{name}={number}" for name, number in value.items()]
    return " ".join(rows) or "-"


def _hosts(named: list[str] | None) -> tuple[str, ...]:
    from unibpf.host.settings import host_name

    return tuple(named or [host_name(os.environ)])


async def _look(host: list[str] | None, replicas: int | None) -> "Look":
    from unibpf.bus.stores import setup
    from unibpf.client.session import open_bus

    async with open_bus("operator") as bus:
        return await setup.look(bus.jetstream, hosts=_hosts(host), replicas=replicas)


def _show(found: "Look", *, json: bool) -> None:
    if json:
        emit_json(found)
        return
    fills = {one.stream: f"{one.used:.0%}" for one in found.fills}
    rows = [(step.do, step.kind, step.name, fills.get(step.name, "-"), "; ".join(step.why)) for step in found.steps]
    emit_table(("step", "what", "name", "full", "why"), rows)
