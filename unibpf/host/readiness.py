"""Whether a service can do its work now, since when not, and why: looked at now and then, told when it changes.

A check says what is missing, or None. Its own failure and a long silence are answers too: what cannot be asked cannot be used.
`lacks` are checks of what only this service needs (a token, an executable), and what work waits for (`until_able`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from msgspec.structs import replace

from unibpf import VERSION
from unibpf.messages.operations import Readiness

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 5.0
WAIT_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)

Check = Callable[[], Awaitable[str | None]]
Tell = Callable[[Readiness], Awaitable[object]]


class Outlook:
    """The standing answer to "are you ready?"; `now` never waits. `tell` publishes a change, again until it is taken."""

    def __init__(
        self, service: str, *, host: str = "", lacks: Sequence[Check] = (), around: Sequence[Check] = ()
    ) -> None:
        self._lacks = lacks
        self._around = around
        self._untold = True
        self.waiting: int | None = None
        self.alarms: list[str] = []
        self._now = Readiness(
            service=service, host=host, version=VERSION, is_ready=False, since_us=_micros(), why=["it has just started"]
        )

    def now(self) -> Readiness:
        """As of the last look."""
        return replace(self._now, waiting=self.waiting)

    async def look(self) -> Readiness:
        """Ask everything once."""
        why = await reasons([*self._lacks, *self._around])
        last = self._now
        if (why, self.alarms) != (last.why, last.alarms):
            flips = last.is_ready == bool(why)
            since = _micros() if flips else last.since_us
            self._now = replace(last, is_ready=not why, since_us=since, why=why, alarms=list(self.alarms))
            self._untold = True
            logger.log(logging.WARNING if why else logging.INFO, "readiness", extra={"ready": not why, "why": why})
        return self.now()

    async def run(self, tell: Tell, *, pause: float = LOOK_SECONDS) -> None:
        """Look and tell until cancelled."""
        while True:
            found = await self.look()
            if self._untold:
                try:
                    await tell(found)
                    self._untold = False
                except Exception as error:
                    logger.warning("a change of readiness could not be told yet: %s", error)
            await asyncio.sleep(pause)

    async def until_able(self) -> None:
        """Return once nothing of its own is missing: work waits here, at no cost of its deliveries."""
        tries = 0
        while why := await reasons(self._lacks):
            if tries == 0:
                logger.warning("work waits", extra={"why": why})
            await asyncio.sleep(WAIT_SECONDS[min(tries, len(WAIT_SECONDS) - 1)])
            tries += 1


async def reasons(checks: Sequence[Check], *, patience: float = CHECK_SECONDS) -> list[str]:
    """What is missing, in the order of the checks."""
    found = await asyncio.gather(*(_answer(check, patience) for check in checks))
    return [one for one in found if one is not None]


async def _answer(check: Check, patience: float) -> str | None:
    try:
        async with asyncio.timeout(patience):
            return await check()
    except TimeoutError:
        return f"a check had no answer within {patience:g} s"
    except Exception as error:
        return str(error) or type(error).__name__


def _micros() -> int:
    return time.time_ns() // 1000
