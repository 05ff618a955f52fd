"""`unibpf bus keys|config|init`: what an operator of an own server needs."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_fields, emit_json, fail

app = command_group("The bus: keys, server configuration, streams and buckets.")


@app.command("keys")
def bus_keys(
    pusher: Annotated[list[str] | None, typer.Option(help="An identity that may push, as a CI job.")] = None,
    export: Annotated[Path | None, typer.Option(help="Also copy each key to DIRECTORY/IDENTITY.")] = None,
    json: Json = False,
) -> None:
    """Make the nkeys of operator, services and pushers in the state directory; what exists is kept."""
    from unibpf.bus import own_server
    from unibpf.client.session import state_paths
    from unibpf.host.identity import IdentityError

    keys = state_paths().keys
    try:
        made = own_server.make_keys(keys, pusher or [])
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


@app.command("init")
def bus_init(
    replicas: Annotated[int, typer.Option(help="Copies of each stream (3 in a cluster).")] = 1,
    host: Annotated[list[str] | None, typer.Option(help="Hypervisor hosts.")] = None,
    json: Json = False,
) -> None:
    """Create every stream, bucket and consumer, as the operator; running it again changes nothing."""
    from unibpf.bus import topology
    from unibpf.cli.session import run
    from unibpf.client.session import open_bus
    from unibpf.host.settings import host_name

    hosts = tuple(host or [host_name(os.environ)])

    async def work() -> list[str]:
        async with open_bus("operator") as bus:
            return await topology.init(bus.jetstream, hosts=hosts, replicas=replicas)

    done = run(work())
    if json:
        emit_json(done)
    else:
        emit_fields({line.split(" ", 1)[0] + f" {number}": line for number, line in enumerate(done)})
