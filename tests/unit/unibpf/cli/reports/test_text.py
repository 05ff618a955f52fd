"""unibpf/cli/reports/text.py: what a rejected program looks like."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from unibpf.cli.reports.text import explain_lines, format_finding, verdict_line
from unibpf.messages.reports import Finding, Report, SliceStep

FINDING = Finding(
    rule="packet-bounds",
    message="read of 4 bytes may pass the end of the packet",
    instruction=57,
    file="firewall.c",
    line=42,
    column=7,
    source="tcp->dest",
    known=["r2 = packet + [34, 74]", "packet is at least 34 bytes long"],
    hint="return before this line unless `(void *)(tcp + 1) <= data_end`",
)


def test_a_finding_reads_like_a_compilers() -> None:
    assert format_finding(FINDING).splitlines() == [
        "error[packet-bounds]: read of 4 bytes may pass the end of the packet",
        "  --> firewall.c:42  `tcp->dest`                    (instruction 57)",
        "  known here: r2 = packet + [34, 74]",
        "              packet is at least 34 bytes long",
        "  hint: return before this line unless `(void *)(tcp + 1) <= data_end`",
    ]


def sliced(count: int) -> Finding:
    steps = [SliceStep(instruction=at, text=f"r{at} = r0") for at in range(count)]
    guard = SliceStep(
        instruction=50, text="if r2 > r3 goto 60", taken=False, file="firewall.c", line=40, source="if (x)"
    )
    return replace(FINDING, slice=[*steps, guard, SliceStep(instruction=57, text="r0 = *(u32 *)(r2 + 0)")])


def test_a_short_slice_stands_between_what_was_known_and_the_hint() -> None:
    assert format_finding(sliced(1)).splitlines()[4:7] == [
        "  led here by: 0: r0 = r0",
        "               50: if r2 > r3 goto 60  (not taken)           firewall.c:40  `if (x)`",
        "  hint: return before this line unless `(void *)(tcp + 1) <= data_end`",
    ]


def test_a_long_slice_is_shown_to_who_wants_an_explanation() -> None:
    assert format_finding(sliced(10)) == format_finding(FINDING)
    assert len(format_finding(sliced(10), explain=True).splitlines()) == 5 + 11


def test_a_finding_without_a_place_has_no_arrow() -> None:
    assert format_finding(Finding(rule="not-elf", message="not an ELF file")) == "error[not-elf]: not an ELF file"


def test_a_finding_without_source_still_names_its_instruction() -> None:
    text = format_finding(Finding(rule="null-check", message="may be null", instruction=3))
    assert text.splitlines()[1] == "  --> (instruction 3)"


def test_a_path_below_the_working_directory_is_shown_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = format_finding(Finding(rule="r", message="m", file=str(tmp_path / "src" / "a.c"), line=3))
    assert "--> src/a.c:3" in text


def test_the_verdict_says_what_a_safe_program_is() -> None:
    report = Report(
        verdict="safe",
        program="firewall",
        kind="filter",
        instructions=71,
        stack_bytes=16,
        instruction_bound=64,
        maps=["rule_hits"],
    )
    assert verdict_line(report) == (
        "safe firewall: filter, 71 instructions, 16 bytes of stack, at most 64 instructions a packet, maps rule_hits"
    )


def test_the_verdict_counts_findings_otherwise() -> None:
    assert verdict_line(Report(verdict="unsafe", program="fw", findings=[FINDING])) == "unsafe fw: 1 finding"
    assert verdict_line(Report(verdict="gave_up", program="")) == "gave up: 0 findings"


def test_the_explanation_names_loops_with_and_without_bound() -> None:
    loops = [{"instruction": 4, "bound": 100}, {"instruction": 9, "bound": None}]
    lines = list(explain_lines(Report(verdict="unsafe", program="fw", loops=loops)))
    assert lines[:2] == [
        "  loop at instruction 4: at most 100 rounds",
        "  loop at instruction 9: no bound found",
    ]
