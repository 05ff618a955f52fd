"""The analyser's verdicts on the programs of `tests/data/analyser`, and on what is left of them without their checks.

# what is shown, one line
-- kind filter|classifier|rewriter               (default rewriter)
-- platform guest|linux-xdp                      (default guest)
-- map NAME TYPE KEY_SIZE VALUE_SIZE ENTRIES [FLAGS [DATA_HEX]]   (any number; the index is the order)
-- code
assembly, see tests/support/assembler.py; a line ending in `# check` is what makes the program safe
-- safe [BOUND]                                  the instruction bound, `none` if there is none
-- unsafe RULE INSTRUCTION [PART OF THE MESSAGE]

Mutation: without a `# check` line a safe program must be refused.
"""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.assembler import Assembler
from tests.support.bundles import bundle_of
from unibpf.bundle import Bundle, BundleMap, encode
from unibpf.messages import Kind

DATA = Path(__file__).parents[2] / "data" / "analyser"
MAP_TYPES = {"hash": 1, "array": 2, "percpu_hash": 5, "percpu_array": 6, "lru_hash": 9, "lru_percpu_hash": 10}
CHECK = re.compile(r".*# check\s*$")


@dataclass(kw_only=True)
class Case:
    """One file."""

    name: str
    kind: Kind = "rewriter"
    platform: str = "guest"
    maps: list[BundleMap] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    verdict: str = ""
    details: list[str] = field(default_factory=list)

    def checks(self) -> list[int]:
        return [at for at, line in enumerate(self.code) if CHECK.match(line)]


def read(path: Path) -> Case:
    case = Case(name=path.stem)
    in_code = False
    for line in path.read_text().splitlines():
        if not line.startswith("--"):
            case.code += [line] if in_code else []
            continue
        in_code = line == "-- code"
        if not in_code:
            _directive(case, line[2:].split())
    if case.verdict not in {"safe", "unsafe", "unsupported"}:
        raise ValueError(f"{path.name}: no verdict")
    return case


def _directive(case: Case, words: list[str]) -> None:
    match words:
        case ["kind", "filter" | "classifier" | "rewriter" as kind]:
            case.kind = kind
        case ["platform", "guest" | "linux-xdp" as platform]:
            case.platform = platform
        case ["map", name, kind, key, value, entries, *rest]:
            case.maps.append(
                BundleMap(
                    name=name,
                    type=MAP_TYPES[kind],
                    key_size=int(key),
                    value_size=int(value),
                    max_entries=int(entries),
                    flags=int(rest[0], 0) if rest else 0,
                    data=bytes.fromhex(rest[1]) if len(rest) > 1 else None,
                )
            )
        case ["safe" | "unsafe" | "unsupported" as verdict, *details]:
            case.verdict, case.details = verdict, details
        case _:
            raise ValueError(f"{case.name}: unknown directive {words}")


CASES = [read(path) for path in sorted(DATA.glob("*.case"))]
MUTANTS = [
    pytest.param(case, at, id=f"{case.name}-{at}") for case in CASES if case.verdict == "safe" for at in case.checks()
]


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


def analyse(bin_directory: Path, bundle: bytes, *options: str) -> dict[str, Any]:
    done = subprocess.run([bin_directory / "unibpf-analyse", *options], input=bundle, capture_output=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_is_what_the_file_says(case: Case, bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("\n".join(case.code))
    report = analyse(bin_directory, bundle_of(code, case.maps, kind=case.kind), "--platform", case.platform)
    assert report["verdict"] == case.verdict, report["findings"]
    if case.verdict == "safe":
        assert report["findings"] == []
        if case.details:
            assert str(report["instruction_bound"] or "none") == case.details[0]
        return
    [rule, instruction, *words] = case.details
    finding = report["findings"][0]
    assert (finding["rule"], finding["instruction"]) == (rule, int(instruction))
    assert " ".join(words) in finding["message"]
    assert finding["hint"]
    assert not finding["message"].endswith(".")


@pytest.mark.parametrize(("case", "line"), MUTANTS)
def test_program_without_its_check_is_refused(case: Case, line: int, bin_directory: Path, assembler: Assembler) -> None:
    mutant = [text for at, text in enumerate(case.code) if at != line]
    code, _ = assembler.assemble("\n".join(mutant))
    assert (
        analyse(bin_directory, bundle_of(code, case.maps, kind=case.kind), "--platform", case.platform)["verdict"]
        == "unsafe"
    )


def test_every_rule_about_code_has_a_case() -> None:
    source = (Path(__file__).parents[3] / "services/verifier/native/rules.hpp").read_text()
    rules = set(re.findall(r'\{Rule::\w+, "([a-z-]+)"', source))
    # found where no bundle gets: `malformed` in the bytes, `unsupported` and `limits` by what programs do to the analyser
    elsewhere = {"malformed", "unsupported", "limits", "reference-leak", "call-depth"}
    assert rules - elsewhere - {case.details[0] for case in CASES if case.verdict == "unsafe"} == set()


def test_bytes_that_are_no_bundle_are_unsupported_and_say_why(bin_directory: Path) -> None:
    for junk in (b"", b"\xff", b"\xa0", bytes(100), b"\x7fELF", bytes((1 << 20) + 1)):
        report = analyse(bin_directory, junk)
        assert report["verdict"] == "unsupported"
        assert report["findings"][0]["rule"] == "malformed"
        assert report["findings"][0]["message"]


def test_a_loop_without_a_bound_is_accepted_only_where_termination_is_off(
    bin_directory: Path, assembler: Assembler
) -> None:
    code, _ = assembler.assemble("mov64 r0, 1\nagain:\nadd64 r0, 2\njne64 r0, 0, again\nexit")
    assert analyse(bin_directory, bundle_of(code))["findings"][0]["rule"] == "termination"
    assert analyse(bin_directory, bundle_of(code), "--termination", "off")["verdict"] == "safe"


def test_recursion_is_refused(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("call_local again\nexit\nagain:\ncall_local again\nexit")
    assert analyse(bin_directory, bundle_of(code))["findings"][0]["rule"] == "call-depth"


def test_memory_and_time_limits_end_in_gave_up(bin_directory: Path, assembler: Assembler) -> None:
    lines = ["mov64 r0, 1", "call_helper 7"]
    for at in range(3000):
        lines += [f"jeq64 r0, {at}, skip{at}", f"stxdw [r10-{8 * (at % 60 + 1)}], r0", "call_helper 7", f"skip{at}:"]
    code, _ = assembler.assemble("\n".join([*lines, "mov64 r0, 0", "exit"]))
    for option in (("--max-seconds", "0.001"), ("--max-mebibytes", "3")):
        report = analyse(bin_directory, bundle_of(code), *option)
        assert (report["verdict"], report["findings"][0]["rule"]) == ("gave_up", "limits"), option


def test_usage_errors_exit_with_2(bin_directory: Path) -> None:
    for arguments in (["--platform", "windows"], ["--termination"], ["--max-seconds", "-1"], ["surplus"]):
        done = subprocess.run(
            [bin_directory / "unibpf-analyse", *arguments], input=b"", capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, b"")


def test_a_bundle_that_the_guest_would_not_load_is_not_called_safe(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("call_helper 7\nexit")
    bundle = encode(Bundle(name="test", kind="filter", code=code, helpers=(5, 7), outputs=1, stack=0))
    report = analyse(bin_directory, bundle)
    assert (report["verdict"], report["findings"][0]["rule"]) == ("unsupported", "malformed")


def test_loops_that_nest_without_end_are_given_up(bin_directory: Path, assembler: Assembler) -> None:
    depth = 2000
    heads = "".join(f"loop{at}:\n" + "add64 r0, 1\n" for at in range(depth))
    tails = "".join(f"jlt64 r0, {at}, loop{at}\n" for at in reversed(range(depth)))
    code, _ = assembler.assemble("mov64 r0, 0\n" + heads + tails + "exit")
    assert analyse(bin_directory, bundle_of(code))["verdict"] == "gave_up"


def test_invariants_are_reported_on_demand(bin_directory: Path, assembler: Assembler) -> None:
    code, _ = assembler.assemble("mov64 r6, 7\ncall_helper 7\nand64 r0, 3\nadd64 r0, r6\nexit")
    assert "invariants" not in analyse(bin_directory, bundle_of(code))
    report = analyse(bin_directory, bundle_of(code), "--invariants", "on")
    known = {row["instruction"]: row["known"] for row in report["invariants"]}
    assert "r0 = number in [0, 3]" in known[3]
    assert "r0 = number in [7, 10]" in known[4]
