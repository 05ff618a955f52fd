"""Brings every element of this host's guests to the release that it should run, each guest for itself.

A lane for each guest does its updates one after the other; lanes run beside each other, at most `LANES` at a time. So a guest
that does not answer holds up nobody but itself. Of two releases for one element only the newer one waits: the other is
`superseded` at once. A guest that was not reached stays behind, and the comparisons, which never end, offer the release
again for as long as it is the newest (service.py).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from opentelemetry.context import Context, attach, detach, get_current

from services.reconfigurer.errors import GuestUnknown, GuestUnreachable
from services.reconfigurer.plan import Target
from services.reconfigurer.updater import Package, Updater, failure, superseded
from unibpf.bus import BusError
from unibpf.messages.elements import ElementEvent
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

LANES: Final = 512  # guests that are updated at a time

Publish = Callable[[ElementEvent], Awaitable[None]]
Fetch = Callable[[Signed], Awaitable[Package]]


class _Work:
    """One release for one element; `done` is set when it has its event."""

    def __init__(self, release: Signed) -> None:
        self.release = release
        self.context: Context = get_current()
        self.done = asyncio.Event()


class _Lane:
    """What one guest is to be brought to."""

    def __init__(self) -> None:
        self.waiting: dict[str, _Work] = {}
        self.running: dict[str, _Work] = {}
        self.task: asyncio.Task[None] | None = None
        self.told: dict[str, str] = {}  # element -> envelope whose failure to arrive was reported


class Convergence:
    """The lanes of one host. Must be used from one event loop; `close` ends what is under way."""

    def __init__(
        self,
        *,
        updater: Updater,
        fetch: Fetch,
        publish: Publish,
        on_active: Callable[[Target, Signed], None],
        after_swap: Publish,
    ) -> None:
        self._on_active = on_active
        self._after_swap = after_swap
        self._updater = updater
        self._fetch = fetch
        self._publish = publish
        self._lanes: dict[str, _Lane] = {}
        self._room = asyncio.Semaphore(LANES)

    async def offer(self, releases: Mapping[Target, Signed]) -> list[asyncio.Event]:
        """Put releases into the lanes of their guests; the events are set when each has ended in one way or another."""
        ends = [await self._offer(target, release) for target, release in releases.items()]
        return [end for end in ends if end is not None]

    async def close(self) -> None:
        """End all lanes: what they had not done is found again by the next comparison."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _offer(self, target: Target, release: Signed) -> asyncio.Event | None:
        lane = self._lanes.setdefault(target.guest, _Lane())
        for known in (lane.waiting.get(target.element), lane.running.get(target.element)):
            if known is not None and known.release.envelope == release.envelope:
                return known.done
        waiting = lane.waiting.get(target.element)
        if waiting is not None and waiting.release.sequence > release.sequence:
            await self._publish(superseded(target, release, by=waiting.release))
            return None
        work = lane.waiting[target.element] = _Work(release)
        if waiting is not None:
            await self._publish(superseded(target, waiting.release, by=release))
            waiting.done.set()
        if lane.task is None or lane.task.done():
            lane.task = asyncio.create_task(self._run(target.guest, lane), name=f"lane {target.guest}")
        return work.done

    async def _run(self, guest: str, lane: _Lane) -> None:
        while lane.waiting:
            element = next(iter(lane.waiting))
            work = lane.running[element] = lane.waiting.pop(element)
            token = attach(work.context)
            try:
                async with self._room:
                    await self._update(Target(guest=guest, element=element), work.release, lane)
            except Exception:
                logger.exception("update of `%s/%s` failed", guest, element)
            finally:
                detach(token)
                del lane.running[element]
                work.done.set()

    async def _update(self, target: Target, release: Signed, lane: _Lane) -> None:
        """One update and its event. That a guest was not reached is told once a release, however often it is tried."""
        started = time.monotonic()
        try:
            package = await self._fetch(release)
            event = await self._updater.update(
                target, package, self._publish, is_wanted=lambda: target.element not in lane.waiting
            )
            lane.told.pop(target.element, None)
        except BusError as error:
            logger.warning("release %s of `%s` can't be read: %s", release.sequence, release.program, error)
            return
        except (GuestUnreachable, GuestUnknown) as error:
            newer = lane.waiting.get(target.element)
            event = superseded(target, release, by=newer.release) if newer else failure(target, release, error)
            if lane.told.get(target.element) == release.envelope:
                return
            lane.told[target.element] = release.envelope
        if event.state == "active":  # who hears of it finds the desired map entries in their places
            await self._after_swap(event)
        await self._publish(event)
        logger.info("update", extra=_line(event, started))
        if event.state == "active":
            await self._updater.keep(target, package)
            self._on_active(target, release)


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
