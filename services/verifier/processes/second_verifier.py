"""Asks other verifiers about the same program, each in a limited process of its own; their answers go into the report.

They read the object itself and not the bundle, so the object is written to a folder that only this process knows. What a
verifier of others may take is bounded by second_opinion.LIMITS. One that dies or comes to no end has no opinion;
only one that was asked for and is not installed is Broken.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.verifier.errors import Broken
from services.verifier.report import digest
from unibpf.host import fenced
from unibpf.host.fence import Limits
from unibpf.messages.reports import SecondOpinion, VerdictKind
from unibpf.push import second_opinion

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
    limits: Limits = second_opinion.LIMITS

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
                    out, err = await asyncio.gather(
                        fenced.tail(process.stdout, _KEPT), fenced.tail(process.stderr, _KEPT)
                    )
                    status = await process.wait()
            except TimeoutError:
                return second_opinion.too_slow(self.name, self.limits)
            finally:
                await fenced.end(process)
        said = (text.decode(errors="replace") for text in (out, err))
        return second_opinion.of_exit(self.name, program.verdict, status, *said)

    async def _start(self, target: Path, program: Program) -> asyncio.subprocess.Process:
        call = second_opinion.command(self.executable, target, program.section, program.function)
        reach = second_opinion.reach(self.executable, target.parent)
        return await fenced.start(
            call, self.limits, environment=second_opinion.ENVIRONMENT, folder=target.parent, reach=reach
        )
