"""commands/verify.py: one call, its exit code, and the choice of programs. The analyser is a small script here."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.verifier.commands import verify
from services.verifier.frontend import frontend
from services.verifier.report import Outcome
from tests.support.programs.bad_objects import make
from tests.support.programs.programs import compiled
from unibpf.messages.reports import Report, VerdictKind

# Says what it was called with, and refuses bundles that are longer than those of programs of two instructions.
ANALYSER = """#!/bin/sh
size=$(wc -c)
verdict=safe
test "$size" -gt 100 && verdict=unsafe
known='"'"$*"'"'
echo '{"verdict":"'$verdict'","invariants":[{"instruction":0,"known":['"$known"']}]}'
"""


@pytest.fixture(autouse=True)
def analyser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bin" / "unibpf-analyse"
    path.parent.mkdir()
    path.write_text(ANALYSER)
    path.chmod(0o755)
    monkeypatch.setenv("UNIBPF_BIN", str(path.parent))


def run(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], data: bytes, *options: str
) -> tuple[int, dict[str, Any]]:
    (tmp_path / "object.o").write_bytes(data)
    code = verify.main(["verify", str(tmp_path / "object.o"), *options])
    return code, json.loads(capsysbinary.readouterr().out)


def outcome(verdict: VerdictKind, *, bad_input: bool = False) -> Outcome:
    return Outcome(report=Report(verdict=verdict, program="p"), bad_input=bad_input)


def test_one_program_is_one_report_with_its_place(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    code, found = run(tmp_path, capsysbinary, compiled("several"), "--function", "third")
    assert (code, found["program"], found["section"], found["function"]) == (0, "third", "unibpf/filter", "third")
    assert found["invariants"] is None


def test_all_programs_are_verified_one_by_one(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    code, found = run(tmp_path, capsysbinary, compiled("several"), "--all")
    assert (code, [one["function"] for one in found["programs"]]) == (0, ["first", "second", "third"])


def test_an_object_that_cannot_be_read_has_one_report_that_says_why(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    code, found = run(tmp_path, capsysbinary, make("text-file"), "--all")
    assert (code, [one["findings"][0]["rule"] for one in found["programs"]]) == (2, ["not-elf"])


def test_options_reach_the_analyser(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    options = (
        "--platform",
        "linux-xdp",
        "--max-seconds",
        "7",
        "--max-mebibytes",
        "300",
        "--invariants",
        "--budget",
        "9",
    )
    _, found = run(tmp_path, capsysbinary, compiled("pass"), *options)
    assert found["invariants"][0]["known"] == [
        "--hook driver --platform linux-xdp --termination on --budget 9 --invariants on "
        "--max-seconds 7 --max-mebibytes 300"
    ]


def test_invariants_are_no_option_that_changes_a_verdict(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    _, with_them = run(tmp_path, capsysbinary, compiled("pass"), "--invariants")
    _, without = run(tmp_path, capsysbinary, compiled("pass"))
    assert with_them["options_digest"] == without["options_digest"]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([outcome("safe"), outcome("safe")], 0),
        ([outcome("gave_up"), outcome("unsafe"), outcome("safe")], 1),
        ([outcome("unsupported"), outcome("unsupported", bad_input=True)], 2),
        ([outcome("gave_up"), outcome("unsupported")], 3),
        ([outcome("safe"), outcome("gave_up")], 4),
    ],
)
def test_the_gravest_verdict_gives_the_exit_code(outcomes: list[Outcome], code: int) -> None:
    assert verify.exit_code(outcomes) == code


@pytest.mark.parametrize("value", ["0", "-1", "many", "1000001"])
def test_limits_that_are_none_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SystemExit) as caught:
        verify.main(["verify", str(tmp_path), "--max-seconds", value])
    assert caught.value.code == 2


def test_choices_name_each_program_by_section_and_function() -> None:
    found = frontend.choices(compiled("several"), frontend.Options(kind="rewriter"))
    assert [(one.section, one.function, one.kind) for one in found] == [
        ("xdp", "first", "rewriter"),
        ("xdp", "second", "rewriter"),
        ("unibpf/filter", "third", None),
    ]
    mixed = frontend.choices(compiled("refused/section_unknown"), frontend.Options())
    assert [(one.section, one.function) for one in mixed] == [("xdp", "good"), ("freplace/xdp_pass", None)]
    assert frontend.choices(b"no object", frontend.Options()) == [frontend.Options()]
