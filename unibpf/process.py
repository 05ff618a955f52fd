"""The life of a service process: it works until SIGTERM or SIGINT, then closes what it opened."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine


async def until_signalled(work: Coroutine[object, object, None]) -> None:
    """Run `work`; a signal cancels it, so its `finally` and `async with` blocks close everything. Its errors pass on."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
