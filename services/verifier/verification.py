"""One verification from object bytes to an outcome: front end, analyser, report. Knows no bus and no cache.

The order of a verification is fixed: translate (in a limited process), analyse (in another one), report. Whatever the
bytes are, there is an outcome; only a broken installation raises (Broken).
"""

import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from services.verifier import report
from services.verifier.errors import GaveUp
from services.verifier.frontend.frontend import Answer, Options, Translation, hook_of
from services.verifier.processes.analysis import Analyser, Analysis
from services.verifier.processes.second_verifier import Judge, Program
from services.verifier.report import Outcome
from unibpf.messages.reports import SecondOpinion

_OF_RIGHTS: Final = frozenset({"packet-readonly", "helper-kind"})  # what programs of another kind may do

Translate = Callable[[bytes, Options], Awaitable[Answer]]
Span = Callable[[str], AbstractContextManager[object]]


def _no_span(_name: str) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """`translate` is the front end behind its limits: a worker pool, or a fork. `span` times a step for a trace.

    `also` are other verifiers whose opinions are put beside the verdict.
    """

    translate: Translate
    analyser: Analyser
    span: Span = _no_span
    also: Sequence[Judge] = field(default=())

    def within(self, budget: int) -> "Verification":
        """Return the same for guests that give one packet that many instructions."""
        options = replace(self.analyser.options, budget=budget)
        return dataclasses.replace(self, analyser=dataclasses.replace(self.analyser, options=options))

    def options_digest(self, options: Options) -> str:
        """Return the digest of all options of a verification with `options`."""
        return report.options_digest(options, self.analyser.options, also=[other.name for other in self.also])

    async def verify(self, data: bytes, options: Options) -> Outcome:
        """Verify the chosen program of an object."""
        return report.under(await self._verify(data, options), options)

    async def _verify(self, data: bytes, options: Options) -> Outcome:
        chosen = self.options_digest(options)
        name = options.name or ""
        started = time.perf_counter()
        try:
            with self.span("translate"):
                answer = await self.translate(data, options)
            translated = time.perf_counter()
            if answer.translation is None:
                outcome = report.rejected(name, answer, chosen)
            else:
                translation, analysis = await self._analyse(data, options, answer.translation)
                opinions = await self._opinions(data, options, translation, analysis)
                outcome = report.analysed(translation, analysis, chosen, also=opinions)
                outcome = report.timed(outcome, analyser_cpu_ms=analysis.cpu_ms, peak_mib=analysis.peak_kib / 1024)
        except GaveUp as error:
            return report.timed(report.gave_up(name, error, chosen), total_ms=_milliseconds(started))
        return report.timed(outcome, frontend_ms=(translated - started) * 1e3, total_ms=_milliseconds(started))

    async def _analyse(self, data: bytes, options: Options, translation: Translation) -> tuple[Translation, Analysis]:
        """Analyse a program; one whose kind nobody chose, and that needs more rights than it has, as what may do more."""
        with self.span("analyse"):
            analysis = await self.analyser.analyse(translation.bundle, hook=hook_of(translation.section))
        if not translation.kind_is_open or not _OF_RIGHTS & {finding.rule for finding in analysis.findings}:
            return translation, analysis
        with self.span("translate"):
            answer = await self.translate(data, more_rights(options, translation))
        if answer.translation is None:
            return translation, analysis
        with self.span("analyse"):
            return answer.translation, await self.analyser.analyse(
                answer.translation.bundle, hook=hook_of(translation.section)
            )

    async def _opinions(
        self, data: bytes, options: Options, translation: Translation, analysis: Analysis
    ) -> list[SecondOpinion]:
        """Ask the others."""
        program = Program(
            data=data,
            bundle=translation.bundle,
            section=translation.section,
            function=translation.function,
            verdict=analysis.verdict,
            changed=options.loading.changes_the_object,
        )
        opinions = []
        for other in self.also:
            with self.span(f"ask {other.name}"):
                opinions.append(await other.judge(program))
        return opinions


def more_rights(options: Options, translation: Translation) -> Options:
    """Return what chooses the same program, as one that may change the packet."""
    return replace(options, section=translation.section, function=translation.function, kind="rewriter")


def _milliseconds(since: float) -> float:
    return (time.perf_counter() - since) * 1e3
