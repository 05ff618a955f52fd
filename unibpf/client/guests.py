"""Guests: asking for one or for its end, what became of it, and what it says of itself."""

import asyncio
import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus, Entry
from unibpf.bus.kv import readable
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED, MAPS
from unibpf.client.guest_maps import desired_maps
from unibpf.messages.desired_maps import DesiredMaps
from unibpf.messages.guests import GuestObserved, GuestSpec, Nic, spec_digest
from unibpf.messages.status import GuestQuery, GuestStatus

KNOWN_TRIES: Final = 10
KNOWN_PAUSE_SECONDS: Final = 0.1
FINAL_STATES = frozenset({"running", "degraded", "failed", "stopped"})


class GuestFileError(ValueError):
    """The guest file cannot be used; the message names the file and the field."""


def read_guest_file(path: Path, *, name: str | None = None, machine: str | None = None) -> GuestSpec:
    """A GuestSpec from TOML; `graph` names a file beside it, `maps` are as in guest_maps.py. `name`, `machine` override it."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text())
        graph = table.get("graph")
        if isinstance(graph, str):
            table["graph"] = (path.parent / graph).read_text()
        overrides = {"guest": name, "machine": machine}
        table.update({key: value for key, value in overrides.items() if value is not None})
    except (OSError, UnicodeDecodeError) as error:
        raise GuestFileError(f"`{path}` or its graph cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise GuestFileError(f"`{path}`: {error}") from error
    maps, map_faults = desired_maps(table.pop("maps", {}))
    if faults := [*_field_faults(table), *map_faults]:
        raise GuestFileError("; ".join(f"`{path}`: {fault}" for fault in faults))
    return msgspec.structs.replace(msgspec.convert(table, type=GuestSpec), maps=maps)


def _field_faults(table: dict[str, Any]) -> list[str]:
    """Every field that is unknown, missing or of the wrong form: one look is to show all."""
    rows = table.get("nics")
    faults = [*_unknown("", table, GuestSpec), *_misshapen(table)]
    for row in rows if isinstance(rows, list) else ():
        faults += _unknown("nics.", row, Nic)
    return faults


def _misshapen(table: dict[str, Any]) -> Iterator[str]:
    for field in msgspec.structs.fields(GuestSpec):
        name = field.encode_name
        if name not in table:
            if field.required:
                yield f"Object missing required field `{name}`"
            continue
        try:
            msgspec.convert({name: table[name]}, type=dict[str, field.type])  # type: ignore[name-defined]
        except msgspec.ValidationError as error:
            yield str(error).replace("$[...]", f"$.{name}")


def _unknown(where: str, table: Any, kind: type[msgspec.Struct]) -> Iterator[str]:
    """A field that nobody reads is a typo: what it was meant to ask for would silently not be there."""
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in table if isinstance(table, dict) else ():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"expected one of {', '.join(sorted(known))}"
            yield f"there is no field `{where}{name}`; {hint}"


async def apply(bus: Bus, spec: GuestSpec, *, wait: bool, timeout: float) -> GuestObserved | None:  # noqa: ASYNC109
    """Ask for a guest; with `wait` the observation that ends the change, TimeoutError when none comes in time."""
    before = await _entry(bus, spec.guest)
    with tracing.span(f"apply guest {spec.guest}", attributes={"unibpf.guest": spec.guest}):
        await bus.publish(subjects.guest_apply(spec.guest), spec)
    if not wait:
        return None
    async with asyncio.timeout(timeout):
        while True:
            now = await _entry(bus, spec.guest)
            if now is not None and _is_answer(spec_digest(spec), before, now) and await _has_maps(bus, spec, now):
                return now.decode(GuestObserved)
            await asyncio.sleep(0.02)


def _is_answer(spec: str, before: Entry | None, now: Entry) -> bool:
    """Whether this observation is about the specification that was asked for, and final.

    A failure seen before it was asked for is about the last time.
    """
    seen = now.decode(GuestObserved)
    earlier = before.decode(GuestObserved) if before is not None else None
    if seen.refused is not None and seen.refused.spec == spec:
        return earlier is None or earlier.refused != seen.refused
    if seen.spec != spec or seen.state not in FINAL_STATES or seen.refused is not None:
        return False  # a refusal of another specification is over once the deployer has seen this one
    return seen.is_live or before is None or now.revision > before.revision


async def _has_maps(bus: Bus, spec: GuestSpec, now: Entry) -> bool:
    """Whether the observation is about the map entries that were asked for, too; a guest that does not run has none."""
    seen = now.decode(GuestObserved)
    if not spec.maps or not seen.is_live or seen.refused is not None:
        return True
    entry = await (await bus.kv(MAPS)).get(spec.guest)
    if entry is None or entry.decode(DesiredMaps).file != spec.maps or seen.maps is None:
        return False
    could_not = bool(seen.maps.problems) and seen.maps.revision == 0  # nobody was there to ask
    return seen.maps.revision >= entry.revision or could_not


async def _entry(bus: Bus, guest: str) -> Entry | None:
    return await (await bus.kv(GUESTS_OBSERVED)).get(guest)


async def delete(bus: Bus, guest: str, *, wait: bool, timeout: float) -> bool:  # noqa: ASYNC109
    """Ask for a guest's end, with `wait` until it is gone; False, and nothing asked, where there is no such guest."""
    if not await _is_known(bus, guest):
        return False
    await bus.publish(subjects.guest_delete(guest), b"")
    if not wait:
        return True
    async with asyncio.timeout(timeout):
        while True:
            now = await observed(bus, guest)
            if now is None or now.state == "stopped":
                return True
            await asyncio.sleep(0.05)


async def _is_known(bus: Bus, guest: str) -> bool:
    """Whether somebody asked for it or it was seen; one that was asked for a moment ago may be on its way still."""
    for _ in range(KNOWN_TRIES):
        if await (await bus.kv(GUESTS)).get(guest) is not None:
            return True
        seen = await _entry(bus, guest)
        if seen is not None and not _has_ended(seen):
            return True
        await asyncio.sleep(KNOWN_PAUSE_SECONDS)
    return False


def _has_ended(seen: Entry) -> bool:
    try:
        return seen.decode(GuestObserved).state == "stopped"
    except msgspec.MsgspecError:
        return False  # a newer version may have written it: it may be ended all the same


def unknown(guest: str) -> tuple[str, str]:
    """What is wrong, and what to do, where nobody knows a guest."""
    return f"no guest `{guest}` is known", "`unibpf guest list` shows them"


async def observed(bus: Bus, guest: str) -> GuestObserved | None:
    """What a deployer last saw of a guest."""
    entry = await _entry(bus, guest)
    return entry.decode(GuestObserved) if entry else None


async def desired(bus: Bus, guest: str) -> GuestSpec | None:
    """What was asked for."""
    entry = await (await bus.kv(GUESTS)).get(guest)
    return entry.decode(GuestSpec) if entry else None


async def all_observed(bus: Bus) -> list[GuestObserved]:
    """What the deployers last saw, of every guest."""
    return readable(await (await bus.kv(GUESTS_OBSERVED)).entries(), GuestObserved)


async def status(bus: Bus, observed: GuestObserved) -> GuestStatus:
    """Ask the reconfigurer of the guest's host for the guest's own, authenticated status."""
    return await bus.request(subjects.guest_status(observed.host), GuestQuery(guest=observed.guest), GuestStatus)
