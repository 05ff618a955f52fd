"""Going back to the release before, on one element or on all of a guest; and what a guest runs beside what is newest.

A roll-back lasts: the guest's host keeps that the release it left was rolled back there (unibpf/host/outcomes.py), so it is
neither offered nor booted there again; a newer release is.
"""

from typing import Final

import msgspec

from unibpf import subjects
from unibpf.bus import Bus, RequestFailed
from unibpf.bus.release_keys import newest_release
from unibpf.bus.topology import RELEASES
from unibpf.client import guests
from unibpf.messages.elements import ElementEvent, RollbackQuery
from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Signed
from unibpf.messages.status import GuestStatus
from unibpf.subjects import EVENTS

PATIENCE: Final = 20.0
ENDS: Final = ("rolled_back", "failed", "superseded")


class RollbackError(Exception):
    """There is nothing that could be rolled back; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Back(msgspec.Struct, kw_only=True):
    """What became of one element; `already`: it had gone back before. `problem` where it did not go back."""

    element: str
    already: bool = False
    program: str | None = None
    sequence: int | None = None
    problem: str | None = None


class RolledBack(msgspec.Struct, kw_only=True):
    """What `rollback --json` prints."""

    guest: str
    elements: list[Back]


class Standing(msgspec.Struct, kw_only=True):
    """What one element runs, the newest release that applies to it, and why the two differ."""

    element: str
    program: str
    running: int | None = None
    newest: int | None = None
    why: str | None = None


async def roll_back(bus: Bus, guest: str, element: str | None) -> RolledBack:
    """Go back on `element`, or on every element that has a program; raises RollbackError where there is none."""
    observed = await guests.observed(bus, guest)
    if observed is None or not observed.is_live:
        raise RollbackError(f"no guest `{guest}` is running", "`unibpf guest list` shows them")
    if element is not None and element not in observed.programs:
        known = ", ".join(f"`{name}`" for name in sorted(observed.programs)) or "none"
        raise RollbackError(f"guest `{guest}` has no element `{element}`", f"elements with programs: {known}")
    wanted = sorted(observed.programs) if element is None else [element]
    return RolledBack(guest=guest, elements=[await _back(bus, observed, name) for name in wanted])


async def _back(bus: Bus, observed: GuestObserved, element: str) -> Back:
    query = RollbackQuery(guest=observed.guest, element=element)
    try:
        event = await bus.request(subjects.rollback(observed.host), query, ElementEvent, timeout=PATIENCE)
    except RequestFailed as error:
        if error.code != "409":
            raise
        return Back(element=element, problem=error.description)
    return Back(element=element, already=event.already, program=event.program, sequence=event.sequence)


async def standings(bus: Bus, observed: GuestObserved, status: GuestStatus | None) -> list[Standing]:
    """One row for each element that is to have a program."""
    elements = {one.name: one for one in status.elements} if status is not None else {}
    rows = []
    for element, program in sorted(observed.programs.items()):
        newest = await newest_release(await bus.kv(RELEASES), observed.audience, program, element)
        found = elements.get(element)
        row = Standing(element=element, program=program, newest=newest.sequence if newest else None)
        row.running = found.sequence if found is not None else None
        if found is not None and newest is not None and found.envelope != newest.envelope:
            row.why = await _why(bus, observed.guest, element, newest)
        rows.append(row)
    return rows


async def _why(bus: Bus, guest: str, element: str, newest: Signed) -> str:
    """What was last told about the newest release there."""
    for state in ENDS:
        message = await bus.last(EVENTS, subjects.element(state, guest, element))
        event = message.decode(ElementEvent) if message is not None else None
        if event is not None and (event.envelope == newest.envelope or event.push_id == newest.push_id):
            return (
                f"{newest.sequence} {state.replace('_', ' ')}: {event.rule or 'asked'}: {event.reason or 'no reason'}"
            )
    return f"{newest.sequence} was not taken there yet"
