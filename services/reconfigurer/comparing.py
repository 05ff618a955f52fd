"""Compares each guest with what it should run: status in, offers and roll-backs out (plan.py decides).

One comparison a guest at a time; a guest that does not answer is asked again by the next round and holds up no other.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from services.reconfigurer import inspection, plan
from services.reconfigurer.errors import ReconfigurerError
from services.reconfigurer.plan import Target
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.updater import Publish, Updater
from unibpf.bus import BusError
from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

Newest = Callable[[GuestObserved], Awaitable[dict[str, Signed]]]
Offer = Callable[[Mapping[Target, Signed]], Awaitable[Any]]


class Comparing:
    """The comparisons of one host."""

    def __init__(self, *, sessions: Sessions, updater: Updater, newest: Newest, offer: Offer, publish: Publish) -> None:
        self._sessions = sessions
        self._updater = updater
        self._newest = newest
        self._offer = offer
        self._publish = publish
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[str] = set()

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
            await self._once(guest)
        except (BusError, ReconfigurerError) as error:
            logger.warning("guest `%s` could not be compared with the newest releases: %s", guest.guest, error)
        except Exception:
            logger.exception("guest `%s` could not be compared with the newest releases", guest.guest)
        finally:
            self._busy.discard(guest.guest)

    async def _once(self, guest: GuestObserved) -> None:
        file = self._sessions.folder(guest.guest).outcomes
        elements = (await inspection.status(self._sessions, guest.guest)).elements
        for name, release in plan.left_behind(elements, file.read()).items():
            element = next(one for one in elements if one.name == name)
            target = Target(guest=guest.guest, element=name)
            await self._publish(await self._updater.note_left(target, release, element))
        await self._offer(plan.behind(await self._newest(guest), elements, guest, file.read()))
