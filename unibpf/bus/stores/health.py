"""What a service needs of the server, as checks of its readiness (unibpf/host/readiness.py); and who tells the change."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from unibpf import subjects
from unibpf.bus import topology
from unibpf.bus.client import Bus
from unibpf.bus.errors import BusError
from unibpf.bus.stores import setup
from unibpf.host.readiness import Outlook
from unibpf.messages.operations import Readiness

LOOK_SECONDS: Final = 2.0
_AWAY: Final = (NatsError, BusError, OSError, NoRespondersError, ServiceUnavailableError)


class Stores:
    """Streams, buckets and stores, and one consumer with its backlog; `alarms`: this service tells what is nearly full."""

    def __init__(self, bus: Bus, consumer: str, *, alarms: bool = False) -> None:
        self._bus = bus
        self._row = topology.consumer(consumer)
        self._alarms = alarms
        self.outlook: Outlook | None = None
        self.more_alarms: Callable[[], str | None] = lambda: None

    async def check(self) -> str | None:
        """What is missing there."""
        try:
            found = await setup.condition(self._bus.jetstream)
            info = await setup.consumer(self._bus.jetstream, self._row)
        except NotFoundError:
            info = None
        except _AWAY as error:
            return f"the server's JetStream does not answer: {error or type(error).__name__}"
        except APIError as error:
            return f"the server's JetStream refuses: {error.description}"
        self._note(found, info)
        missing = [f"stream {name}" for name in found.missing] + ([] if info else [f"consumer {self._row.name}"])
        return f"{', '.join(missing)} missing on the server; run `unibpf bus init`" if missing else None

    def _note(self, found: setup.Condition, info: dict[str, Any] | None) -> None:
        if self.outlook is None:
            return
        self.outlook.waiting = None if info is None else int(info["num_pending"]) + int(info["num_ack_pending"])
        if self._alarms:
            other = self.more_alarms()
            full = [f"stream {one.stream} is nearly full" for one in found.fills if one.is_alarm]
            self.outlook.alarms = full if other is None else [*full, other]


async def watch(bus: Bus, outlook: Outlook) -> None:
    """Keep `outlook` current and tell its changes as events until cancelled."""

    async def tell(found: Readiness) -> None:
        state = "ready" if found.is_ready else "unready"
        async with asyncio.timeout(LOOK_SECONDS):
            await bus.publish(subjects.service_state(state, bus.identity.name), found)

    await outlook.run(tell, pause=LOOK_SECONDS)


@contextlib.asynccontextmanager
async def watching(bus: Bus, outlook: Outlook) -> AsyncIterator[None]:
    """`watch` beside what is done inside."""
    task = asyncio.create_task(watch(bus, outlook), name="readiness")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
