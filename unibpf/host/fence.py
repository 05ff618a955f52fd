"""One fence around child processes: limits, a session of their own, and answers that have an end.

    confine(limits)        a forked child limits itself, before it looks at anything
    run(...)               a program to its end; unibpf.host.fenced is for those under asyncio, whose import takes long

Limits only ever go down: a process that is limited more tightly already stays so. On a program that limits itself they are
a second fence, for the case that it forgets to. What else shall hold a child (a filter of system calls, a view of no files)
belongs into `confine`, and into `run` and `fenced.start` before the program begins: whatever reads strangers' bytes is
started by these three.
"""

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
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
    """How a program ended (negative: by that signal), what it answered, and what it said on stderr if that is kept."""

    status: int
    output: bytes
    said: bytes = b""

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


def tighten(pid: int, limits: Limits) -> None:
    """Limit a program that was just started.

    ProcessLookupError: it ended at once, and how says its status. PermissionError: it has made itself unreachable.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        _limit(pid, limits)


# --- programs --------------------------------------------------------------------------------------------------------------


def end_group(group: int) -> None:
    """Kill a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run(command: Sequence[str | Path], limits: Limits, *, environment: Mapping[str, str], folder: Path) -> Ended:
    """Run a program to its end; raises OSError if it cannot start, TimeoutError, AnswerTooLongError."""
    deadline = time.monotonic() + limits.wall_seconds
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    ) as process:
        tighten(process.pid, limits)
        try:
            pipes = [pipe.fileno() for pipe in (process.stdout, process.stderr) if pipe]
            output, said = _collect_all(pipes, deadline, limits.answer_bytes)
            return Ended(status=process.wait(max(0.0, deadline - time.monotonic())), output=output, said=said)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        finally:
            if process.returncode is None:  # not waited for, so the number is still its own
                end_group(process.pid)


def collect(reader: int, deadline: float, most: int) -> bytes:
    """Read a file to its end; raises TimeoutError when the deadline (of time.monotonic) comes first, AnswerTooLongError."""
    return _collect_all([reader], deadline, most)[0]


def _collect_all(readers: Sequence[int], deadline: float, most: int) -> list[bytes]:
    """Read several as they come, because a program waits when the pipe that nobody reads is full; `most` is of each."""
    found = {reader: bytearray() for reader in readers}
    pending = set(readers)
    while pending:
        ready, _, _ = select.select(pending, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no answer in time")
        for reader in ready:
            chunk = os.read(reader, _READ)
            if not chunk:
                pending.remove(reader)
            found[reader] += chunk
            if len(found[reader]) > most:
                raise AnswerTooLongError(f"got more than {most} bytes")
    return [bytes(found[reader]) for reader in readers]
