"""Runs one piece of work in a forked child with limits on CPU, memory, files and wall time.

The child inherits warm imports, gets no file but its end of a pipe, and ends by `os._exit`: no state survives it, and
whatever it does to itself (recursion, memory, endless loops) ends as a GaveUp in the parent. Fork safety: only processes
with a single thread call `run`.
"""

import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from services.verifier.errors import GaveUp

_READ: Final = 1 << 16
_ANSWER: Final = 0  # the child's file for its answer
_EXIT_MEMORY: Final = 3
_EXIT_CRASH: Final = 4


@dataclass(frozen=True, kw_only=True)
class Limits:
    """CPU and wall time in seconds, memory (address space) in bytes."""

    cpu_seconds: int = 5
    wall_seconds: float = 10.0
    memory_bytes: int = 1 << 30


def run(work: Callable[[], bytes], limits: Limits) -> bytes:
    """Return what `work` returns; raises GaveUp when it did not get that far."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(work, limits, writer)
    os.close(writer)
    try:
        answer = _collect(reader, time.monotonic() + limits.wall_seconds)
        if answer is None:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(reader)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if answer is None:
        raise GaveUp("frontend-time", f"reading the object took longer than {limits.wall_seconds:g} s")
    if status != 0:
        raise _ended(status, limits)
    return answer


def _child(work: Callable[[], bytes], limits: Limits, writer: int) -> NoReturn:
    code = _EXIT_CRASH
    try:
        _confine(limits, writer)
        _write_all(_ANSWER, work())
        code = 0
    except MemoryError:
        code = _EXIT_MEMORY
    finally:
        os._exit(code)


def _confine(limits: Limits, writer: int) -> None:
    """Leave three files (the answer's pipe, nothing, stderr) and no number for a fourth.

    The parent's own pipes must not stay open here: whoever waits for their end would wait for this child. Hard limits only
    ever go down: a parent that is limited itself stays the stricter one.
    """
    os.dup2(writer, _ANSWER)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, grace=1)  # SIGXCPU first, SIGKILL a second later
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, 3)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, value: int, *, grace: int = 0) -> None:
    hard = resource.getrlimit(what)[1]
    bound = value + grace if hard == resource.RLIM_INFINITY else min(value + grace, hard)
    resource.setrlimit(what, (min(value, bound), bound))


def _write_all(writer: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(writer, view) :]


def _collect(reader: int, deadline: float) -> bytes | None:
    """Read to the end of the pipe; None when the deadline comes first."""
    answer = bytearray()
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        chunk = os.read(reader, _READ)
        if not chunk:
            return bytes(answer)
        answer += chunk


def _ended(status: int, limits: Limits) -> GaveUp:
    if status == _EXIT_MEMORY:
        return GaveUp("frontend-memory", f"reading the object took more than {limits.memory_bytes >> 20} MiB")
    if status == -signal.SIGXCPU:
        return GaveUp("frontend-cpu", f"reading the object took more than {limits.cpu_seconds} s of CPU time")
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return GaveUp("frontend-crash", f"the process that reads objects ended with {how}")
