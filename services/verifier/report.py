"""Reports: what front end and analyser found, as one document. Pure.

A report is deterministic but for `timing`: its digest without timings (`verdict_digest`, unibpf.messages.reports) is what the
signer binds into the envelope. Findings beyond MAX_FINDINGS are cut, because a report travels through a key-value bucket.
"""

import hashlib
import os.path
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.verifier import hints
from services.verifier.errors import GaveUp
from services.verifier.frontend.debug.lines import SourceLine, locate
from services.verifier.frontend.frontend import Answer, Options, Translation
from services.verifier.processes.analysis import AnalyserFinding, AnalyserOptions, AnalyserStep, Analysis, Invariant
from unibpf import VERSION
from unibpf.messages.reports import Finding, Report, SecondOpinion, SliceStep

VERIFIER: Final = "unibpf"
MAX_FINDINGS: Final = 32
MAX_SUMMARY: Final = 200


class Outcome(Struct, frozen=True, kw_only=True):
    """A report with the bundle that it is about (None when there is none) and whether the input itself was bad.

    `section` and `function` are where the program lies in its object, for whoever shows the same program to another tool.
    """

    report: Report
    bundle: bytes | None = None
    certificate: bytes | None = None
    bad_input: bool = False
    section: str = ""
    function: str = ""
    invariants: list[Invariant] = []
    invariants_cut: bool = False
    graph: str = ""


def digest(data: bytes) -> str:
    """Return SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def options_digest(options: Options, analyser: AnalyserOptions, *, also: Sequence[str] = ()) -> str:
    """Return the digest of everything that was chosen for this verification; `also` are other verifiers that were asked."""
    chosen = {"frontend": options, "analyser": analyser} | ({"also": list(also)} if also else {})
    return digest(msgspec.json.encode(chosen, order="deterministic"))


def encode(report: Report) -> bytes:
    """Return the report's JSON, the same bytes for the same report."""
    return msgspec.json.encode(report, order="deterministic")


def rejected(program: str, answer: Answer, options: str) -> Outcome:
    """Report an object that the front end did not turn into a bundle."""
    if answer.finding is None:
        raise AssertionError("an answer without translation has a finding")
    return Outcome(
        report=Report(
            verdict=answer.verdict,
            program=program,
            findings=[answer.finding],
            verifier=VERIFIER,
            version=VERSION,
            options_digest=options,
        ),
        bad_input=answer.bad_input,
    )


def gave_up(program: str, error: GaveUp, options: str) -> Outcome:
    """Report a limit that was reached before there was an answer."""
    finding = Finding(rule=error.rule, message=str(error), hint="split the program, or raise the verifier's limits")
    return Outcome(
        report=Report(
            verdict="gave_up",
            program=program,
            findings=[finding],
            verifier=VERIFIER,
            version=VERSION,
            options_digest=options,
        )
    )


def analysed(
    translation: Translation, analysis: Analysis, options: str, *, also: Sequence[SecondOpinion] = ()
) -> Outcome:
    """Report what the analyser found, with source lines."""
    certificate = analysis.proof()
    return Outcome(
        report=Report(
            verdict=analysis.verdict,
            program=translation.name,
            findings=_findings(translation, analysis),
            kind=translation.kind,
            bundle=digest(translation.bundle),
            bundle_length=len(translation.bundle),
            certificate=digest(certificate) if certificate is not None else None,
            instructions=translation.instructions,
            stack_bytes=analysis.stack_bytes,
            instruction_bound=analysis.instruction_bound,
            loops=analysis.loops[:MAX_FINDINGS],
            helpers=list(translation.helpers),
            maps=list(translation.maps),
            verifier=VERIFIER,
            version=f"{VERSION}+{analysis.version}" if analysis.version else VERSION,
            options_digest=options,
            also=list(also),
        ),
        bundle=translation.bundle,
        certificate=certificate,
        section=translation.section,
        function=translation.function,
        invariants=analysis.invariants,
        invariants_cut=analysis.invariants_cut,
        graph=analysis.graph,
    )


def under(outcome: Outcome, options: Options) -> Outcome:
    """Return the outcome with what was set in place of a loader."""
    return replace(outcome, report=replace(outcome.report, loading=options.loading.arguments()))


def timed(outcome: Outcome, **milliseconds: float) -> Outcome:
    """Return the outcome with timings added, rounded to microseconds."""
    rounded = {name: round(value, 3) for name, value in milliseconds.items()}
    return replace(outcome, report=replace(outcome.report, timing=outcome.report.timing | rounded))


def summary(report: Report) -> str:
    """Return one sentence for an event: the verdict, and the first reason with its place."""
    if not report.findings:
        return report.verdict.replace("_", " ")
    first = report.findings[0]
    place = f" at {os.path.basename(first.file)}:{first.line}" if first.file and first.line else ""  # noqa: PTH119
    return f"{first.rule}{place}: {first.message}"[:MAX_SUMMARY]


def _findings(translation: Translation, analysis: Analysis) -> list[Finding]:
    if not analysis.findings:
        return []
    sources = translation.sources
    found = [_finding(finding, sources) for finding in analysis.findings[:MAX_FINDINGS]]
    if not translation.is_unoptimised:
        return found
    first = replace(found[0], hint=f"{hints.UNOPTIMISED}; {found[0].hint}" if found[0].hint else hints.UNOPTIMISED)
    return [first, *found[1:]]


def _finding(finding: AnalyserFinding, sources: tuple[SourceLine, ...]) -> Finding:
    row = locate(sources, finding.instruction) if finding.instruction is not None else None
    return Finding(
        rule=finding.rule,
        message=finding.message,
        instruction=finding.instruction,
        file=row.file if row else None,
        line=row.line if row else None,
        column=row.column if row else None,
        source=row.text if row else None,
        known=finding.known,
        hint=hints.in_c(finding.hint, row, sources),
        slice=[_step(step, sources) for step in finding.slice],
    )


def _step(step: AnalyserStep, sources: tuple[SourceLine, ...]) -> SliceStep:
    row = locate(sources, step.instruction)
    return SliceStep(
        instruction=step.instruction,
        text=step.text,
        taken=step.taken,
        file=row.file if row else None,
        line=row.line if row else None,
        source=row.text if row else None,
    )
