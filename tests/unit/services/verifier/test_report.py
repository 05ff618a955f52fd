"""services/verifier/report.py and verdict.py: one document, deterministic but for its timings."""

import hashlib

import pytest
from msgspec.structs import replace

from services.verifier import report
from services.verifier.errors import GaveUp
from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from services.verifier.processes.analysis import AnalyserFinding, AnalyserOptions, AnalyserStep, Analysis
from services.verifier.report import Outcome
from services.verifier.verdict import Push, verdict
from tests.support.programs.bad_objects import make
from tests.support.programs.programs import compiled
from unibpf.bus import Received, Reject
from unibpf.messages.reports import Finding, Report, SecondOpinion, verdict_digest
from unibpf.push.upload import DEFAULT_AUDIENCE

TRANSLATION = frontend.translate(compiled("unsafe_parse"), Options(name="parser"))
ANALYSIS = Analysis(
    verdict="unsafe",
    findings=[AnalyserFinding(rule="packet-bounds", message="read of 2 bytes", instruction=1, known=["r1 = packet"])],
    version="7",
)
UNSAFE = report.analysed(TRANSLATION, ANALYSIS, "f" * 64)


def received(subject: str, **headers: str) -> Received:
    return Received(subject=subject, data=b"", headers=headers, stream="UNIBPF_UPLOADS", sequence=17)


def test_a_finding_gets_the_source_line_of_its_instruction() -> None:
    finding = UNSAFE.report.findings[0]
    assert (finding.file, finding.line) == ("unsafe_parse.c", 10)
    assert finding.source == "return ethernet->h_proto ? XDP_PASS : XDP_DROP;"
    assert finding.known == ["r1 = packet"]


def test_a_slice_gets_the_source_line_of_each_step() -> None:
    slices = [
        AnalyserStep(instruction=0, text="r1 = *(u32 *)(r1 + 0)"),
        AnalyserStep(instruction=1, text="exit", taken=True),
    ]
    analysis = replace(ANALYSIS, findings=[replace(ANALYSIS.findings[0], slice=slices)])
    found = report.analysed(TRANSLATION, analysis, "f" * 64).report.findings[0].slice
    assert [(step.text, step.file, step.taken) for step in found] == [
        ("r1 = *(u32 *)(r1 + 0)", "unsafe_parse.c", None),
        ("exit", "unsafe_parse.c", True),
    ]
    assert all(step.line and step.source for step in found)


def test_second_opinions_are_in_report_and_verdict_and_in_what_the_signer_binds() -> None:
    opinion = SecondOpinion(verifier="prevail", accepts=False, agrees=True, said="no")
    asked = report.analysed(TRANSLATION, ANALYSIS, "f" * 64, also=[opinion])
    push = Push(push_id="1", identity="ci", program="parser")
    assert verdict(push, asked, object_digest="0" * 64).also == asked.report.also == [opinion]
    assert verdict_digest(asked.report) != verdict_digest(UNSAFE.report)
    chosen = (Options(), AnalyserOptions())
    assert report.options_digest(*chosen, also=["prevail"]) != report.options_digest(*chosen)


def test_the_report_says_what_was_verified_and_by_whom() -> None:
    found = UNSAFE.report
    assert found.bundle == hashlib.sha256(TRANSLATION.bundle).hexdigest()
    assert (found.bundle_length, found.program, found.kind) == (len(TRANSLATION.bundle), "parser", "filter")
    assert found.version.endswith("+7")


def test_timings_change_the_report_but_not_the_verdicts_digest() -> None:
    later = report.timed(UNSAFE, total_ms=3.25)
    assert later.report.timing == {"total_ms": 3.25}
    assert report.encode(later.report) != report.encode(UNSAFE.report)
    assert verdict_digest(later.report) == verdict_digest(UNSAFE.report)


def test_another_finding_changes_the_verdicts_digest() -> None:
    other = replace(UNSAFE.report, findings=[Finding(rule="x", message="y")])
    assert verdict_digest(other) != verdict_digest(UNSAFE.report)


def test_every_option_changes_the_options_digest() -> None:
    digests = {
        report.options_digest(options, analyser)
        for options in (Options(), Options(name="a"), Options(section="a"), Options(function="a"))
        for analyser in (AnalyserOptions(), AnalyserOptions(termination=False), AnalyserOptions(max_seconds=9))
    }
    assert len(digests) == 12


def test_findings_beyond_the_cap_are_cut() -> None:
    many = replace(ANALYSIS, findings=ANALYSIS.findings * 100)
    assert len(report.analysed(TRANSLATION, many, "").report.findings) == report.MAX_FINDINGS


def test_the_summary_names_rule_place_and_message() -> None:
    assert report.summary(UNSAFE.report) == "packet-bounds at unsafe_parse.c:10: read of 2 bytes"
    assert report.summary(Report(verdict="safe", program="p")) == "safe"


def test_a_limit_is_not_a_verdict_on_the_program() -> None:
    found = report.gave_up("parser", GaveUp("limits", "too long"), "").report
    assert (found.verdict, found.findings[0].rule) == ("gave_up", "limits")


def test_a_bad_object_is_bad_input_and_an_unsupported_one_is_not() -> None:
    bad = report.rejected("p", frontend.answer(make("text-file"), Options()), "")
    other = report.rejected("p", frontend.answer(compiled("refused/recursion"), Options()), "")
    assert (bad.bad_input, other.bad_input) == (True, False)
    assert (bad.report.verdict, other.report.verdict) == ("unsupported", "unsupported")


class TestVerdict:
    def test_it_repeats_who_pushed_what_for_whom(self) -> None:
        headers = {"Unibpf-Audience": "edge", "Unibpf-Element": "fw"}
        push = Push.of(received("unibpf.v1.program.upload.ci.firewall", **headers))
        found = verdict(push, UNSAFE, object_digest="a" * 64)
        assert (found.push_id, found.identity, found.program) == ("UNIBPF_UPLOADS:17", "ci", "firewall")
        assert (found.audience, found.element) == ("edge", "fw")
        assert found.report == hashlib.sha256(report.encode(UNSAFE.report)).hexdigest()
        assert found.summary == report.summary(UNSAFE.report)

    def test_a_cached_report_gives_the_same_verdict(self) -> None:
        push = Push.of(received("unibpf.v1.program.upload.ci.firewall"))
        cached = Outcome(report=UNSAFE.report)
        assert verdict(push, cached, object_digest="a" * 64) == verdict(push, UNSAFE, object_digest="a" * 64)

    def test_a_push_without_headers_is_for_the_default_audience_and_any_element(self) -> None:
        push = Push.of(received("unibpf.v1.program.upload.ci.firewall"))
        assert (push.audience, push.element) == (DEFAULT_AUDIENCE, "*")

    @pytest.mark.parametrize("subject", ["unibpf.v1.program.upload.ci.Fire!wall", "unibpf.v1.program.upload.C I.fw"])
    def test_a_subject_that_names_nobody_is_never_tried_again(self, subject: str) -> None:
        with pytest.raises(Reject) as caught:
            Push.of(received(subject))
        assert caught.value.rule == "upload-subject"
