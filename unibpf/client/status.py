"""What runs, asked of those who know: processes of this state directory, services on the bus, guests."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterable
from typing import Any

import msgspec

from unibpf.bus import BusError, RequestFailed
from unibpf.bus.stores import setup
from unibpf.bus.stores.setup import Condition
from unibpf.client import guests
from unibpf.client.rollbacks import Standing, standings
from unibpf.client.session import open_bus, state_paths
from unibpf.host.identity import IdentityError
from unibpf.messages.guests import GuestObserved, GuestSpec
from unibpf.messages.operations import Readiness
from unibpf.messages.status import GuestStatus
from unibpf.stack.embedded import read_state
from unibpf.subjects import SERVICES


class Status(msgspec.Struct, kw_only=True):
    """What `status --json` prints. `pids` are those of the embedded stack, empty where none runs on this state directory."""

    state: str
    bus: bool
    url: str | None = None
    problem: str | None = None
    pids: dict[str, int] = {}
    services: dict[str, bool] = {}
    guests: list[GuestObserved] = []
    stores: Condition | None = None
    readiness: list[Readiness] = []
    disk_free_bytes: int | None = None


class GuestDescription(msgspec.Struct, kw_only=True):
    """What `guest show --json` prints; `guest` is the guest's own answer, None when it did not answer.

    `releases` says what each element runs, what is newest, and why they differ.
    """

    desired: GuestSpec | None
    observed: GuestObserved | None
    guest: GuestStatus | None = None
    problem: str | None = None
    releases: list[Standing] = []


async def collect() -> Status:
    """The state of this directory's stack, of the services on the bus, and of all guests."""
    paths = state_paths()
    stack = read_state(paths)
    pids = stack.alive() if stack else {}
    status = Status(state=str(paths.root), bus=False, url=stack.url if stack else None, pids=pids)
    if stack is not None:
        status.disk_free_bytes = shutil.disk_usage(paths.root).free
    try:
        async with open_bus() as bus:
            status.bus = True
            status.stores = await setup.condition(bus.jetstream)
            answers = await asyncio.gather(*(bus.survey(f"unibpf-{name}") for name in SERVICES))
            status.services = {name: bool(found) for name, found in zip(SERVICES, answers, strict=True)}
            status.readiness = [one for found in answers for one in readiness(found)]
            status.guests = await guests.all_observed(bus)
    except (BusError, IdentityError) as error:
        status.problem = str(error)
    return status


def readiness(answers: Iterable[dict[str, Any]]) -> list[Readiness]:
    """Out of the statistics of a service's copies; a copy older than readiness says nothing of it."""
    found = []
    for answer in answers:
        for endpoint in (answer.get("endpoints") or [])[:1]:
            with contextlib.suppress(msgspec.ValidationError):
                found.append(msgspec.convert(endpoint.get("data"), Readiness))
    return found


async def describe_guest(name: str) -> GuestDescription | None:
    """Desired, observed, and the guest's own answer; None for a guest that nobody knows."""
    async with open_bus() as bus:
        desired, observed = await guests.desired(bus, name), await guests.observed(bus, name)
        if desired is None and observed is None:
            return None
        found = GuestDescription(desired=desired, observed=observed)
        if observed is not None and observed.is_live:
            try:
                found.guest = await guests.status(bus, observed)
            except (RequestFailed, BusError) as error:
                found.problem = str(error)
        if observed is not None:
            found.releases = await standings(bus, observed, found.guest)
        return found
