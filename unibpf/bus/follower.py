"""Live events as they pass, for those who watch: not durable, nothing is acknowledged."""

import asyncio
import logging
from collections.abc import Sequence

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from unibpf.authority.judge import Judge, NoAuthority
from unibpf.authority.nonces import Nonces
from unibpf.bus.connection.connecting import barrier
from unibpf.bus.received import Received

logger = logging.getLogger(__name__)


class Follower:
    """An endless queue of events. Made by `Bus.follow`; `async with` closes it."""

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge
        self._heard = Nonces()
        self._queue: asyncio.Queue[Received] = asyncio.Queue()
        self._subscriptions: list[Subscription] = []

    @classmethod
    async def start(cls, client: Client, subjects: Sequence[str], judge: Judge | None = None) -> "Follower":
        """Subscribe; whatever is published after this returned will be heard. With a `judge`, what nobody may say is not."""
        follower = cls(judge)
        for subject in subjects:
            follower._subscriptions.append(await client.subscribe(subject, cb=follower._put))
        await barrier(client)
        return follower

    async def next(self, timeout: float | None = None) -> Received:  # noqa: ASYNC109  the caller's patience, not a scope
        """The next event; TimeoutError after `timeout` seconds."""
        return await asyncio.wait_for(self._queue.get(), timeout)

    async def close(self) -> None:
        """Stop hearing."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        self._subscriptions.clear()

    async def __aenter__(self) -> "Follower":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _put(self, message: Msg) -> None:
        received = Received.live(message)
        try:
            if self._judge is not None:
                received = received.believed(self._judge, "live", self._heard)
        except NoAuthority as error:
            logger.warning("passed over: %s: %s", error.rule, error.reason)
            return
        await self._queue.put(received)
