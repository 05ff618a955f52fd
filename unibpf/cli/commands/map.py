"""`unibpf map dump|drain|get|set|delete`."""

from typing import Annotated, Literal

import typer

from unibpf.cli.options import ElementName, EntriesFile, GuestName, Json, MapName, command_group
from unibpf.cli.output import Exit, fail

app = command_group("Maps of running guests: dump, drain, get, set, delete.")


@app.command("dump")
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


@app.command("get")
def map_get(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A number, an address, a prefix, JSON by fields, or `hex:...`.")
    ],
    json: Json = False,
) -> None:
    """The entry of one key."""
    from unibpf.cli import map as maps
    from unibpf.formats.map_words import read_word

    found = maps.run_on(guest, element, name, lambda view: view.get(read_word(key)))
    if not found.entries:
        hint = f"`unibpf map dump {guest} {element} {name}` shows the keys that it holds"
        fail(Exit.REFUSED, f"map `{name}` holds no key `{key}`", hint, rule="no-entry", result=found)
    maps.print_dump(found, json=json)


@app.command("drain")
def map_drain(guest: GuestName, element: ElementName, name: MapName, json: Json = False) -> None:
    """The records of a ring buffer; what was printed is taken out of it."""
    from unibpf.cli import map as maps

    maps.run_on(guest, element, name, lambda view: maps.print_records(view, json=json))


@app.command("set", context_settings={"ignore_unknown_options": True})
def map_set(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A number, an address, a prefix, JSON by fields, or `hex:...`.")
    ] = None,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="The same, or JSON by the value's fields.")
    ] = None,
    file: EntriesFile = None,
    mode: Annotated[
        Literal["any", "create", "replace"], typer.Option(help="Only new entries, or only existing ones.")
    ] = "any",
    keep: Annotated[bool, typer.Option("--keep", help="Put them back after every boot.")] = False,
    json: Json = False,
) -> None:
    """Set entries while packets flow; in a file, a value of null deletes."""
    from unibpf.cli import map as maps

    words = [word for word in (key, value) if word is not None]
    rows = maps.rows_to_set(words, file)
    made = maps.run_on(guest, element, name, lambda view: view.change(rows(), mode, keep=keep))
    maps.print_changed(made, json=json)


@app.command("delete")
def map_delete(
    guest: GuestName,
    element: ElementName,
    name: MapName,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="As for `get`.")],
    keep: Annotated[bool, typer.Option("--keep", help="Do not put them back after a boot any more.")] = False,
    json: Json = False,
) -> None:
    """Delete entries while packets flow."""
    from unibpf.cli import map as maps
    from unibpf.formats.map_words import read_word

    def rows() -> list[tuple[object, object]]:
        return [(read_word(key), None) for key in keys]

    made = maps.run_on(guest, element, name, lambda view: view.change(rows(), "any", keep=keep))
    maps.print_changed(made, json=json)
