"""`unibpf guest apply|check|list|handler|show|console|logs|top|delete`."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import DEFAULT_WAIT, GuestName, Json, Timeout, a_guest, command_group
from unibpf.cli.output import Exit, emit_json, emit_table, fail, progress

app = command_group("Guests: apply, check, list, handler, show, console, logs, top, delete.")
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, max=100_000, help="So many of the newest.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="And those that come, until Ctrl-C.")]


@app.command("apply")
def guest_apply(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A guest file (TOML).")],
    name: Annotated[str | None, typer.Option(callback=a_guest, help="Guest name instead of the file's.")] = None,
    machine: Annotated[str | None, typer.Option(help="microvm, q35 or process.")] = None,
    wait: Annotated[bool, typer.Option(help="Until it runs or failed.")] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
    check: Annotated[bool, typer.Option(help="Look for faults before anything is asked for.")] = True,
) -> None:
    """Ask for a guest; the deployer boots it and keeps it running."""
    import os

    from unibpf.cli.reports.faults import expect_sound
    from unibpf.cli.session import run
    from unibpf.client import guests
    from unibpf.client.guest_check import check_with_bus
    from unibpf.client.session import open_bus
    from unibpf.host.settings import binary_directory
    from unibpf.messages.guests import GuestObserved

    try:
        spec = guests.read_guest_file(file, name=name, machine=machine)
    except guests.GuestFileError as error:
        fail(Exit.USAGE, str(error), f"mend `{file}` and apply it again", rule="guest-file")

    async def work() -> GuestObserved | None:
        async with open_bus() as bus:
            if check:
                expect_sound(file, await check_with_bus(bus, binary_directory(os.environ), spec))
            return await guests.apply(bus, spec, wait=wait, timeout=timeout)

    seen = run(work())
    if seen is not None:
        progress(
            f"{seen.state}  {seen.guest}  {seen.machine}/{seen.accel}  boot {seen.boot_ms} ms  {seen.reason or ''}"
        )
        if seen.refused is not None:
            fail(Exit.REFUSED, seen.refused.reason, "the guest goes on as before", rule=seen.refused.rule, result=seen)
        if seen.state != "running":
            message = f"guest `{seen.guest}` is {seen.state}: {seen.reason or 'no reason was given'}"
            fail(Exit.REFUSED, message, f"`unibpf guest show {seen.guest}` says more", rule=seen.state, result=seen)
    if json:
        emit_json(seen)


@app.command("check")
def guest_check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A guest file (TOML).")],
    json: Json = False,
) -> None:
    """Say all that is wrong with a guest file and its graph, without a bus."""
    import asyncio
    import os

    from unibpf.cli.reports.faults import expect_sound
    from unibpf.client import guests
    from unibpf.client.guest_check import check_alone
    from unibpf.host.settings import binary_directory

    try:
        spec = guests.read_guest_file(file)
    except guests.GuestFileError as error:
        fail(Exit.USAGE, str(error), f"mend `{file}` and check it again", rule="guest-file")
    found = asyncio.run(check_alone(binary_directory(os.environ), spec))
    expect_sound(file, found)
    if json:
        emit_json(found)
    else:
        progress(f"sound  {spec.guest}  {len(found.elements)} elements, {len(spec.nics)} NICs")


@app.command("list")
def guest_list(json: Json = False) -> None:
    """All guests that a deployer has seen."""
    from unibpf.cli.reports.status import GUEST_HEADINGS, guest_row
    from unibpf.cli.session import run
    from unibpf.client import guests as asking
    from unibpf.client.session import open_bus
    from unibpf.messages.guests import GuestObserved

    async def work() -> list[GuestObserved]:
        async with open_bus() as bus:
            return await asking.all_observed(bus)

    guests = run(work())
    if json:
        emit_json(guests)
        return
    emit_table(GUEST_HEADINGS, [guest_row(one) for one in guests])


@app.command("handler")
def guest_handler(
    guest: GuestName,
    path: Annotated[str, typer.Argument(metavar="ELEMENT.HANDLER", help="A handler of an element of its graph.")],
    value: Annotated[
        str | None, typer.Argument(help="Written to the handler; without it, the handler is read.")
    ] = None,
    json: Json = False,
) -> None:
    """Read a handler of a running guest's element, or write VALUE to it."""
    from unibpf.cli.session import run
    from unibpf.client import handlers
    from unibpf.client.session import open_bus

    async def work() -> str:
        async with open_bus() as bus:
            return await handlers.call(bus, guest, path, value)

    try:
        answer = run(work())
    except handlers.HandlerError as error:
        fail(Exit.USAGE, str(error), error.hint, rule=error.rule)
    if json:
        emit_json({"guest": guest, "handler": path, "value": answer})
    elif value is None:
        print(answer)


@app.command("show")
def guest_show(guest: GuestName, json: Json = False) -> None:
    """One guest: what was asked for, what runs, and what the guest itself says."""
    from unibpf.cli.reports.status import say_guest
    from unibpf.cli.session import run
    from unibpf.client import guests
    from unibpf.client.status import describe_guest

    found = run(describe_guest(guest))
    if found is None:
        fail(Exit.USAGE, *guests.unknown(guest), rule="not-found")
    if json:
        emit_json(found)
    else:
        say_guest(found)


@app.command("console")
def guest_console(guest: GuestName, lines: Lines = 100, follow: Follow = False, json: Json = False) -> None:
    """What a guest of this host wrote on its console."""
    from unibpf.cli import watching

    watching.console(guest, lines=lines, follow=follow, only_programs=False, json=json)


@app.command("logs")
def guest_logs(guest: GuestName, lines: Lines = 100, follow: Follow = False, json: Json = False) -> None:
    """What the programs of a guest of this host print (bpf_printk)."""
    from unibpf.cli import watching

    watching.console(guest, lines=lines, follow=follow, only_programs=True, json=json)


@app.command("top")
def guest_top(
    guest: GuestName,
    interval: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks.")] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="So many times; 0: until Ctrl-C.")] = 0,
    json: Json = False,
) -> None:
    """Packets and drops a second, of each NIC and element."""
    from unibpf.cli import watching

    watching.top(guest, interval=interval, count=count, json=json)


@app.command("delete")
def guest_delete(
    guest: GuestName,
    wait: Annotated[bool, typer.Option(help="Until it is gone.")] = False,
    timeout: Timeout = DEFAULT_WAIT,
    json: Json = False,
) -> None:
    """End a guest; its state is gone."""
    from unibpf.cli.session import run
    from unibpf.client import guests
    from unibpf.client.session import open_bus

    async def work() -> bool:
        async with open_bus() as bus:
            return await guests.delete(bus, guest, wait=wait, timeout=timeout)

    if not run(work()):
        fail(Exit.USAGE, *guests.unknown(guest), rule="not-found")
    if json:
        emit_json({"guest": guest, "deleted": wait})
