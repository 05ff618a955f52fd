"""The life of a service process: it works until SIGTERM, SIGINT or SIGHUP (a closed terminal), then closes what it opened.

A cancellation can get lost: `asyncio.wait_for` of Python 3.11 (nats-py fetches by it) swallows one that comes together with
its result. A task group cancels its members once, so it would wait for ever. So a service that has not ended a while after
the signal has every task that it made cancelled, again and again until it ends.
"""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Final

from unibpf.host import fence

GRACE_SECONDS: Final = 1.0


async def until_signalled(work: Coroutine[object, object, None], *, grace: float = GRACE_SECONDS) -> None:
    """Run `work`; a signal cancels it, so its `finally` and `async with` blocks close everything. Its errors pass on."""
    fence.hide()
    others = asyncio.all_tasks()
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, signalled.set)
    waiting = asyncio.ensure_future(signalled.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    await asyncio.wait({task}, timeout=grace)
    while not task.done():
        for left in asyncio.all_tasks() - others:
            left.cancel()
        await asyncio.wait({task}, timeout=grace)
    with contextlib.suppress(asyncio.CancelledError):
        task.result()
