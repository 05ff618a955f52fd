"""A verifier's report for people: what a good compiler would print (house style, "Messages to people")."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from unibpf.host.settings import REPOSITORY
from unibpf.messages.reports import Finding, Report, SliceStep
from unibpf.text import visible

PLACE_WIDTH: Final = 44  # the instruction's column, for findings of ordinary length
SHORT_SLICE: Final = 6  # lines
CATALOGUE: Final = REPOSITORY / "docs" / "rules"


class Invariant(Struct, frozen=True, kw_only=True):
    """What the analyser knew before an instruction."""

    instruction: int
    known: list[str] = []


class Verified(Report, frozen=True, kw_only=True):
    """A report as the verifier prints it for the command line: with the program's place, and invariants if asked for."""

    section: str = ""
    function: str = ""
    invariants: list[Invariant] | None = None
    invariants_cut: bool = False
    graph: str | None = None


def verdict_line(report: Report) -> str:
    """One line: the verdict, and what the program is or why there is no proof."""
    name = f" {visible(report.program)}" if report.program else ""
    if report.verdict != "safe":
        count = len(report.findings)
        return f"{report.verdict.replace('_', ' ')}{name}: {count} finding{'' if count == 1 else 's'}"
    facts = [report.kind or "program", f"{report.instructions} instructions", f"{report.stack_bytes} bytes of stack"]
    if report.instruction_bound is not None:
        facts.append(f"at most {report.instruction_bound} instructions a packet")
    if report.maps:
        facts.append(f"maps {visible(', '.join(report.maps))}")
    return f"safe{name}: {', '.join(facts)}"


def print_report(report: Report, *, explain: bool = False) -> None:
    """All findings, on stderr."""
    for finding in report.findings:
        print(format_finding(finding, explain=explain), file=sys.stderr)


def format_finding(finding: Finding, *, explain: bool = False) -> str:
    """One finding as several lines; a slice that is not short is shown to who wants it explained."""
    return "\n".join(map(visible, _finding_lines(finding, explain=explain)))


def _finding_lines(finding: Finding, *, explain: bool) -> Iterator[str]:
    """Rule and message, place, what was known there, what led there, what to write instead."""
    yield f"error[{finding.rule}]: {finding.message}"
    place = _place(finding)
    if place:
        yield f"  --> {place}"
    for number, fact in enumerate(finding.known):
        yield f"  {'known here: ' if number == 0 else '            '}{fact}"
    steps = [step for step in finding.slice if step.instruction != finding.instruction]
    if explain or len(steps) <= SHORT_SLICE:
        for number, step in enumerate(steps):
            yield f"  {'led here by:' if number == 0 else '            '} {_step(step)}"
    if finding.hint:
        yield f"  hint: {finding.hint}"


def step_text(step: SliceStep) -> str:
    """The instruction, and of a guard which way leads on."""
    way = {True: "  (taken)", False: "  (not taken)", None: ""}[step.taken]
    return f"{step.instruction}: {step.text}{way}"


def _step(step: SliceStep) -> str:
    where = f"{near(step.file)}:{step.line}" if step.file and step.line else ""
    source = f"`{step.source}`" if step.source else ""
    return f"{step_text(step).ljust(PLACE_WIDTH)}  {where}  {source}".rstrip()


def explain_lines(report: Report) -> Iterator[str]:
    """What else the report holds: loops, helpers, identity of what was verified and how, timings."""
    for loop in report.loops:
        bound = loop.get("bound")
        rounds = f"at most {bound} rounds" if bound is not None else "no bound found"
        yield f"  loop at instruction {loop.get('instruction')}: {rounds}"
    if report.helpers:
        yield f"  helpers: {', '.join(map(str, report.helpers))}"
    if report.bundle:
        yield f"  bundle: {report.bundle}, {report.bundle_length} bytes"
    if report.loading:
        yield f"  set: {' '.join(report.loading)}"
    yield f"  verifier: {report.verifier} {report.version}, options {report.options_digest[:16]}"
    if report.timing:
        yield f"  timing: {', '.join(f'{name} {value:g}' for name, value in sorted(report.timing.items()))}"


def invariant_lines(report: Verified) -> Iterator[str]:
    """One line for each instruction that is reached."""
    for row in report.invariants or ():
        yield f"  before {row.instruction}: {', '.join(row.known)}"
    if report.invariants_cut:
        yield "  the rest is left out: there is more than fits in an answer"


def catalogue_pages(rules: Iterable[str]) -> Iterator[str]:
    """The page of each rule, once, in the order in which they were broken."""
    for rule in dict.fromkeys(rules):
        page = _page(rule)
        yield f"\n{page}" if page else f"\nrule `{rule}` has no page in `{CATALOGUE}`\n"


def rule_meaning(rule: str) -> str:
    """The first sentence of a rule's page, which says what must hold; the rule itself when there is no page."""
    paragraphs = _page(rule).split("\n\n")
    return " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else rule


def _page(rule: str) -> str:
    path: Path = CATALOGUE / f"{rule}.md"
    return path.read_text() if path.is_file() else ""


def _place(finding: Finding) -> str:
    where = f"{near(finding.file)}:{finding.line}" if finding.file and finding.line else ""
    source = f"`{finding.source}`" if finding.source else ""
    instruction = f"(instruction {finding.instruction})" if finding.instruction is not None else ""
    text = "  ".join(part for part in (where, source) if part)
    return f"{text.ljust(PLACE_WIDTH)}  {instruction}".rstrip() if text else instruction


def near(file: str) -> str:
    """An absolute path below the working directory is shown relative to it."""
    relative = os.path.relpath(file) if os.path.isabs(file) else file  # noqa: PTH117
    return file if relative.startswith("..") else relative
