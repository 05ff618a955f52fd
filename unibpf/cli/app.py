"""`unibpf`: change the packet-processing code of running guests.

Each command is here with its options, its work is in the module of its name; only `verify`, which starts without typer
(main.py), keeps its options there. Imports are inside the commands, so that each loads what it needs.
"""

import os
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import typer

from unibpf.cli.output import Exit, emit_fields, emit_json, emit_table, fail, progress
from unibpf.messages.base import Kind

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
guest_app = typer.Typer(no_args_is_help=True, help="Guests: apply, list, show, delete.")
map_app = typer.Typer(no_args_is_help=True, help="Maps of running guests: dump, drain, get, set, delete.")
bus_app = typer.Typer(no_args_is_help=True, help="The bus: keys, server configuration, streams and buckets.")
app.add_typer(guest_app, name="guest")
app.add_typer(map_app, name="map")
app.add_typer(bus_app, name="bus")

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait.")]
GuestName = Annotated[str, typer.Argument(metavar="GUEST")]
ElementName = Annotated[str, typer.Argument(metavar="ELEMENT", help="A BPF element of its graph.")]
MapName = Annotated[str, typer.Argument(metavar="MAP")]
EntriesFile = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help="JSON, as `dump` prints it.")
]
Engine = Literal["interpreter", "jit"]
ProgramKind = Annotated[Kind | None, typer.Option(help="What a program of an `xdp` section is (default: filter).")]
Tails = Annotated[
    list[str] | None,
    typer.Option("--tail", metavar="MAP:INDEX=FUNCTION", help="Put it into a program array, as a loader would."),
]
Constants = Annotated[
    list[str] | None,
    typer.Option("--const", metavar="NAME=VALUE", help="Set a global variable, or a part: `cfg.ports[3]=53`."),
]
MaxEntries = Annotated[
    list[str] | None, typer.Option("--max-entries", metavar="MAP=N", help="The size of a map, as a loader would.")
]
InnerMaps = Annotated[
    list[str] | None,
    typer.Option("--inner", metavar="MAP[:INDEX]=MAP", help="What the maps of a map of maps are; one it holds."),
]
DEFAULT_WAIT: Final = 60.0


@app.callback()
def settings(
    state: Annotated[Path | None, typer.Option(help="State directory (default: $UNIBPF_STATE).")] = None,
    url: Annotated[
        str | None, typer.Option(help="NATS servers (default: $UNIBPF_NATS_URL, else the local stack's).")
    ] = None,
) -> None:
    """Change the packet-processing code of running guests."""
    if state is not None:
        os.environ["UNIBPF_STATE"] = str(state.absolute())
    if url is not None:
        os.environ["UNIBPF_NATS_URL"] = url


@app.command()
def up(json: Json = False) -> None:
    """Run the embedded stack until Ctrl-C: NATS server, HSM token, four services, guests under QEMU."""
    from unibpf.cli.up import run_stack

    run_stack(json=json)


@app.command()
def push(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ELF object, or C that clang compiles.")],
    program: Annotated[
        str | None, typer.Option(help="Its name (default: the file's, or program*.c's folder's).")
    ] = None,
    audience: Annotated[str, typer.Option(help="Guest class.")] = "edge",
    element: Annotated[str, typer.Option(help="Only this element.")] = "*",
    section: Annotated[str | None, typer.Option(help="ELF section, when the object holds several programs.")] = None,
    function: Annotated[str | None, typer.Option(help="Function, likewise.")] = None,
    kind: ProgramKind = None,
    tail: Tails = None,
    const: Constants = None,
    max_entries: MaxEntries = None,
    inner: InnerMaps = None,
    identity: Annotated[str, typer.Option(help="Whose key to use.")] = "cli",
    define: Annotated[list[str] | None, typer.Option("-D", help="NAME=VALUE for the C compiler.")] = None,
    wait: Annotated[bool, typer.Option(help="Follow it until the guests run it.")] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
) -> None:
    """Publish a program; the pipeline verifies, signs and swaps it into the running guests."""
    from unibpf.cli.program_file import default_program_name, load_object, parsed_loading
    from unibpf.cli.report import print_report
    from unibpf.cli.session import open_bus, run
    from unibpf.client import push as pushing

    request = pushing.Push(
        program=program or default_program_name(file),
        data=load_object(file, define or []),
        audience=audience,
        element=element,
        section=section,
        function=function,
        kind=kind,
        loading=parsed_loading(tails=tail, constants=const, max_entries=max_entries, inner_maps=inner),
    )

    async def work() -> pushing.Outcome:
        async with open_bus(identity) as bus:
            return await pushing.push_and_wait(bus, request, wait=wait, timeout=timeout)

    outcome = run(work())
    pushing.say(outcome)
    if outcome.report is not None:
        print_report(outcome.report)
    if json:
        emit_json(outcome)
    raise SystemExit(int(outcome.exit_code()))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)
def verify(context: typer.Context) -> None:
    """Verify a program without a bus: 0 safe, 1 unsafe, 2 bad input, 3 unsupported, 4 gave up."""
    from unibpf.cli import verify as verifying

    raise SystemExit(verifying.main(context.args))


@app.command("run")
def run_program(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="An ELF object, or C that clang compiles.")],
    section: Annotated[str | None, typer.Option(help="ELF section, when the object holds several programs.")] = None,
    program: Annotated[str | None, typer.Option("--program", "--function", help="Function, likewise.")] = None,
    kind: ProgramKind = None,
    tail: Tails = None,
    const: Constants = None,
    max_entries: MaxEntries = None,
    inner: InnerMaps = None,
    engine: Annotated[
        Engine, typer.Option(help="The interpreter checks all; jit takes only safe programs.")
    ] = "interpreter",
    packet: Annotated[list[str] | None, typer.Option(help="HEX; may be given again (default: 64 zero bytes).")] = None,
    pcap: Annotated[Path | None, typer.Option(help="A capture whose packets follow.")] = None,
    map_entry: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME:KEY=VALUE", help="An entry of a map at first, as for `map set`."),
    ] = None,
    maps_from: Annotated[Path | None, typer.Option(help="Entries as JSON, as `--maps --json` prints them.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Runs of each packet; the last is shown, ns is the mean.")] = 1,
    maps: Annotated[bool, typer.Option("--maps", help="Also the maps after the last packet.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a packet on stdout.")] = False,
) -> None:
    """Run a program on packets here, with the guest's own engines: no bus, no guest."""
    from unibpf.cli.program_file import parsed_loading
    from unibpf.cli.run import Run, run

    wanted = Run(
        file=file,
        section=section,
        function=program,
        kind=kind,
        loading=parsed_loading(tails=tail, constants=const, max_entries=max_entries, inner_maps=inner),
        engine=engine,
        packets=packet or [],
        capture=pcap,
        map_words=map_entry or [],
        maps_from=maps_from,
        repeat=repeat,
        maps=maps,
        json=json,
    )
    raise SystemExit(run(wanted))


@app.command()
def status(json: Json = False) -> None:
    """What runs: processes, services, guests with their elements."""
    from unibpf.cli.session import run
    from unibpf.cli.status import collect, say

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
    from unibpf.cli.session import open_bus, run
    from unibpf.cli.trace_tree import tree_lines
    from unibpf.client.tracing_store import load_trace
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


@guest_app.command("apply")
def guest_apply(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A guest file (TOML).")],
    name: Annotated[str | None, typer.Option(help="Guest name instead of the file's.")] = None,
    machine: Annotated[str | None, typer.Option(help="microvm, q35 or process.")] = None,
    wait: Annotated[bool, typer.Option(help="Until it runs or failed.")] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
) -> None:
    """Ask for a guest; the deployer boots it and keeps it running."""
    from unibpf.cli.session import open_bus, run
    from unibpf.client import guests
    from unibpf.messages.guests import GuestObserved

    try:
        spec = guests.read_guest_file(file, name=name, machine=machine)
    except guests.GuestFileError as error:
        fail(Exit.USAGE, str(error))

    async def work() -> GuestObserved | None:
        async with open_bus() as bus:
            return await guests.apply(bus, spec, wait=wait, timeout=timeout)

    seen = run(work())
    if json:
        emit_json(seen)
    elif seen is not None:
        progress(
            f"{seen.state}  {seen.guest}  {seen.machine}/{seen.accel}  boot {seen.boot_ms} ms  {seen.reason or ''}"
        )
    raise SystemExit(
        int(Exit.REFUSED if seen is not None and (seen.state != "running" or seen.refused is not None) else Exit.OK)
    )


@guest_app.command("list")
def guest_list(json: Json = False) -> None:
    """All guests that a deployer has seen."""
    from unibpf.cli.session import open_bus, run
    from unibpf.cli.status import GUEST_HEADINGS, guest_row
    from unibpf.client.push import observed_guests
    from unibpf.messages.guests import GuestObserved

    async def work() -> list[GuestObserved]:
        async with open_bus() as bus:
            return await observed_guests(bus)

    guests = run(work())
    if json:
        emit_json(guests)
        return
    emit_table(GUEST_HEADINGS, [guest_row(one) for one in guests])


@guest_app.command("show")
def guest_show(guest: GuestName, json: Json = False) -> None:
    """One guest: what was asked for, what runs, and what the guest itself says."""
    from unibpf.cli.session import run
    from unibpf.cli.status import describe_guest, say_guest

    found = run(describe_guest(guest))
    if found is None:
        fail(Exit.USAGE, f"no guest `{guest}` is known", "`unibpf guest list` shows them")
    if json:
        emit_json(found)
    else:
        say_guest(found)


@guest_app.command("delete")
def guest_delete(
    guest: GuestName,
    wait: Annotated[bool, typer.Option(help="Until it is gone.")] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
) -> None:
    """End a guest; its state is gone."""
    from unibpf.cli.session import open_bus, run
    from unibpf.client import guests

    async def work() -> None:
        async with open_bus() as bus:
            await guests.delete(bus, guest, wait=wait, timeout=timeout)

    run(work())
    if json:
        emit_json({"guest": guest, "deleted": wait})


@map_app.command("dump")
def map_dump(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    nonzero: Annotated[bool, typer.Option("--nonzero", help="Without the values that are all zeroes.")] = False,
    received: Annotated[
        int, typer.Option("--received", min=0, help="Of a ring: the position up to which records may be forgotten.")
    ] = 0,
    json: Json = False,
) -> None:
    """All entries of a map, values by their fields where their layout is known; the records of a ring."""
    from unibpf.cli import map as maps

    found = maps.run_on(guest, element, name, lambda view: view.dump(nonzero=nonzero, received=received))
    maps.print_dump(found, json=json)


@map_app.command("get")
def map_get(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A number, an address, or bytes as `hex:...`.")],
    json: Json = False,
) -> None:
    """The entry of one key."""
    from unibpf.cli import map as maps
    from unibpf.cli.map_words import read_word

    found = maps.run_on(guest, element, name, lambda view: view.get(read_word(key)))
    maps.print_dump(found, json=json)
    raise SystemExit(int(Exit.OK if found.entries else Exit.REFUSED))


@map_app.command("drain")
def map_drain(guest: GuestName, element: ElementName, name: MapName, json: Json = False) -> None:
    """The records of a ring buffer; what was printed is taken out of it."""
    from unibpf.cli import map as maps

    maps.run_on(guest, element, name, lambda view: maps.print_records(view, json=json))


@map_app.command("set", context_settings={"ignore_unknown_options": True})
def map_set(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A number, an address, or bytes as `hex:...`.")
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="The same, or JSON by the value's fields.")
    ] = None,
    file: EntriesFile = None,
    mode: Annotated[
        Literal["any", "create", "replace"], typer.Option(help="Only new entries, or only existing ones.")
    ] = "any",
    json: Json = False,
) -> None:
    """Set entries while packets flow; in a file, a value of null deletes."""
    from unibpf.cli import map as maps

    words = [word for word in (key, value) if word is not None]
    rows = maps.rows_to_set(words, file)
    maps.print_changed(maps.run_on(guest, element, name, lambda view: view.change(rows(), mode)), json=json)


@map_app.command("delete")
def map_delete(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Numbers, addresses, or bytes as `hex:...`.")],
    json: Json = False,
) -> None:
    """Delete entries while packets flow."""
    from unibpf.cli import map as maps
    from unibpf.cli.map_words import read_word

    def rows() -> list[tuple[object, object]]:
        return [(read_word(key), None) for key in keys]

    maps.print_changed(maps.run_on(guest, element, name, lambda view: view.change(rows(), "any")), json=json)


@bus_app.command("keys")
def bus_keys(
    pusher: Annotated[list[str] | None, typer.Option(help="An identity that may push, as a CI job.")] = None,
    export: Annotated[Path | None, typer.Option(help="Also copy each key to DIRECTORY/IDENTITY.")] = None,
    json: Json = False,
) -> None:
    """Make the nkeys of operator, services and pushers in the state directory; what exists is kept."""
    from unibpf.cli import bus
    from unibpf.cli.session import state_paths
    from unibpf.host.identity import IdentityError

    keys = state_paths().keys
    try:
        made = bus.make_keys(keys, pusher or [])
        if export is not None:
            bus.export_keys(keys, export, list(made))
    except (IdentityError, OSError) as error:
        fail(Exit.USAGE, str(error))
    if json:
        emit_json(made)
    else:
        emit_fields(made)


@bus_app.command("config")
def bus_config(
    listen: Annotated[str, typer.Option(help="ADDRESS:PORT for clients.")] = "127.0.0.1:4222",
    store: Annotated[Path, typer.Option(help="Where the server keeps its streams.")] = Path("/var/lib/nats"),
    monitor: Annotated[str | None, typer.Option(help="ADDRESS:PORT for /healthz and the like.")] = None,
    output: Annotated[Path | None, typer.Option(help="Instead of stdout.")] = None,
) -> None:
    """Print the configuration of a nats-server: everybody with a public key here, with his permissions."""
    from unibpf.cli import bus
    from unibpf.cli.session import state_paths
    from unibpf.host.identity import IdentityError

    try:
        made = bus.server_configuration(state_paths().keys, listen=listen, store=store, monitor=monitor)
        if output is not None:
            output.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    except (bus.BusFileError, IdentityError, OSError) as error:
        fail(Exit.USAGE, str(error))
    if output is None:
        emit_json(made)


@bus_app.command("init")
def bus_init(
    replicas: Annotated[int, typer.Option(help="Copies of each stream (3 in a cluster).")] = 1,
    host: Annotated[list[str] | None, typer.Option(help="Hypervisor hosts.")] = None,
    json: Json = False,
) -> None:
    """Create every stream, bucket and consumer, as the operator; running it again changes nothing."""
    from unibpf.bus import topology
    from unibpf.cli.session import open_bus, run
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
