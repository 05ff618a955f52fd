"""Keeps a set of processes running until told to stop.

A process that ends is started again after a pause that doubles from `FIRST_PAUSE` to `LONGEST_PAUSE` and is forgotten once
the process has lived for `LONGEST_PAUSE`. Processes stop in the reverse of their starting order. Each writes to its own log
file; nothing is read from them. The table of pids is handed to `on_change` whenever it changed. A supervisor that is killed
takes them with it: the kernel sends each a SIGTERM (prctl(2), PR_SET_PDEATHSIG).
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FIRST_PAUSE: Final = 0.2  # seconds
LONGEST_PAUSE: Final = 5.0
STOP_PATIENCE: Final = 5.0
WITH_PARENT: Final = ("setpriv", "--pdeathsig", "TERM", "--")  # of util-linux, so on every Debian


@dataclass(frozen=True, kw_only=True)
class Command:
    """One process: its name, its arguments, what it adds to the environment, and its log file."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass(kw_only=True)
class _Running:
    command: Command
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    task: asyncio.Task[None] | None = field(default=None)


class Supervisor:
    """Starts commands in order and keeps them running; see the module."""

    def __init__(self, on_change: Callable[[dict[str, int]], None]) -> None:
        self._on_change = on_change
        self._running: dict[str, _Running] = {}
        self._stopping = False

    def pids(self) -> dict[str, int]:
        """{name: pid} of what runs now."""
        return {
            name: running.process.pid
            for name, running in self._running.items()
            if running.process is not None and running.process.returncode is None
        }

    async def start(self, command: Command) -> None:
        """Start one command; it is running (not necessarily ready) when this returns."""
        running = _Running(command=command)
        self._running[command.name] = running
        await self._spawn(running)
        running.task = asyncio.create_task(self._keep(running), name=f"keep {command.name}")

    async def restart(self, name: str) -> None:
        """End one of them as `stop` would; it is started again as if it had ended by itself."""
        await _terminate(self._running[name].process)

    async def stop(self) -> None:
        """SIGTERM in reverse order, SIGKILL after `STOP_PATIENCE`."""
        self._stopping = True
        for running in reversed(self._running.values()):
            if running.task is not None:
                running.task.cancel()
            await _terminate(running.process)
        self._on_change({})

    async def _spawn(self, running: _Running) -> None:
        command = running.command
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            running.process = await asyncio.create_subprocess_exec(
                *WITH_PARENT,
                *command.arguments,
                env=dict(command.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C reaches only the supervisor, which stops them in order
            )
        self._on_change(self.pids())

    async def _keep(self, running: _Running) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            if running.process is None:
                return
            started = time.monotonic()
            await running.process.wait()
            if time.monotonic() - started > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self._on_change(self.pids())
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            running.restarts += 1
            await self._spawn(running)


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot (proc(5), stat, field 22); None where there is none, or a zombie.

    Pid and start time name a process; a pid alone is somebody else's one day.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state == "Z" else int(rest[18])


async def _terminate(process: asyncio.subprocess.Process | None) -> None:
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_PATIENCE)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
