"""The adapter of the reconfigurer: releases in, element events out; guests that come up are brought up to date.

Redelivery is harmless (updater.py), so a release is acknowledged only when every target has its event. No decision is made
here but who is asked: plan.py names the targets, the guest judges the release.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from services.reconfigurer import inspection, map_changes, plan
from services.reconfigurer.errors import GuestRefused, GuestUnknown, GuestUnreachable, ReconfigurerError
from services.reconfigurer.plan import Target
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.settings import Settings
from services.reconfigurer.updater import Package, Updater, failure
from unibpf import subjects
from unibpf.bus import Bus, BusError, Received, Retry, ServiceError
from unibpf.bus.topology import GUESTS_OBSERVED, RELEASES, reconfigurer
from unibpf.messages import (
    ElementEvent,
    GuestObserved,
    GuestQuery,
    GuestStatus,
    MapChange,
    MapChanged,
    MapDump,
    MapQuery,
    RollbackQuery,
    Signed,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_SECONDS: Final = 30.0


class Reconfigurer:
    """One host's reconfigurer on one bus."""

    def __init__(self, *, bus: Bus, settings: Settings, sessions: Sessions) -> None:
        self._bus = bus
        self._settings = settings
        self._sessions = sessions
        self._updater = Updater(sessions=sessions, patience=settings.patience)
        self._compared: set[tuple[str, str]] = set()
        self._last_observed: list[GuestObserved] = []

    async def run(self) -> None:
        """Work until cancelled."""
        host = self._settings.host
        endpoints = {
            subjects.guest_status(host): self.on_status,
            subjects.map_dump(host): self.on_dump,
            subjects.map_change(host): self.on_change,
            subjects.rollback(host): self.on_rollback,
        }
        await self._bus.serve("unibpf-reconfigurer", endpoints, description="running guests of a host")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._bus.consume(reconfigurer(host), self.on_signed), name="signed")
            group.create_task(self._follow_guests(), name="guests")

    async def on_signed(self, message: Received) -> None:
        """`program.signed.<program>`: take the release to every guest of this host that runs it."""
        release = message.decode(Signed)
        targets, package = await self._targets(release)
        if not targets:
            return
        package = package or await self._package(release)
        results = await asyncio.gather(*(self._update(target, package) for target in targets))
        unreached = [target for target, is_reached in zip(targets, results, strict=True) if not is_reached]
        if unreached:
            raise Retry(f"not reached: {', '.join(f'{target.guest}/{target.element}' for target in unreached)}")

    async def on_status(self, message: Received) -> GuestStatus:
        """The guest's status."""
        query = message.decode(GuestQuery)
        return await _answering(inspection.status(self._sessions, query.guest))

    async def on_dump(self, message: Received) -> MapDump:
        """A map's entries."""
        query = message.decode(MapQuery)
        return await _answering(inspection.dump(self._sessions, query))

    async def on_change(self, message: Received) -> MapChanged:
        """Set and delete entries of a map."""
        wanted = message.decode(MapChange)
        started = time.monotonic()
        outcome, detail = "failed", None
        try:
            changed = await _answering(map_changes.change(self._sessions, wanted))
            outcome = "changed" if changed.errno is None else f"stopped by errno {changed.errno}"
            return changed
        except ServiceError as error:
            detail = error.description
            raise
        finally:
            logger.info("map change", extra=_map_line(wanted, started, outcome, detail))

    async def on_rollback(self, message: Received) -> ElementEvent:
        """Back to the previous program; also published."""
        query = message.decode(RollbackQuery)
        event = await _answering(self._updater.roll_back(Target(guest=query.guest, element=query.element)))
        await self._publish(event)
        return event

    async def _targets(self, release: Signed) -> tuple[list[Target], Package | None]:
        """Who gets it; with its bytes, where somebody here ran that program a moment ago: they are fetched meanwhile then.

        A host without such guests reads no bundle: there may be many hosts, and every one hears every release.
        """
        host = self._settings.host
        if not plan.targets(release, self._last_observed, host=host):
            return plan.targets(release, await self._observed(), host=host), None
        observed, package = await asyncio.gather(self._observed(), self._package(release))
        return plan.targets(release, observed, host=host), package

    async def _update(self, target: Target, package: Package) -> bool:
        """Update one element and publish how it went; False: it could not be reached and still should run."""
        started = time.monotonic()
        is_reached = True
        try:
            event = await self._updater.update(target, package, self._publish)
        except (GuestUnreachable, GuestUnknown) as error:
            is_reached = not await self._is_running(target.guest)
            event = failure(target, package.release, error)
        await self._publish(event)
        logger.info("update", extra=_line(event, started))
        return is_reached

    async def _publish(self, event: ElementEvent) -> None:
        await self._bus.publish(subjects.element(event.state, event.guest, event.element), event)

    async def _package(self, release: Signed) -> Package:
        envelope, bundle = await asyncio.gather(
            self._bus.get_object(release.envelope), self._bus.get_object(release.bundle)
        )
        return Package(release=release, envelope=envelope, bundle=bundle)

    async def _observed(self) -> list[GuestObserved]:
        entries = await (await self._bus.kv(GUESTS_OBSERVED)).entries()
        self._last_observed = [entry.decode(GuestObserved) for entry in entries]
        return self._last_observed

    async def _is_running(self, guest: str) -> bool:
        entry = await (await self._bus.kv(GUESTS_OBSERVED)).get(guest)
        return entry is not None and entry.decode(GuestObserved).state == "running"

    async def _follow_guests(self) -> None:
        """A guest that came up may have missed a release between the start of its boot and now; so may all of them.

        Live events can be lost while the bus is away, so all guests are looked at now and then as well.
        """
        running = subjects.guest_state("running", "*")
        async with asyncio.TaskGroup() as group, await self._bus.follow([running]) as follower:
            while True:
                for guest in await self._observed():
                    group.create_task(self._converge(guest))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        while True:
                            group.create_task(self._came_up(await follower.next()))

    async def _came_up(self, message: Received) -> None:
        name = message.tokens[-1]
        entry = await (await self._bus.kv(GUESTS_OBSERVED)).get(name)
        if entry is not None:
            await self._converge(entry.decode(GuestObserved))

    async def _converge(self, guest: GuestObserved) -> None:
        """Once a boot: what the guest refuses then is not offered again, and what was rolled back stays so."""
        boot = (guest.guest, guest.boot_id)
        if guest.state != "running" or guest.host != self._settings.host or boot in self._compared:
            return
        try:
            for target, release in await self._behind(guest):
                await self._update(target, await self._package(release))
            self._compared.add(boot)
        except (BusError, ReconfigurerError) as error:
            logger.warning("guest `%s` could not be compared with the newest releases: %s", guest.guest, error)
        except Exception:
            logger.exception("guest `%s` could not be compared with the newest releases", guest.guest)

    async def _behind(self, guest: GuestObserved) -> list[tuple[Target, Signed]]:
        bucket = await self._bus.kv(RELEASES)
        releases = {}
        for program in set(guest.programs.values()):
            entry = await bucket.get(f"{guest.audience}.{program}")
            if entry is not None:
                releases[program] = entry.decode(Signed)
        found = await inspection.status(self._sessions, guest.guest)
        return plan.behind(releases, found.elements, guest)


async def _answering(work: Awaitable[T]) -> T:
    """The one place where a guest's no becomes an endpoint's error."""
    try:
        return await work
    except GuestUnknown as error:
        raise ServiceError("404", str(error)) from error
    except GuestRefused as error:
        raise ServiceError("409", f"{error.rule}: {error}") from error
    except ReconfigurerError as error:
        raise ServiceError("503", f"{error.rule}: {error}") from error


def _line(event: ElementEvent, started: float) -> dict[str, str | float | int | bool | None]:
    return {
        "guest": event.guest,
        "element": event.element,
        "program": event.program,
        "sequence": event.sequence,
        "digest": event.envelope,
        "outcome": event.state,
        "already": event.already,
        "code": event.rule,
        "detail": event.reason,
        "ms": round((time.monotonic() - started) * 1000, 1),
    }


def _map_line(
    wanted: MapChange, started: float, outcome: str, detail: str | None
) -> dict[str, str | float | int | None]:
    return {
        "guest": wanted.guest,
        "element": wanted.element,
        "map": wanted.map,
        "changes": len(wanted.changes),
        "outcome": outcome,
        "detail": detail,
        "ms": round((time.monotonic() - started) * 1000, 1),
    }
