"""`unibpf rollback`: which release of a program an element runs."""

from typing import Annotated

import typer

from unibpf.cli.options import Json, a_guest, an_element, command_group
from unibpf.cli.output import Exit, emit_json, fail, progress

app = command_group()


def _place(value: str) -> str:
    guest, slash, element = value.partition("/")
    a_guest(guest)
    if slash:
        an_element(element)
    return value


@app.command("rollback")
def rollback(
    place: Annotated[str, typer.Argument(metavar="GUEST[/ELEMENT]", callback=_place, help="Where to go back.")],
    json: Json = False,
) -> None:
    """Go back to the release before, for good: what was left comes back there by a newer push only."""
    from unibpf.cli.session import run
    from unibpf.client import rollbacks
    from unibpf.client.session import open_bus

    guest, _, element = place.partition("/")

    async def work() -> rollbacks.RolledBack:
        async with open_bus() as bus:
            return await rollbacks.roll_back(bus, guest, element or None)

    try:
        found = run(work())
    except rollbacks.RollbackError as error:
        fail(Exit.USAGE, str(error), error.hint, rule="not-found")
    for one in found.elements:
        how = one.problem or f"{'already rolled back' if one.already else 'rolled back'}, runs {one.sequence}"
        progress(f"{guest}/{one.element}  {how}")
    failed = [one for one in found.elements if one.problem is not None]
    if failed and len(failed) == len(found.elements):
        hint = "a guest goes back to what it ran before in this boot; push the older program again instead"
        rule = (failed[0].problem or "").partition(":")[0] or None
        fail(Exit.REFUSED, f"{guest}/{failed[0].element}: {failed[0].problem}", hint, rule=rule, result=found)
    if json:
        emit_json(found)
