"""A stack as a child of this process, for whoever needs one of its own: the demo and the benchmarks."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

UP_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0


class StackError(Exception):
    """The stack did not come up; its logs say why."""


@asynccontextmanager
async def running_stack() -> AsyncIterator[None]:
    """`unibpf up` with this process's environment; ready when it prints its line of JSON, stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "unibpf.cli", "up", "--json",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if process.stdout is None:
        raise AssertionError("stdout was piped")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), UP_SECONDS)
        if not line:
            raise StackError("the stack did not come up")
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
