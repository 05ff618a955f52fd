"""One fence around child processes: limits, a session of their own, and answers that have an end.

    confine(limits)        a forked child limits itself, before it looks at anything
    ask(...)               an executable under asyncio: question in, answer out
    start(...), end(...)   any program under asyncio; it ends with all that it started
    run(...)               the same without asyncio, to its end

Limits only ever go down: a process that is limited more tightly already stays so. On a program that limits itself they are
a second fence, for the case that it forgets to. What else shall hold a child (a filter of system calls, a view of no files)
belongs into `confine`, and into `start` and `run` before the program begins: nobody else starts what reads strangers' bytes.
"""

import asyncio
import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_READ: Final = 1 << 16


class AnswerTooLongError(Exception):
    """A child says more than it may: it may have been taken over."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """CPU and wall time in seconds, memory (address space), answer and files in bytes; None is what it has anyway."""

    cpu_seconds: int = 5
    wall_seconds: float = 10.0
    memory_bytes: int | None = 1 << 30
    answer_bytes: int = 64 << 20
    file_bytes: int = 0
    files: int | None = None

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (resource, soft, hard)."""
        yield resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + 1  # SIGXCPU first, SIGKILL a second later
        if self.memory_bytes is not None:
            yield resource.RLIMIT_AS, self.memory_bytes, self.memory_bytes
        yield resource.RLIMIT_FSIZE, self.file_bytes, self.file_bytes
        if self.files is not None:
            yield resource.RLIMIT_NOFILE, self.files, self.files
        yield resource.RLIMIT_CORE, 0, 0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended (negative: by that signal), and what it answered, or of `run`, said on stderr."""

    status: int
    output: bytes

    @property
    def struck(self) -> bool:
        """Whether the kernel ended it for a limit set here."""
        return self.status in {-signal.SIGXCPU, -signal.SIGKILL}


# --- limits ---------------------------------------------------------------------------------------------------------------


def confine(limits: Limits) -> None:
    """Limit this very process, for good."""
    _limit(0, limits)


def _limit(pid: int, limits: Limits) -> None:
    for what, soft, hard in limits.rows():
        current = resource.prlimit(pid, what)
        bound = _tighter(hard, current[1])
        resource.prlimit(pid, what, (min(_tighter(soft, current[0]), bound), bound))


def _tighter(wanted: int, current: int) -> int:
    return wanted if current == resource.RLIM_INFINITY else min(wanted, current)


def _tighten(pid: int, limits: Limits) -> None:
    """ProcessLookupError: it ended at once, and how says its status. PermissionError: it has made itself unreachable."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _limit(pid, limits)


# --- under asyncio --------------------------------------------------------------------------------------------------------


async def start(
    command: Sequence[str | Path],
    limits: Limits,
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    asks: bool = False,
) -> asyncio.subprocess.Process:
    """Start a program with a pipe for its answer. `asks`: and one for a question; else one for what it says on stderr."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE if asks else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if asks else subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )
    _tighten(process.pid, limits)
    return process


async def ask(command: Sequence[str | Path], question: bytes, limits: Limits) -> Ended:
    """Ask an executable of this project, which gets no environment.

    Raises OSError if it cannot be started, TimeoutError (which is an OSError too) after the wall time, AnswerTooLongError.
    """
    process = await start(command, limits, environment={}, asks=True)
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
    while chunk := await stream.read(_READ):
        yield chunk


async def end(process: asyncio.subprocess.Process) -> int:
    """Kill what is left, with all that it started, and read what is left in the pipes: `wait` needs their end."""
    _kill(process.pid)
    await process.communicate()
    return await process.wait()


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


# --- without asyncio ------------------------------------------------------------------------------------------------------


def run(command: Sequence[str | Path], limits: Limits, *, environment: Mapping[str, str], folder: Path) -> Ended:
    """Run a program to its end; raises TimeoutError, or AnswerTooLongError for what it says on stderr."""
    deadline = time.monotonic() + limits.wall_seconds
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    ) as process:
        _tighten(process.pid, limits)
        try:
            output = collect(process.stderr.fileno() if process.stderr else -1, deadline, limits.answer_bytes)
            return Ended(status=process.wait(max(0.0, deadline - time.monotonic())), output=output)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        finally:
            if process.returncode is None:  # not waited for, so the number is still its own
                _kill(process.pid)


def collect(reader: int, deadline: float, most: int) -> bytes:
    """Read a file to its end; raises TimeoutError when the deadline (of time.monotonic) comes first, AnswerTooLongError."""
    found = bytearray()
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no answer in time")
        chunk = os.read(reader, _READ)
        if not chunk:
            return bytes(found)
        found += chunk
        if len(found) > most:
            raise AnswerTooLongError(f"got more than {most} bytes")
