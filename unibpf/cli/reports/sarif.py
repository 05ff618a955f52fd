"""Reports as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the source lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from unibpf.cli.reports.text import Verified, near, rule_meaning, step_text
from unibpf.messages.reports import Finding, SliceStep

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION: Final = "2.1.0"


def document(programs: Sequence[Verified], *, file: Path) -> str:
    """Return one run with a result for each finding; a finding without a source line is placed at `file`."""
    rules = sorted({finding.rule for one in programs for finding in one.findings})
    run: dict[str, Any] = {
        "tool": {"driver": _driver(programs, rules)},
        "results": [_result(finding, rules, one, file) for one in programs for finding in one.findings],
        "columnKind": "unicodeCodePoints",
    }
    others = [{"program": one.program} | msgspec.to_builtins(said) for one in programs for said in one.also]
    if others:
        run["properties"] = {"also": others}
    return msgspec.json.encode({"$schema": SCHEMA, "version": VERSION, "runs": [run]}).decode()


def _driver(programs: Sequence[Verified], rules: list[str]) -> dict[str, Any]:
    return {
        "name": "unibpf",
        "version": next((one.version for one in programs), ""),
        "informationUri": "https://www.rfc-editor.org/rfc/rfc9669",
        "rules": [{"id": rule, "shortDescription": {"text": rule_meaning(rule)}} for rule in rules],
    }


def _result(finding: Finding, rules: list[str], one: Verified, file: Path) -> dict[str, Any]:
    known = f"; known here: {', '.join(finding.known)}" if finding.known else ""
    hint = f"; hint: {finding.hint}" if finding.hint else ""
    properties: dict[str, Any] = {"program": one.program, "verdict": one.verdict}
    if finding.instruction is not None:
        properties["instruction"] = finding.instruction
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": "error" if one.verdict == "unsafe" else "warning",
        "message": {"text": f"{finding.message}{known}{hint}"},
        "locations": [_location(finding, one, file)],
        "properties": properties,
    }
    if finding.slice:
        result["codeFlows"] = [{"threadFlows": [{"locations": [_flow(step, one, file) for step in finding.slice]}]}]
    return result


def _flow(step: SliceStep, one: Verified, file: Path) -> dict[str, Any]:
    """SARIF 3.38: one step of what led to the result."""
    return {"location": _location(step, one, file) | {"message": {"text": step_text(step)}}}


def _location(at: Finding | SliceStep, one: Verified, file: Path) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(_source(at.file, file))}}
    if at.file and at.line:
        region: dict[str, Any] = {"startLine": at.line}
        if isinstance(at, Finding) and at.column:
            region["startColumn"] = at.column
        if at.source:
            region["snippet"] = {"text": at.source}
        place["region"] = region
    location: dict[str, Any] = {"physicalLocation": place}
    if one.function:
        location["logicalLocations"] = [{"name": one.function, "kind": "function"}]
    return location


def _source(named: str | None, file: Path) -> str:
    """Where a source lies from here. What we compiled ourselves is named from its own folder (unibpf/push/compile.py)."""
    if not named:
        return str(file)
    return str(file.parent / named) if file.suffix == ".c" else near(named)


def _uri(path: str) -> str:
    """RFC 3986: relative when the path is, and nothing in it that a URI would read in another way."""
    return Path(path).as_uri() if Path(path).is_absolute() else Path("/", path).as_uri().removeprefix("file:///")
