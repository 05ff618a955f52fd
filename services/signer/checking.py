"""Runs the checker of certificates, `unibpf-check`, as a limited process: bundle and certificate in, proof or refusal out.

It shares no code with the analyser whose verdict it checks (services/signer/native/README.md). What it does not accept is not
signed: a certificate that proves too little, is none, or takes longer than it may, is the same to the signer.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from services.signer.errors import CheckerError, EvidenceError
from unibpf.formats import cbor
from unibpf.host import fence, fenced

EXECUTABLE: Final = "unibpf-check"
MAX_CERTIFICATE_BYTES: Final = 4 << 20
DEFAULT_BUDGET: Final = 1_000_000  # schemas/boot.cddl
_LIMITS: Final = fence.Limits(
    cpu_seconds=21,
    wall_seconds=43.0,
    memory_bytes=(1024 + 64) << 20,
    answer_bytes=1 << 16,
    file_bytes=16 << 20,
    files=16,
)


class Proof(Struct, frozen=True, kw_only=True):
    """What the certificate proves besides safety: the most instructions of one run, and what a guest takes off a packet's
    budget for it (the work of helpers too); and what that took."""

    instruction_bound: int = 0
    cost_bound: int = 0
    nodes: int = 0
    states: int = 0
    cpu_ms: float = 0.0


class _Answer(Proof, frozen=True, kw_only=True):
    verdict: str
    rule: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Checker:
    """The executable; `budget`: what guests give one packet."""

    executable: Path
    budget: int = DEFAULT_BUDGET

    def is_there(self) -> bool:
        """Whether there is something to run."""
        return os.access(self.executable, os.X_OK)

    def require(self) -> None:
        """Raise CheckerError where there is nothing to run: such a signer could sign nothing."""
        if not self.is_there():
            raise CheckerError(
                f"there is no checker at `{self.executable}`; build it with `make build`, or set `UNIBPF_BIN`"
            )

    async def lacking(self) -> str | None:
        """Why nothing can be checked now, or None."""
        try:
            self.require()
        except CheckerError as error:
            return str(error)
        return None

    async def check(self, bundle: bytes, certificate: bytes) -> Proof:
        """Return the proof; raises EvidenceError where there is none, CheckerError where nothing can be checked."""
        try:
            answer = await fenced.ask([self.executable], cbor.encode([bundle, certificate]), _LIMITS)
        except (TimeoutError, fence.AnswerTooLongError) as error:  # a TimeoutError is an OSError too
            raise EvidenceError("certificate-limits", "the check took longer than it may") from error
        except OSError as error:
            raise CheckerError(f"the checker `{self.executable}` cannot be started: {error.strerror}") from error
        if answer.struck:
            raise EvidenceError("certificate-limits", "the check took more CPU time or memory than it may")
        if answer.status != 0:
            raise EvidenceError("certificate-malformed", f"the checker ended with status {answer.status}")
        proof = _proof(answer.output)
        if proof.cost_bound > self.budget:
            raise EvidenceError(
                "certificate-budget",
                f"a packet may cost {proof.cost_bound} instructions, a guest stops it at {self.budget}",
            )
        return proof


def _proof(output: bytes) -> Proof:
    try:
        found = msgspec.json.decode(output, type=_Answer)
    except msgspec.MsgspecError as error:
        raise EvidenceError("certificate-malformed", f"the checker's answer cannot be read: {error}") from error
    if found.verdict != "accepted":
        raise EvidenceError(found.rule or "certificate-malformed", f"the certificate is refused: {found.message}")
    return Proof(
        instruction_bound=found.instruction_bound,
        cost_bound=found.cost_bound,
        nodes=found.nodes,
        states=found.states,
        cpu_ms=found.cpu_ms,
    )
