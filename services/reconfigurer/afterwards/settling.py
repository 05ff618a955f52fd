"""Tells when a release has stood its probation: the guest still runs it some seconds after the swap (`settled`).

A release that was left meanwhile is told by the comparisons (comparing.py) or by the one that came after it, so there is
nothing to tell here. The word is for those who wait (`unibpf push --settle`); nothing is decided by it.
"""

import asyncio
import contextlib
import logging
from typing import Final

from services.reconfigurer.errors import ReconfigurerError
from services.reconfigurer.plan import Target
from services.reconfigurer.queries import inspection
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.updater import Publish, settled
from unibpf.bus import BusError
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

PROBATION_SECONDS: Final = 3.5  # of the guest: two; and the last comparison of a swap comes after three
MARGIN_SECONDS: Final = 1.5
TRIES: Final = 5
PAUSE_SECONDS: Final = 2.0


class Settling:
    """The releases of one host that are on probation."""

    def __init__(self, *, sessions: Sessions, publish: Publish) -> None:
        self._sessions = sessions
        self._publish = publish
        self._tasks: dict[Target, asyncio.Task[None]] = {}

    def start(self, target: Target, release: Signed) -> None:
        """Look at the end of its probation; a release that was on probation there before is not looked after any more."""
        before = self._tasks.pop(target, None)
        if before is not None:
            before.cancel()
        self._tasks[target] = asyncio.create_task(self._look(target, release), name=f"settle {target.guest}")

    async def close(self) -> None:
        """End it; whoever waits for the word waits in vain."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, target: Target, release: Signed) -> None:
        named = release.probation.time_ms / 1000 if release.probation is not None else 0.0
        await asyncio.sleep(max(PROBATION_SECONDS, named + MARGIN_SECONDS))
        for _ in range(TRIES):
            with contextlib.suppress(ReconfigurerError, BusError):
                if await self._runs(target, release):
                    await self._publish(settled(target, release))
                return
            await asyncio.sleep(PAUSE_SECONDS)
        logger.warning("whether release %s stood its probation on `%s` is not known", release.sequence, target.guest)

    async def _runs(self, target: Target, release: Signed) -> bool:
        elements = (await inspection.status(self._sessions, target.guest)).elements
        return any(one.name == target.element and one.envelope == release.envelope for one in elements)
