"""Programs inside the fence (unibpf.host.fence), under asyncio.

ask(...)               an executable of this project: question in, answer out
Ahead                  the same, with the next process started before its question comes
start(...), end(...)   any program; it ends with all that it started
"""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from unibpf.host import fence
from unibpf.host.fence import AnswerTooLongError, Ended, Limits, Reach

_CHUNK: Final = 1 << 16


async def start(  # noqa: PLR0913 - of a process there is as much to say
    command: Sequence[str | Path],
    limits: Limits,
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    reach: Reach | None = None,
    asks: bool = False,
) -> asyncio.subprocess.Process:
    """Start a program with a pipe for its answer. `asks`: and one for a question; else one for what it says on stderr."""
    return await asyncio.create_subprocess_exec(
        *fence.enclosed(command, limits, reach, folder),
        stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if asks else subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )


async def ask(command: Sequence[str | Path], question: bytes, limits: Limits, *, reach: Reach | None = None) -> Ended:
    """Ask an executable of this project, which gets no environment and, linked statically, needs no file.

    Raises OSError if it cannot be started, TimeoutError (which is an OSError too) after the wall time, AnswerTooLongError.
    """
    return await _answered(await start(command, limits, environment={}, reach=reach, asks=True), question, limits)


class Ahead:
    """Asks as `ask` does; when a question comes, the process for it was started after the one before, inside the fence.

    It waits for one command with one set of limits, the last that was asked for. Whoever makes it calls `close`.
    """

    def __init__(self, *, quiet: float) -> None:
        """`quiet`: seconds after an answer until the next process is started."""
        self._quiet = quiet
        self._waiting: tuple[tuple[object, ...], asyncio.subprocess.Process] | None = None
        self._starting: asyncio.Task[None] | None = None

    async def ask(self, command: Sequence[str | Path], question: bytes, limits: Limits) -> Ended:
        """Raises as `ask`."""
        process = await self._take((tuple(command), limits))
        try:
            process = process or await start(command, limits, environment={}, asks=True)
            return await _answered(process, question, limits)
        finally:
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self._start(command, limits), name="start the next one")

    async def close(self) -> None:
        """End what waits."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._take(())

    async def _take(self, key: tuple[object, ...]) -> asyncio.subprocess.Process | None:
        """None where nothing waits that lives and is right for it."""
        if self._waiting is None:
            return None
        (kept, process), self._waiting = self._waiting, None
        if kept == key and process.returncode is None:
            return process
        await end(process)
        return None

    async def _start(self, command: Sequence[str | Path], limits: Limits) -> None:
        await asyncio.sleep(self._quiet)  # what was answered is worked on meanwhile, and not to be disturbed
        if self._waiting is None:
            with contextlib.suppress(OSError):  # whoever asks next will be told
                self._waiting = (tuple(command), limits), await start(command, limits, environment={}, asks=True)


async def ask_confining(
    command: Sequence[str | Path], question: bytes, limits: Limits, *, environment: Mapping[str, str]
) -> Ended:
    """Ask a program of this project that shuts itself in before it reads (fence.confine); raises as `ask`."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        start_new_session=True,
    )
    return await _answered(process, question, limits)


async def _answered(process: asyncio.subprocess.Process, question: bytes, limits: Limits) -> Ended:
    try:
        async with asyncio.timeout(limits.wall_seconds):
            output = await _exchange(process, limits, question)
            await process.wait()  # its own status, not that of `end`
    finally:
        status = await end(process)
    return Ended(status=status, output=output)


async def _exchange(process: asyncio.subprocess.Process, limits: Limits, question: bytes) -> bytes:
    if process.stdin is None:
        raise AssertionError("it is started with pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(question)
        await process.stdin.drain()
        process.stdin.close()
    found = bytearray()
    async for chunk in _chunks(process.stdout):
        found += chunk
        if len(found) > limits.answer_bytes:
            raise AnswerTooLongError(f"got more than {limits.answer_bytes} bytes")
    return bytes(found)


async def tail(stream: asyncio.StreamReader | None, most: int) -> bytes:
    """Read to the end; of what is too much only the end is kept, where a program says what it thinks."""
    text = bytearray()
    async for chunk in _chunks(stream):
        text += chunk
        del text[:-most]
    return bytes(text)


async def _chunks(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    if stream is None:
        raise AssertionError("it is started with pipes")
    while chunk := await stream.read(_CHUNK):
        yield chunk


async def end(process: asyncio.subprocess.Process) -> int:
    """Kill what is left, with all that it started, and read what is left in the pipes: `wait` needs their end."""
    fence.end_group(process.pid)
    await process.communicate()
    return await process.wait()
