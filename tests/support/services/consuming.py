"""Work queues in tests: a worker in the background, and waiting for what it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from unibpf import subjects
from unibpf.bus import (
    Bus,
    Received,
    consume,
)
from unibpf.messages.operations import DeadLetter

PATIENCE = 15.0


@contextlib.asynccontextmanager
async def consuming_uploads(
    bus: Bus, handler: Callable[[Received], Awaitable[None]], *, concurrency: int = 1
) -> AsyncIterator[None]:
    """A verifier that handles uploads while the block runs."""
    task = asyncio.create_task(consume(bus, "verifier", handler, concurrency=concurrency))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Poll until `check()` is true; TimeoutError after PATIENCE seconds."""
    async with asyncio.timeout(PATIENCE):
        while not await check():
            await asyncio.sleep(0.02)


async def dead_letters(bus: Bus) -> list[DeadLetter]:
    """What the verifier's queue gave up."""
    return [m.decode(DeadLetter) async for m in bus.history(subjects.DEAD, subjects.dead_letter("verifier"))]
