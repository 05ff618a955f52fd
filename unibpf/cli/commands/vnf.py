"""`unibpf vnf list|show|new|fill`."""

from pathlib import Path
from typing import Annotated

import typer

from unibpf.cli.options import Json, command_group
from unibpf.cli.output import Exit, emit_json, emit_table, fail, progress

app = command_group("Network functions: list, show, new, fill.")
Function = Annotated[str, typer.Argument(metavar="FUNCTION", help="A network function, as `vnf list` names it.")]


@app.command("list")
def vnf_list(json: Json = False) -> None:
    """The network functions to start from."""
    from unibpf.vnf import catalogue

    found = catalogue.functions()
    if json:
        emit_json({"functions": found})
    else:
        emit_table(("function", "programs", "about"), [(one.name, ", ".join(one.programs), one.about) for one in found])


@app.command("show")
def vnf_show(function: Function, json: Json = False) -> None:
    """What a function does, its maps, how to configure it while it runs, its limits."""
    import difflib

    from unibpf.vnf import catalogue

    known = {one.name: one for one in catalogue.functions()}
    if function not in known:
        near = difflib.get_close_matches(function, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "`unibpf vnf list` shows what there is"
        fail(Exit.USAGE, f"there is no network function `{function:.64}`", hint, rule="not-found")
    if json:
        emit_json(known[function])
    else:
        print(f"{catalogue.readme(known[function])}\nIts folder: {known[function].folder}")


@app.command("new")
def vnf_new(
    function: Function,
    to: Annotated[Path, typer.Option(file_okay=False, help="Where its folder is made.")] = Path(),
    json: Json = False,
) -> None:
    """Make a function of the same shape, which builds, verifies and passes its test as it is."""
    from unibpf.vnf import scaffold

    try:
        files = scaffold.make(function, to)
    except scaffold.ScaffoldError as error:
        fail(Exit.USAGE, str(error), error.hint, rule="name")
    if json:
        emit_json({"files": [str(path) for path in files]})
    else:
        emit_table(("file",), [(str(path),) for path in files])
        progress(f"try: unibpf verify {files[1]}, pytest {files[-1]}")


@app.command("fill")
def vnf_fill(
    function: Function,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Its settings (TOML).")],
    name: Annotated[str | None, typer.Option("--map", help="Only this map, for `unibpf map set --file`.")] = None,
    json: Json = False,
) -> None:
    """Entries of a function's maps from a settings file, as JSON: for `unibpf run --maps-from`, `unibpf map set --file`."""
    from unibpf.vnf import filling
    from unibpf.vnf.settings import MOST_BYTES, SettingsError

    try:
        with file.open("rb") as source:
            data = source.read(MOST_BYTES + 1)
        found = filling.document(filling.fill(function, data))
    except (SettingsError, OSError) as error:
        fail(Exit.USAGE, f"`{file}`: {error}", f"`unibpf vnf show {function:.64}` says what it takes", rule="settings")
    if not data.strip():
        fail(Exit.USAGE, f"`{file}` is empty", f"`unibpf vnf show {function:.64}` says what it takes", rule="settings")
    if name is not None and name not in found:
        fail(Exit.USAGE, f"no settings are about map `{name:.64}`", f"they fill {', '.join(found)}", rule="not-found")
    emit_json(found if name is None else found[name])
