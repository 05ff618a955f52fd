"""Runs the analyser, `unibpf-analyse`, as a limited process: bundle bytes in, its JSON out.

Whatever goes wrong with the process is a GaveUp; only a missing executable is Broken.
"""

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from services.verifier.errors import Broken, GaveUp
from services.verifier.frontend.frontend import Hook
from unibpf.host import fence, fenced
from unibpf.messages.reports import VerdictKind

EXECUTABLE: Final = "unibpf-analyse"
MAX_OUTPUT: Final = 8 << 20
DEFAULT_BUDGET: Final = 1_000_000  # schemas/boot.cddl


class AnalyserOptions(Struct, frozen=True, kw_only=True):
    """What changes acceptance; part of the options digest. `budget`: instructions that guests give one packet."""

    platform: Literal["guest", "linux-xdp"] = "guest"
    termination: bool = True
    max_seconds: int = 5
    max_mebibytes: int = 1024
    budget: int = DEFAULT_BUDGET


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
    certificate: str = ""

    def proof(self) -> bytes | None:
        """The certificate's bytes (schemas/certificate.cddl); a program without one is not signed."""
        return base64.b64decode(self.certificate, validate=True) if self.certificate else None


@dataclass(frozen=True, kw_only=True)
class Analyser:
    """The executable with its options; `invariants`, `graph` (as DOT) and `certificate` add to the answer, no more.

    `ahead`, where a service has one, starts the process for the next program before that comes.
    """

    executable: Path
    options: AnalyserOptions
    invariants: bool = False
    graph: bool = False
    certificate: bool = False
    ahead: fenced.Ahead | None = None

    def require(self) -> None:
        """Raise Broken where there is nothing to run: a service without it would only put every object back."""
        if not os.access(self.executable, os.X_OK):
            raise Broken(
                f"there is no analyser at `{self.executable}`; build it with `make build`, or set `UNIBPF_BIN`"
            )

    async def lacking(self) -> str | None:
        """Why nothing can be analysed now, or None."""
        try:
            self.require()
        except Broken as error:
            return str(error)
        return None

    async def analyse(self, bundle: bytes, *, hook: Hook = "driver") -> Analysis:
        """Return the analyser's verdict; raises GaveUp or Broken. `hook` is where Linux attaches the program."""
        options = self.options
        limits = fence.Limits(
            cpu_seconds=options.max_seconds + 4,
            wall_seconds=2 * options.max_seconds + 1,
            memory_bytes=(options.max_mebibytes + 64) << 20,
            answer_bytes=MAX_OUTPUT,
            file_bytes=16 << 20,
            files=16,
        )
        try:
            ask = self.ahead.ask if self.ahead is not None else fenced.ask
            answer = await ask([self.executable, *self._arguments(hook)], bundle, limits)
        except TimeoutError as error:  # which is an OSError too
            raise GaveUp("limits", f"the analysis took longer than {limits.wall_seconds:g} s") from error
        except OSError as error:
            raise Broken(f"the analyser `{self.executable}` cannot be started: {error.strerror}") from error
        except fence.AnswerTooLongError as error:
            raise GaveUp("analyser-crash", f"the analyser wrote more than {MAX_OUTPUT} bytes") from error
        if not answer.output or answer.status != 0:
            raise _gave_up(answer)
        try:
            analysis = msgspec.json.decode(answer.output, type=Analysis)
            analysis.proof()
        except (msgspec.MsgspecError, binascii.Error) as error:
            raise GaveUp("analyser-crash", f"the analyser's answer cannot be read: {error}") from error
        return analysis

    def _arguments(self, hook: Hook) -> list[str]:
        options = self.options
        arguments = ["--hook", hook] if options.platform == "linux-xdp" else []
        arguments += ["--platform", options.platform, "--termination", "on" if options.termination else "off"]
        arguments += ["--budget", str(options.budget)]
        arguments += ["--invariants", "on"] if self.invariants else []
        arguments += ["--cfg", "dot"] if self.graph else []
        arguments += ["--certificate", "on"] if self.certificate else []
        return [*arguments, "--max-seconds", str(options.max_seconds), "--max-mebibytes", str(options.max_mebibytes)]


def _gave_up(answer: fence.Ended) -> GaveUp:
    if answer.struck:
        return GaveUp("limits", "the analysis took more CPU time or memory than it may")
    how = f"signal {-answer.status}" if answer.status < 0 else f"status {answer.status}"
    return GaveUp("analyser-crash", f"the analyser ended with {how}")
