"""Runs an executable of this project on bytes, as a process of its own with limits: question in, answer out.

The executables limit themselves before they read. The limits set here right after the start are a second fence around those and
a little wider, for the case that one forgets to. The child gets no environment and a session of its own, which ends with it.
"""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Limits:
    """CPU and wall time in seconds; address space and answer in bytes."""

    cpu_seconds: int
    wall_seconds: float
    memory_bytes: int
    answer_bytes: int


class TooLong(Exception):  # noqa: N818 - a limit that was reached
    """The answer has more bytes than the limit."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What it wrote, and how it ended: negative is a signal's number."""

    output: bytes
    status: int

    @property
    def struck(self) -> bool:
        """Whether the kernel ended it for a limit set here."""
        return self.status in (-signal.SIGXCPU, -signal.SIGKILL)


async def ask(executable: Path, arguments: Sequence[str], question: bytes, limits: Limits) -> Answer:
    """Return its answer. Raises OSError if it cannot be started, TimeoutError after the wall time, TooLong."""
    process = await asyncio.create_subprocess_exec(
        executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    _limit(process.pid, limits)
    try:
        async with asyncio.timeout(limits.wall_seconds):
            output = await _exchange(process, question, limits.answer_bytes)
    finally:
        status = await _end(process)
    return Answer(output=output, status=status)


def _limit(pid: int, limits: Limits) -> None:
    wanted = {
        resource.RLIMIT_CPU: (
            limits.cpu_seconds,
            limits.cpu_seconds + 1,
        ),  # SIGXCPU at the first, SIGKILL at the second
        resource.RLIMIT_AS: (limits.memory_bytes, limits.memory_bytes),
        resource.RLIMIT_FSIZE: (16 << 20, 16 << 20),
        resource.RLIMIT_NOFILE: (16, 16),
        resource.RLIMIT_CORE: (0, 0),
    }
    # Only ever tighten. PermissionError: its own hard limit is tighter already. ProcessLookupError: it ended at once, the
    # exchange will say how.
    for what, bounds in wanted.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            soft, hard = resource.prlimit(pid, what)
            resource.prlimit(pid, what, (_tighter(bounds[0], soft), _tighter(bounds[1], hard)))


def _tighter(wanted: int, current: int) -> int:
    return wanted if current == resource.RLIM_INFINITY else min(wanted, current)


async def _end(process: asyncio.subprocess.Process) -> int:
    """Kill what is left, with all that it started, and read what is left in the pipe: `wait` needs its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
    return await process.wait()


async def _exchange(process: asyncio.subprocess.Process, question: bytes, most: int) -> bytes:
    """Write the question, read the whole answer."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the process is started with pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(question)
        await process.stdin.drain()
        process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(1 << 16):
        output += chunk
        if len(output) > most:
            raise TooLong(f"the answer has more than {most} bytes")
    await process.wait()  # its own status, not that of `_end`
    return bytes(output)
