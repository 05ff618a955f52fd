"""unibpf/cli/reports/sarif.py: what SARIF 2.1.0 demands of a log, and what a code host needs to show a finding at its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from unibpf.cli.reports import sarif
from unibpf.cli.reports.text import Verified
from unibpf.messages.reports import Finding, SliceStep

PLACED = Finding(
    rule="packet-bounds",
    message="read of 4 bytes may pass the end of the packet",
    instruction=57,
    file="firewall.c",
    line=42,
    column=7,
    source="tcp->dest",
    known=["packet is at least 34 bytes long"],
    hint="compare first",
)
UNPLACED = Finding(rule="not-elf", message="not an ELF file")
UNSAFE = Verified(verdict="unsafe", program="fw", findings=[PLACED, PLACED], function="firewall", version="1")
UNKNOWN = Verified(verdict="unsupported", program="", findings=[UNPLACED])


def log(*programs: Verified, file: str = "build/fw.o") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sarif.document(programs, file=Path(file)))
    return found


def results(*programs: Verified, file: str = "build/fw.o") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log(*programs, file=file)["runs"][0]["results"]
    return found


@pytest.mark.parametrize("programs", [(), (UNSAFE,), (UNKNOWN,), (UNSAFE, UNKNOWN)])
def test_every_field_that_the_schema_requires_is_there(programs: tuple[Verified, ...]) -> None:
    found = log(*programs)
    assert (found["version"], set(found)) == ("2.1.0", {"$schema", "version", "runs"})
    for run in found["runs"]:
        driver = run["tool"]["driver"]  # run.tool, tool.driver, driver.name: required
        assert driver["name"] == "unibpf"
        ids = [rule["id"] for rule in driver["rules"]]  # reportingDescriptor.id: required; uniqueItems
        assert len(set(ids)) == len(ids)
        assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
        for result in run["results"]:
            assert result["message"]["text"]  # result.message: required, with text or id
            assert result["level"] in {"none", "note", "warning", "error"}
            assert ids[result["ruleIndex"]] == result["ruleId"]


def test_a_finding_lies_at_its_line_and_column() -> None:
    place = results(UNSAFE)[0]["locations"][0]
    physical = place["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "firewall.c"}
    assert physical["region"] == {"startLine": 42, "startColumn": 7, "snippet": {"text": "tcp->dest"}}
    assert place["logicalLocations"] == [{"name": "firewall", "kind": "function"}]


def test_a_finding_without_a_line_lies_at_the_file_that_was_given() -> None:
    physical = results(UNKNOWN)[0]["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": "build/fw.o"}}


def test_sources_that_were_compiled_here_are_named_from_here() -> None:
    physical = results(UNSAFE, file="vnfs/a b/firewall.c")[0]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "vnfs/a%20b/firewall.c"


def test_only_an_unsafe_program_is_an_error() -> None:
    assert [result["level"] for result in results(UNSAFE, UNKNOWN)] == ["error", "error", "warning"]


def test_what_was_known_and_the_hint_are_in_the_message() -> None:
    text = results(UNSAFE)[0]["message"]["text"]
    assert text.endswith("; known here: packet is at least 34 bytes long; hint: compare first")


def test_a_slice_is_a_code_flow_through_its_lines() -> None:
    step = SliceStep(instruction=5, text="if r3 > r2 goto 9", taken=True, file="firewall.c", line=40, source="if (x)")
    finding = replace(PLACED, slice=[step, SliceStep(instruction=57, text="r0 = *(u32 *)(r2 + 0)")])
    (flow,) = results(Verified(verdict="unsafe", program="fw", findings=[finding]))[0]["codeFlows"]
    first, last = flow["threadFlows"][0]["locations"]  # threadFlow.locations: required
    assert first["location"]["physicalLocation"]["region"] == {"startLine": 40, "snippet": {"text": "if (x)"}}
    assert first["location"]["message"] == {"text": "5: if r3 > r2 goto 9  (taken)"}
    assert last["location"]["physicalLocation"] == {"artifactLocation": {"uri": "build/fw.o"}}
    assert "codeFlows" not in results(UNSAFE)[0]


def test_a_safe_program_has_no_results() -> None:
    assert results(Verified(verdict="safe", program="fw")) == []
