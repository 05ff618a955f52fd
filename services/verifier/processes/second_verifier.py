"""Asks other verifiers about the same program, each in a limited process of its own; their answers go into the report.

PREVAIL reads the object itself and not the bundle, so the object is written to a folder that only this process knows. What a
verifier of others may take is bounded by second_opinion.LIMITS. One that dies or comes to no end has no opinion;
only one that was asked for and is not installed is Broken.
"""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from services.verifier.errors import Broken
from services.verifier.frontend import frontend
from services.verifier.report import digest
from unibpf.host import fenced
from unibpf.host.fence import AnswerTooLongError, Limits
from unibpf.messages.reports import SecondOpinion, VerdictKind
from unibpf.push import kernel_opinion, second_opinion

_KEPT: Final = 4096
_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to judge: object and bundle, the program in it, and our own verdict to agree with.

    `changed`: the bundle is not what the object alone says, for a loader set something.
    """

    data: bytes
    bundle: bytes
    section: str
    function: str
    verdict: VerdictKind
    changed: bool = False


class Judge(Protocol):
    """Another verifier; `revision` tells those of other opinions apart: the key of what is remembered."""

    @property
    def name(self) -> str:
        """Its name in settings and reports."""
        ...

    @property
    def revision(self) -> str:
        """What it is, to the byte."""
        ...

    async def judge(self, program: Program) -> SecondOpinion:
        """Return its opinion; whatever goes wrong with its process is one that came to no end."""
        ...


def find(name: str) -> Judge:
    """Raises ValueError for a verifier that nobody knows, Broken for one that is not installed."""
    if name not in second_opinion.KNOWN:
        raise ValueError(f"got second verifier `{name}`, expected one of: {', '.join(second_opinion.KNOWN)}")
    if name == second_opinion.KERNEL:
        return KernelVerifier()
    executable = second_opinion.find(name)
    if executable is None:
        what, hint = second_opinion.missing(name)
        raise Broken(f"{what}; {hint}, or unset `UNIBPF_VERIFIER_ALSO`")
    return SecondVerifier(name=name, executable=executable)


@dataclass(frozen=True, kw_only=True)
class SecondVerifier:
    """One other verifier: its name in settings and reports, and its executable."""

    name: str
    executable: Path
    limits: Limits = second_opinion.LIMITS

    @property
    def revision(self) -> str:
        """Another binary has other opinions: the key of what is remembered."""
        return digest(self.executable.read_bytes())

    async def judge(self, program: Program) -> SecondOpinion:
        """Return its opinion. It reads the object: of a program that a loader changed it can have none."""
        if program.changed:
            return second_opinion.none(self.name, second_opinion.WITHOUT_LOADER)
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


@dataclass(frozen=True, kw_only=True)
class KernelVerifier:
    """The Linux kernel of this machine (unibpf/push/kernel_opinion.py). It judges the bundle, with what a loader set."""

    name: str = second_opinion.KERNEL

    @property
    def revision(self) -> str:
        """Another kernel has other opinions."""
        return " ".join(os.uname()[2:4])

    async def judge(self, program: Program) -> SecondOpinion:
        """Ask it, in a process of its own."""
        call = [sys.executable, "-m", "unibpf.push.kernel_opinion", frontend.hook_of(program.section)]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        limits = kernel_opinion.LIMITS
        try:
            done = await fenced.ask_confining(call, program.bundle, limits, environment=environment)
            answer = msgspec.json.decode(done.output, type=kernel_opinion.Answer)
        except TimeoutError:
            return second_opinion.too_slow(self.name, limits)
        except msgspec.MsgspecError:
            return second_opinion.none(self.name, f"the process that asks it ended with {done.status}")
        except (OSError, AnswerTooLongError) as error:
            return second_opinion.none(self.name, str(error))
        return SecondOpinion(
            verifier=self.name,
            accepts=answer.accepts,
            agrees=answer.accepts is not None and answer.accepts == (program.verdict == "safe"),
            said=answer.said,
        )
