"""`unibpf up`: run the embedded stack in the foreground."""

import asyncio
import os
import signal

from unibpf.bus import BusError
from unibpf.cli.output import Exit, emit_json, fail, progress
from unibpf.client.session import state_paths
from unibpf.stack.embedded import Stack, StackError


def run_stack(*, json: bool) -> None:
    """Start, say so (with `--json`: one line {"url", "pids"} on stdout once all services answer), wait for a signal, stop."""
    try:
        asyncio.run(_run(json))
    except (StackError, BusError, TimeoutError) as error:
        fail(Exit.UNREACHABLE, str(error) or "the stack did not start in time", f"logs: {state_paths().logs}")


async def _run(json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    stack = Stack(paths=state_paths(), environ=os.environ, progress=progress)
    starting = asyncio.create_task(stack.start())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            progress(f"up  state {state_paths().root}")
            if json:
                emit_json({"url": stack.url, "pids": stack.pids()})
            await stopped
        else:
            starting.cancel()
    finally:
        await stack.stop()
