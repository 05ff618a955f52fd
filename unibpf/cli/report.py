"""A verifier's report for people: what a good compiler would print (house style, "Messages to people")."""

import os
import sys
from collections.abc import Iterator

from unibpf.messages import Finding, Report

PLACE_WIDTH = 44  # the instruction's column, for findings of ordinary length


def verdict_line(report: Report) -> str:
    """One line: the verdict, and what the program is or why there is no proof."""
    name = f" {report.program}" if report.program else ""
    if report.verdict != "safe":
        count = len(report.findings)
        return f"{report.verdict.replace('_', ' ')}{name}: {count} finding{'' if count == 1 else 's'}"
    facts = [report.kind or "program", f"{report.instructions} instructions", f"{report.stack_bytes} bytes of stack"]
    if report.instruction_bound is not None:
        facts.append(f"at most {report.instruction_bound} instructions a packet")
    if report.maps:
        facts.append(f"maps {', '.join(report.maps)}")
    return f"safe{name}: {', '.join(facts)}"


def print_report(report: Report) -> None:
    """All findings, on stderr."""
    for finding in report.findings:
        print(format_finding(finding), file=sys.stderr)


def format_finding(finding: Finding) -> str:
    """One finding as several lines."""
    return "\n".join(_finding_lines(finding))


def _finding_lines(finding: Finding) -> Iterator[str]:
    """Rule and message, place, what was known there, what to write instead."""
    yield f"error[{finding.rule}]: {finding.message}"
    place = _place(finding)
    if place:
        yield f"  --> {place}"
    for number, fact in enumerate(finding.known):
        yield f"  {'known here: ' if number == 0 else '            '}{fact}"
    if finding.hint:
        yield f"  hint: {finding.hint}"


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
    yield f"  verifier: {report.verifier} {report.version}, options {report.options_digest[:16]}"
    if report.timing:
        yield f"  timing: {', '.join(f'{name} {value:g}' for name, value in sorted(report.timing.items()))}"


def _place(finding: Finding) -> str:
    where = f"{_near(finding.file)}:{finding.line}" if finding.file and finding.line else ""
    source = f"`{finding.source}`" if finding.source else ""
    instruction = f"(instruction {finding.instruction})" if finding.instruction is not None else ""
    text = "  ".join(part for part in (where, source) if part)
    return f"{text.ljust(PLACE_WIDTH)}  {instruction}".rstrip() if text else instruction


def _near(file: str) -> str:
    """An absolute path below the working directory is shown relative to it."""
    relative = os.path.relpath(file) if os.path.isabs(file) else file  # noqa: PTH117
    return file if relative.startswith("..") else relative
