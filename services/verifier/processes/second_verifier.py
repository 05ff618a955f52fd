"""Asks other verifiers about the same program, each in a limited process of its own; their answers go into the report.

They read the object itself and not the bundle, so the object is written to a folder that only this process knows. What a
verifier of others may take is bounded by LIMITS. One that dies or comes to no end has no opinion;
only one that was asked for and is not installed is Broken.
"""

import asyncio
import contextlib
import os
import resource
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.verifier.errors import Broken
from services.verifier.processes.sandbox import Limits
from services.verifier.report import digest
from unibpf.messages.reports import SecondOpinion, VerdictKind
from unibpf.push import second_opinion

# PREVAIL takes seconds and hundreds of MiB for what the own analyser does in milliseconds.
LIMITS: Final = Limits(cpu_seconds=30, wall_seconds=60.0, memory_bytes=2 << 30)
_MAX_FILE: Final = 1 << 20
_KEPT: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to judge: the object, the program in it, and our own verdict to agree with."""

    data: bytes
    section: str
    function: str
    verdict: VerdictKind


@dataclass(frozen=True, kw_only=True)
class SecondVerifier:
    """One other verifier: its name in settings and reports, and its executable."""

    name: str
    executable: Path
    limits: Limits = LIMITS

    @classmethod
    def find(cls, name: str) -> "SecondVerifier":
        """Raises ValueError for a verifier that nobody knows, Broken for one that is not installed."""
        if name not in second_opinion.KNOWN:
            raise ValueError(f"got second verifier `{name}`, expected one of: {', '.join(second_opinion.KNOWN)}")
        executable = second_opinion.find(name)
        if executable is None:
            what, hint = second_opinion.missing(name)
            raise Broken(f"{what}; {hint}, or unset `UNIBPF_VERIFIER_ALSO`")
        return cls(name=name, executable=executable)

    @property
    def revision(self) -> str:
        """Another binary has other opinions: the key of what is remembered."""
        return digest(self.executable.read_bytes())

    async def judge(self, program: Program) -> SecondOpinion:
        """Return its opinion; whatever goes wrong with its process is one that came to no end."""
        with tempfile.TemporaryDirectory(prefix="unibpf-") as folder:
            target = Path(folder) / "program.o"
            target.write_bytes(program.data)
            try:
                process = await self._start(target, program)
            except OSError as error:
                return second_opinion.none(self.name, str(error.strerror))
            try:
                async with asyncio.timeout(self.limits.wall_seconds):
                    out, err = await asyncio.gather(_read(process.stdout), _read(process.stderr))
                    status = await process.wait()
            except TimeoutError:
                return second_opinion.none(self.name, f"no answer within {self.limits.wall_seconds:g} s")
            finally:
                await _end(process)
        return second_opinion.of_exit(self.name, program.verdict, status, out, err)

    async def _start(self, target: Path, program: Program) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *second_opinion.command(self.executable, target, program.section, program.function),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=target.parent,
            env={"PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
        self._limit(process.pid)
        return process

    def _limit(self, pid: int) -> None:
        bounds = {
            resource.RLIMIT_CPU: self.limits.cpu_seconds,
            resource.RLIMIT_AS: self.limits.memory_bytes,
            resource.RLIMIT_FSIZE: _MAX_FILE,
            resource.RLIMIT_CORE: 0,
        }
        # ProcessLookupError: it ended at once, its status will say how. PermissionError: it is limited more tightly already.
        for what, bound in bounds.items():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, what, (bound, bound))


async def _read(stream: asyncio.StreamReader | None) -> str:
    """Read to the end; of what is too much only the end is kept, where a verifier says what it thinks."""
    if stream is None:
        raise AssertionError("it is started with pipes")
    text = bytearray()
    while chunk := await stream.read(1 << 16):
        text += chunk
        del text[:-_KEPT]
    return text.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left, with all that it started, and read what is left in the pipes: `wait` needs their end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
