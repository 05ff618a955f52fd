"""The adapter of the reconfigurer: releases in, element events out; guests are compared with what they should run, always.

Events only make it quicker: what a message, a crash or a cut channel lost is found by the next comparison, so a release is
acknowledged when its targets' lanes have it (convergence.py). No decision is made here but who is asked: plan.py names the
targets, the guest judges the release.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

from services.reconfigurer import plan
from services.reconfigurer.afterwards.going_back import GoingBack, Setbacks
from services.reconfigurer.afterwards.settling import Settling
from services.reconfigurer.comparing import Comparing, Releases
from services.reconfigurer.convergence import Convergence
from services.reconfigurer.errors import GuestRefused, GuestUnknown, ReconfigurerError
from services.reconfigurer.maps import map_changes
from services.reconfigurer.maps.putting_back import PuttingBack
from services.reconfigurer.plan import Target
from services.reconfigurer.queries import handler_calls, inspection
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.settings import Settings
from services.reconfigurer.updater import Package, Updater, of_record
from unibpf import subjects
from unibpf.bus import Bus, BusError, ObjectCorrupt, ObjectMissing, Received, ServiceError, consume
from unibpf.bus.kv import readable
from unibpf.bus.release_keys import newest_release
from unibpf.bus.stores.health import Stores, watch
from unibpf.bus.topology import GUESTS_OBSERVED, RELEASES, reconfigurer
from unibpf.client import genuine
from unibpf.client.current import CurrentReleases
from unibpf.formats.envelope import EnvelopeError
from unibpf.host.outcomes import ANY_ELEMENT, Outcome, fault, release_of, untold
from unibpf.host.readiness import Outlook
from unibpf.messages.desired_maps import MapsPutBack, PutBackQuery
from unibpf.messages.elements import ElementEvent, RollbackQuery
from unibpf.messages.guests import GuestObserved
from unibpf.messages.handlers import HandlerCall, HandlerValue
from unibpf.messages.maps import MapChange, MapChanged, MapDump, MapQuery
from unibpf.messages.programs import Signed
from unibpf.messages.status import GuestQuery, GuestStatus

logger = logging.getLogger(__name__)

T = TypeVar("T")

HAND_OVER_SECONDS: Final = 0.5
ENDS: Final = frozenset({"active", "failed", "rolled_back"})  # of a push on an element
UNTOLD_US: Final = 30_000_000  # longer than anything takes between record and event in a service that lives
SETTLED_SECONDS: Final = (1.0, 3.0)  # a guest is on probation for two seconds


class Reconfigurer:
    """One host's reconfigurer on one bus."""

    def __init__(self, *, bus: Bus, settings: Settings, sessions: Sessions) -> None:
        self._bus = bus
        self._settings = settings
        self._sessions = sessions
        self._setbacks = Setbacks(bus)
        self._updater = Updater(
            sessions=sessions,
            patience=settings.patience,
            on_setback=self._setbacks.tell,
            current=CurrentReleases(bus=bus, paths=settings.paths),
        )
        self._going_back = GoingBack(sessions=sessions, updater=self._updater)
        self._packages: dict[str, Package] = {}
        self._putting = PuttingBack(bus=bus, sessions=sessions)
        self._convergence = Convergence(
            updater=self._updater,
            fetch=self._package,
            publish=self._publish,
            on_active=self._look_again,
            after_swap=self._putting.after_swap,
        )
        self._comparing = Comparing(
            sessions=sessions,
            updater=self._updater,
            releases=Releases(newest=self._newest, offer=self._convergence.offer, fetch=self._package),
            publish=self._publish,
            compared=self._compared,
        )
        self._settling = Settling(sessions=sessions, publish=self._publish)
        self._last_observed: list[GuestObserved] = []
        stores = Stores(bus, reconfigurer(settings.host))
        self._outlook = Outlook("unibpf-reconfigurer", host=settings.host, around=[stores.check])
        stores.outlook = self._outlook

    async def run(self) -> None:
        """Work until cancelled."""
        host = self._settings.host
        endpoints = {
            subjects.guest_status(host): self.on_status,
            subjects.map_dump(host): self.on_dump,
            subjects.map_change(host): self.on_change,
            subjects.handler_call(host): self.on_handler,
            subjects.rollback(host): self.on_rollback,
            subjects.put_back(host): self.on_put_back,
        }
        about = self._outlook.now
        await self._bus.serve("unibpf-reconfigurer", endpoints, description="running guests of a host", about=about)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(consume(self._bus, reconfigurer(host), self.on_signed), name="signed")
                group.create_task(self._follow_guests(), name="guests")
                group.create_task(watch(self._bus, self._outlook), name="readiness")
        finally:
            await self.close()

    async def close(self) -> None:
        """End what is under way; it is found again when the next reconfigurer starts."""
        await self._settling.close()
        await self._comparing.close()
        await self._convergence.close()

    async def _compared(self, guest: str, newest: Mapping[str, Signed]) -> None:
        """What else is seen to, each time that a guest answers."""
        await self._tell_untold(guest)
        await self._putting.put_back(guest)
        outcomes = self._sessions.folder(guest).outcomes.read()
        for element, release in newest.items():
            failed = fault(outcomes, element, release)
            if failed is not None:
                await self._setbacks.tell(guest, element, failed)

    def _look_again(self, target: Target, release: Signed) -> None:
        """A program that was just activated may be left by the guest itself: look when its probation is over."""
        self._settling.start(target, release)
        guest = next((one for one in self._last_observed if one.guest == target.guest), None)
        if guest is not None:
            for delay in SETTLED_SECONDS:
                self._comparing.start(guest, delay=delay)

    async def on_signed(self, message: Received) -> None:
        """`program.signed.<program>`: offer the release to every guest of this host that runs it."""
        release = message.decode(Signed)
        targets, package = await self._targets(release)
        if not targets:
            return
        if package is not None:
            self._packages[release.envelope] = package
        ends = await self._convergence.offer(dict.fromkeys(targets, release))
        with contextlib.suppress(TimeoutError):  # so that one trace shows it; the lanes go on by themselves
            async with asyncio.timeout(HAND_OVER_SECONDS):
                await asyncio.gather(*(end.wait() for end in ends))
        self._packages.pop(release.envelope, None)

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

    async def on_handler(self, message: Received) -> HandlerValue:
        """Read a handler of an element, or write to it."""
        wanted = message.decode(HandlerCall)
        value = await _answering(handler_calls.call(self._sessions, wanted))
        if wanted.write:
            line = {"guest": wanted.guest, "element": wanted.element, "handler": wanted.handler}
            logger.info("handler written", extra=line)
        return value

    async def on_rollback(self, message: Received) -> ElementEvent:
        """Back to the previous program; published, unless it took place before."""
        query = message.decode(RollbackQuery)
        event = await _answering(self._going_back.roll_back(Target(guest=query.guest, element=query.element)))
        with contextlib.suppress(BusError):  # the next comparison learns it
            await self._learn_one(query.guest, query.element, event.envelope)
        await self._putting.after_swap(event)
        if not event.already:
            await self._publish(event)
        return event

    async def on_put_back(self, message: Received) -> MapsPutBack:
        """The deployer asks before it calls a guest running."""
        return await _answering(self._putting.put_back(message.decode(PutBackQuery).guest))

    async def _learn_one(self, guest: str, element: str, digest: str) -> None:
        """What a guest went back to is good there: without a record its next boot would have nothing."""
        file = self._sessions.folder(guest).outcomes
        rows = await asyncio.to_thread(lambda: file.read().get(element, []))
        boot = self._sessions.boot(guest)
        if any(one.release.envelope == digest for one in rows):
            return
        try:
            envelope = await self._bus.get_object(digest)
            release = release_of(envelope, digest)
            wanted = (boot.spec.audience, boot.spec.programs.get(element))
            if (release.audience, release.program) != wanted or release.element not in {ANY_ELEMENT, element}:
                logger.warning("what `%s/%s` says to run is not for it: `%s`", guest, element, digest)
                return
            bundle = await self._bus.get_object(release.bundle)
        except (ObjectMissing, ObjectCorrupt, EnvelopeError) as error:
            logger.warning("what `%s/%s` runs is not known on the bus: %s", guest, element, error)
            return
        await asyncio.to_thread(
            file.note, element, Outcome(release=release, state="active", at_us=time.time_ns() // 1000)
        )
        await asyncio.to_thread(file.shelve, release, envelope, bundle)

    async def _targets(self, release: Signed) -> tuple[list[Target], Package | None]:
        """Who gets it; with its bytes, where somebody here ran that program a moment ago: they are fetched meanwhile then.

        A host without such guests reads no bundle: there may be many hosts, and every one hears every release.
        """
        host = self._settings.host
        if not plan.targets(release, self._last_observed, host=host):
            return plan.targets(release, await self._observed(), host=host), None
        observed, package = await asyncio.gather(self._observed(), self._package(release))
        return plan.targets(release, observed, host=host), package

    async def _publish(self, event: ElementEvent) -> None:
        await self._bus.publish(subjects.element(event.state, event.guest, event.element), event)
        if event.state in ENDS:
            file = self._sessions.folder(event.guest).outcomes
            await asyncio.to_thread(file.told, event.element, envelope=event.envelope, push_id=event.push_id)

    async def _tell_untold(self, guest: str) -> None:
        """Ends of pushes that a reconfigurer wrote down and died before it told them."""
        outcomes = self._sessions.folder(guest).outcomes.read()
        for element, one in untold(outcomes, before_us=time.time_ns() // 1000 - UNTOLD_US):
            await self._publish(of_record(Target(guest=guest, element=element), one))

    async def _package(self, release: Signed) -> Package:
        """The release's bytes; those of a release that is being handed over are here already."""
        known = self._packages.get(release.envelope)
        if known is not None:
            return known
        envelope, bundle = await asyncio.gather(
            self._bus.get_object(release.envelope), self._bus.get_object(release.bundle)
        )
        wrong = genuine.difference(release, envelope)
        if wrong is not None:
            raise ObjectCorrupt(f"release `{release.envelope}` is not what it is said to be: {wrong}")
        return Package(release=release, envelope=envelope, bundle=bundle)

    async def _observed(self) -> list[GuestObserved]:
        entries = await (await self._bus.kv(GUESTS_OBSERVED)).entries()
        self._last_observed = readable(entries, GuestObserved)
        return self._last_observed

    async def _follow_guests(self) -> None:
        """Compare all guests now and then, and one that came up at once: it may have missed a release while it booted."""
        live = [subjects.guest_state(state, "*") for state in ("running", "degraded", "unresponsive")]
        async with await self._bus.follow(live) as follower:
            while True:
                try:
                    self._compare_all(await self._observed())
                except BusError as error:
                    logger.warning("the guests can't be compared with the releases: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.look):
                        while True:
                            await self._came_up(await follower.next())

    def _compare_all(self, guests: list[GuestObserved]) -> None:
        """Spread over most of the time until the next round, so that a thousand guests are no burst."""
        ours = [guest for guest in guests if guest.is_live and guest.host == self._settings.host]
        for number, guest in enumerate(ours):
            self._comparing.start(guest, delay=0.5 * self._settings.look * number / len(ours))

    async def _came_up(self, message: Received) -> None:
        try:
            entry = await (await self._bus.kv(GUESTS_OBSERVED)).get(message.tokens[-1])
            observed = readable([entry] if entry is not None else [], GuestObserved)
        except BusError as error:
            logger.warning("a guest that came up can't be compared with the releases: %s", error)
            return
        for guest in observed:
            if guest.is_live and guest.host == self._settings.host:
                self._comparing.start(guest)

    async def _newest(self, guest: GuestObserved) -> dict[str, Signed]:
        """By element: the newest release that applies to it."""
        bucket = await self._bus.kv(RELEASES)
        found = {}
        for element, program in guest.programs.items():
            newest = await newest_release(bucket, guest.audience, program, element)
            if newest is not None:
                found[element] = newest
        return found


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
