"""Compares each guest with what it should run: status in, offers and roll-backs out (plan.py decides), map entries put back.

One comparison a guest at a time; a guest that does not answer is asked again by the next round and holds up no other.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.reconfigurer import plan
from services.reconfigurer.errors import GuestUnreachable, ReconfigurerError
from services.reconfigurer.plan import Target
from services.reconfigurer.queries import inspection
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.updater import Package, Publish, Updater
from unibpf.bus import BusError, ObjectCorrupt
from unibpf.host.outcomes import Outcome
from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Signed
from unibpf.messages.status import GuestStatus

logger = logging.getLogger(__name__)

Compared = Callable[
    [str, Mapping[str, Signed]], Awaitable[None]
]  # a guest that answered, and the newest release by element

COMPARISONS: Final = 128  # at a time: guests of which none answers shall not fill the host with waiting exchanges


@dataclass(frozen=True, kw_only=True)
class Releases:
    """The newest for a guest, by element; how one is offered; where its bytes are."""

    newest: Callable[[GuestObserved], Awaitable[dict[str, Signed]]]
    offer: Callable[[Mapping[Target, Signed]], Awaitable[Any]]
    fetch: Callable[[Signed], Awaitable[Package]]


class Comparing:
    """The comparisons of one host."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        updater: Updater,
        releases: Releases,
        publish: Publish,
        compared: Compared,
    ) -> None:
        self._compared = compared
        self._sessions = sessions
        self._updater = updater
        self._releases = releases
        self._publish = publish
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()
        self._room = asyncio.Semaphore(COMPARISONS)

    def start(self, guest: GuestObserved, *, delay: float = 0.0) -> None:
        """Compare the guest in `delay` seconds."""
        task = asyncio.create_task(self._compare(guest, delay), name=f"compare {guest.guest}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all comparisons."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _compare(self, guest: GuestObserved, delay: float) -> None:
        await asyncio.sleep(delay)
        if guest.guest in self._busy:
            return
        self._busy.add(guest.guest)
        try:
            async with self._room:
                await self._once(guest)
        except (BusError, ReconfigurerError) as error:
            logger.warning("guest `%s` could not be compared with the newest releases: %s", guest.guest, error)
        except Exception:
            logger.exception("guest `%s` could not be compared with the newest releases", guest.guest)
        finally:
            self._busy.discard(guest.guest)

    async def _once(self, guest: GuestObserved) -> None:
        file = self._sessions.folder(guest.guest).outcomes
        elements = (await self._status(guest.guest)).elements
        for name, release in plan.left_behind(elements, file.read()).items():
            element = next(one for one in elements if one.name == name)
            target = Target(guest=guest.guest, element=name)
            await self._publish(await self._updater.note_left(target, release, element))
        newest = await self._releases.newest(guest)
        booted = self._sessions.boot(guest.guest).releases
        for name, release in plan.unrecorded(elements, (booted, newest), file.read()).items():
            await self._record(Target(guest=guest.guest, element=name), release)
        await self._releases.offer(plan.behind(newest, elements, guest, file.read()))
        await self._compared(guest.guest, newest)

    async def _record(self, target: Target, release: Signed) -> None:
        """What the guest booted with is good there, and is what it boots with again where a newer one is not."""
        package = None
        try:
            package = await self._releases.fetch(release)
        except ObjectCorrupt as error:
            logger.warning("release %s of `%s` is not believed: %s", release.sequence, release.program, error)
            return
        except BusError as error:  # the bus has its bytes, and will be asked for them
            logger.warning("release %s of `%s` is not on the shelf: %s", release.sequence, release.program, error)
        outcome = Outcome(release=release, state="active", at_us=time.time_ns() // 1000)
        await asyncio.to_thread(self._sessions.folder(target.guest).outcomes.note, target.element, outcome)
        if package is not None:
            await self._updater.keep(target, package)

    async def _status(self, guest: str) -> GuestStatus:
        """Ask, and note for the deployer of this host whether there was an answer."""
        boot_id = self._sessions.boot(guest).boot_id
        file = self._sessions.folder(guest).liveness
        try:
            found = await inspection.status(self._sessions, guest)
        except GuestUnreachable:
            file.note(boot_id, answered=False, now_us=time.time_ns() // 1000)
            raise
        file.note(boot_id, answered=True, now_us=time.time_ns() // 1000)
        return found
