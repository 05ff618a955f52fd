"""What the verifier found in one object."""

import hashlib
from typing import Literal

import msgspec

from unibpf.messages.base import Digest, Kind, Message

VerdictKind = Literal["safe", "unsafe", "unsupported", "gave_up"]


class SliceStep(Message, frozen=True, kw_only=True):
    """One instruction that led to a finding; `taken` says of a branch that guards it whether it is taken on the way there."""

    instruction: int
    text: str
    taken: bool | None = None
    file: str | None = None
    line: int | None = None
    source: str | None = None


class Finding(Message, frozen=True, kw_only=True):
    """One reason why a program was not accepted, as a compiler would print it."""

    rule: str
    message: str
    instruction: int | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    known: list[str] = []
    hint: str | None = None
    slice: list[SliceStep] = []


class SecondOpinion(Message, frozen=True, kw_only=True):
    """What another verifier made of the same object; `accepts` is None when it came to no end. It changes no verdict."""

    verifier: str
    accepts: bool | None
    agrees: bool
    said: str = ""


class Report(Message, frozen=True, kw_only=True):
    """What the verifier found; stored content-addressed as JSON. Only `timing` may differ between two runs.

    `instruction_bound` is the most instructions that one packet can cost, if that is finite. `timing` has milliseconds:
    `frontend_ms`, `analyser_cpu_ms`, `total_ms`; and `peak_mib`, the analyser's memory. `loading` is what the pusher set in
    place of a loader, as options of the command line (`--const=limit=9`, unibpf.push.loading). `certificate` is what proves
    the verdict to the signer's checker (schemas/certificate.cddl).
    """

    verdict: VerdictKind
    program: str
    findings: list[Finding] = []
    kind: Kind | None = None
    bundle: Digest | None = None
    bundle_length: int = 0
    certificate: Digest | None = None
    instructions: int = 0
    stack_bytes: int = 0
    instruction_bound: int | None = None
    loops: list[dict[str, int | None]] = []
    helpers: list[int] = []
    maps: list[str] = []
    verifier: str = "unibpf"
    version: str = ""
    options_digest: str = ""
    timing: dict[str, float] = {}
    also: list[SecondOpinion] = []
    loading: list[str] = []


def verdict_digest(report: Report) -> str:
    """What `Verdict.verdict_digest` and every envelope bind: SHA-256 over the report's JSON, keys sorted, `timing` empty."""
    return hashlib.sha256(
        msgspec.json.encode(msgspec.structs.replace(report, timing={}), order="deterministic")
    ).hexdigest()
