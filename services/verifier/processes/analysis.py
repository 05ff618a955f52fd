"""Runs the analyser, `unibpf-analyse`, as a limited process: bundle bytes in, its JSON out.

The analyser limits itself before it reads. The limits set here right after its start are a second fence around that one
and a little wider, for the case that it forgets to. Whatever goes wrong with the process is a GaveUp; only a missing
executable is Broken.
"""

import asyncio
import contextlib
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from services.verifier.errors import Broken, GaveUp
from services.verifier.frontend.frontend import Hook
from unibpf.messages.reports import VerdictKind

EXECUTABLE: Final = "unibpf-analyse"
MAX_OUTPUT: Final = 8 << 20


class AnalyserOptions(Struct, frozen=True, kw_only=True):
    """What changes acceptance; part of the options digest."""

    platform: Literal["guest", "linux-xdp"] = "guest"
    termination: bool = True
    max_seconds: int = 5
    max_mebibytes: int = 1024


class AnalyserStep(Struct, frozen=True, kw_only=True):
    """One instruction of a finding's slice."""

    instruction: int
    text: str
    taken: bool | None = None


class AnalyserFinding(Struct, frozen=True, kw_only=True):
    """One finding in terms of the bundle."""

    rule: str
    message: str
    instruction: int | None = None
    known: list[str] = []
    hint: str | None = None
    slice: list[AnalyserStep] = []


class Invariant(Struct, frozen=True, kw_only=True):
    """What is known before an instruction on every path, `r2 = packet + [14, 54]`; unreached instructions have none."""

    instruction: int
    known: list[str] = []


class Analysis(Struct, frozen=True, kw_only=True):
    """The analyser's answer."""

    verdict: VerdictKind
    findings: list[AnalyserFinding] = []
    stack_bytes: int = 0
    instruction_bound: int | None = None
    loops: list[dict[str, int | None]] = []
    instructions: int = 0
    cpu_ms: float = 0.0
    peak_kib: int = 0
    version: str = ""
    invariants: list[Invariant] = []
    invariants_cut: bool = False
    graph: str = ""


@dataclass(frozen=True, kw_only=True)
class Analyser:
    """The executable with its options; `invariants` and `graph` (as DOT) add to the answer and never change the verdict."""

    executable: Path
    options: AnalyserOptions
    invariants: bool = False
    graph: bool = False

    def require(self) -> None:
        """Raise Broken where there is nothing to run: a service without it would only put every object back."""
        if not os.access(self.executable, os.X_OK):
            raise Broken(
                f"there is no analyser at `{self.executable}`; build it with `make build`, or set `UNIBPF_BIN`"
            )

    async def analyse(self, bundle: bytes, *, hook: Hook = "driver") -> Analysis:
        """Return the analyser's verdict; raises GaveUp or Broken. `hook` is where Linux attaches the program."""
        process = await self._start(hook)
        try:
            async with asyncio.timeout(2 * self.options.max_seconds + 1):
                output = await _exchange(process, bundle)
        except TimeoutError as error:
            raise GaveUp("limits", f"the analysis took longer than {2 * self.options.max_seconds + 1} s") from error
        finally:
            status = await _end(process)
        if not output or status != 0:
            raise self._gave_up(status)
        try:
            return msgspec.json.decode(output, type=Analysis)
        except msgspec.MsgspecError as error:
            raise GaveUp("analyser-crash", f"the analyser's answer cannot be read: {error}") from error

    async def _start(self, hook: Hook) -> asyncio.subprocess.Process:
        options = self.options
        arguments = ["--hook", hook] if options.platform == "linux-xdp" else []
        arguments += ["--platform", options.platform, "--termination", "on" if options.termination else "off"]
        arguments += ["--invariants", "on"] if self.invariants else []
        arguments += ["--cfg", "dot"] if self.graph else []
        try:
            process = await asyncio.create_subprocess_exec(
                self.executable,
                *arguments,
                "--max-seconds",
                str(options.max_seconds),
                "--max-mebibytes",
                str(options.max_mebibytes),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        except OSError as error:
            raise Broken(f"the analyser `{self.executable}` cannot be started: {error.strerror}") from error
        _limit(process.pid, cpu_seconds=options.max_seconds + 4, memory_bytes=(options.max_mebibytes + 64) << 20)
        return process

    def _gave_up(self, status: int) -> GaveUp:
        if status in (-signal.SIGXCPU, -signal.SIGKILL):  # the kernel's answers to the limits set here
            return GaveUp("limits", "the analysis took more CPU time or memory than it may")
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return GaveUp("analyser-crash", f"the analyser ended with {how}")


def _limit(pid: int, *, cpu_seconds: int, memory_bytes: int) -> None:
    limits = {
        resource.RLIMIT_CPU: (cpu_seconds, cpu_seconds + 1),  # SIGXCPU at the first, SIGKILL at the second
        resource.RLIMIT_AS: (memory_bytes, memory_bytes),
        resource.RLIMIT_FSIZE: (16 << 20, 16 << 20),
        resource.RLIMIT_NOFILE: (16, 16),
        resource.RLIMIT_CORE: (0, 0),
    }
    # Only ever tighten. PermissionError: its own hard limit is tighter already. ProcessLookupError: it ended at once, the
    # exchange will say how.
    for what, bounds in limits.items():
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


async def _exchange(process: asyncio.subprocess.Process, bundle: bytes) -> bytes:
    """Write the bundle, read the whole output."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("the analyser is started with pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(bundle)
        await process.stdin.drain()
        process.stdin.close()
    output = bytearray()
    while chunk := await process.stdout.read(1 << 16):
        output += chunk
        if len(output) > MAX_OUTPUT:
            raise GaveUp("analyser-crash", f"the analyser wrote more than {MAX_OUTPUT} bytes")
    await process.wait()  # its own status, not that of `_end`
    return bytes(output)
