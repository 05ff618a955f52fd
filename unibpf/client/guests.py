"""Guests: asking for one or for its end, what became of it, and what it says of itself."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED
from unibpf.messages.guests import GuestObserved, GuestSpec
from unibpf.messages.status import GuestQuery, GuestStatus

FINAL_STATES = frozenset({"running", "failed", "stopped"})


class GuestFileError(ValueError):
    """The guest file cannot be used; the message names the file and the field."""


def read_guest_file(path: Path, *, name: str | None = None, machine: str | None = None) -> GuestSpec:
    """A GuestSpec from TOML; `graph` names a file beside it. `name` and `machine` override the file's."""
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text())
        graph = table.get("graph")
        if isinstance(graph, str):
            table["graph"] = (path.parent / graph).read_text()
        overrides = {"guest": name, "machine": machine}
        table.update({key: value for key, value in overrides.items() if value is not None})
        return msgspec.convert(table, type=GuestSpec)
    except (OSError, UnicodeDecodeError) as error:
        raise GuestFileError(f"`{path}` or its graph cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise GuestFileError(f"`{path}`: {error}") from error


async def apply(bus: Bus, spec: GuestSpec, *, wait: bool, timeout: float) -> GuestObserved | None:  # noqa: ASYNC109
    """Ask for a guest; with `wait` the observation that ends the change, TimeoutError when none comes in time."""
    before = await observed(bus, spec.guest)
    with tracing.span(f"apply guest {spec.guest}", attributes={"unibpf.guest": spec.guest}):
        await bus.publish(subjects.guest_apply(spec.guest), spec)
    if not wait:
        return None
    async with asyncio.timeout(timeout):
        while True:
            now = await observed(bus, spec.guest)
            if now is not None and now.state in FINAL_STATES and _is_answer(before, now):
                return now
            await asyncio.sleep(0.02)


def _is_answer(before: GuestObserved | None, now: GuestObserved) -> bool:
    return before is None or now != before or now.state == "running"


async def delete(bus: Bus, guest: str, *, wait: bool, timeout: float) -> None:  # noqa: ASYNC109
    """Ask for a guest's end; with `wait` return when it is gone."""
    await bus.publish(subjects.guest_delete(guest), b"")
    if not wait:
        return
    async with asyncio.timeout(timeout):
        while True:
            now = await observed(bus, guest)
            if now is None or now.state == "stopped":
                return
            await asyncio.sleep(0.05)


async def observed(bus: Bus, guest: str) -> GuestObserved | None:
    """What a deployer last saw of a guest."""
    entry = await (await bus.kv(GUESTS_OBSERVED)).get(guest)
    return entry.decode(GuestObserved) if entry else None


async def desired(bus: Bus, guest: str) -> GuestSpec | None:
    """What was asked for."""
    entry = await (await bus.kv(GUESTS)).get(guest)
    return entry.decode(GuestSpec) if entry else None


async def all_observed(bus: Bus) -> list[GuestObserved]:
    """What the deployers last saw, of every guest."""
    bucket = await bus.kv(GUESTS_OBSERVED)
    return [entry.decode(GuestObserved) for entry in await bucket.entries()]


async def status(bus: Bus, observed: GuestObserved) -> GuestStatus:
    """Ask the reconfigurer of the guest's host for the guest's own, authenticated status."""
    return await bus.request(subjects.guest_status(observed.host), GuestQuery(guest=observed.guest), GuestStatus)
