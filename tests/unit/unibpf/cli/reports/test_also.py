"""unibpf/cli/reports/also.py: a second verifier beside ours. PREVAIL is in no Debian package, so the seam is its command line:
small scripts that end as PREVAIL ends (0 accepts, anything else refuses)."""

import json
from pathlib import Path

import pytest

from unibpf.cli.reports import also
from unibpf.cli.reports.text import Verified

SAFE = Verified(verdict="safe", program="fw", section="xdp", function="firewall")
UNSAFE = Verified(verdict="unsafe", program="fw", section="xdp", function="firewall")
OBJECT = Path("fw.o")


def script(folder: Path, body: str, name: str = "prevail") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("status", "one", "accepts", "agrees"),
    [(0, SAFE, True, True), (1, SAFE, False, False), (0, UNSAFE, True, False), (1, UNSAFE, False, True)],
)
def test_both_agree_when_both_accept_or_both_refuse(
    tmp_path: Path, status: int, one: Verified, accepts: bool, agrees: bool
) -> None:
    opinion = also.ask(script(tmp_path, f"exit {status}"), OBJECT, one)
    assert (opinion.accepts, opinion.agrees) == (accepts, agrees)


def test_it_is_asked_about_the_same_program(tmp_path: Path) -> None:
    opinion = also.ask(script(tmp_path, 'echo "$@"; exit 1'), OBJECT, SAFE)
    assert opinion.said == "fw.o xdp firewall"
    assert opinion.sentence() == "prevail refuses `fw`, unlike this verifier: fw.o xdp firewall"


def test_a_verifier_that_dies_has_no_opinion(tmp_path: Path) -> None:
    opinion = also.ask(script(tmp_path, "kill -SEGV $$"), OBJECT, UNSAFE)
    assert (opinion.accepts, opinion.agrees) == (None, False)
    assert opinion.sentence() == "prevail came to no end with `fw`"


def test_it_runs_inside_the_fence_without_what_else_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNIBPF_SECRET", "pin")
    body = 'sleep 0.5; echo "$(ulimit -t) $(ulimit -v) $(ulimit -c) [$UNIBPF_SECRET]"; exit 1'
    assert also.ask(script(tmp_path, body), OBJECT, SAFE).said == f"30 {2 << 20} 0 []"


def test_a_file_that_cannot_be_run_has_no_opinion(tmp_path: Path) -> None:
    assert also.ask(script(tmp_path, "#").with_name("gone"), OBJECT, SAFE).accepts is None


def test_the_older_name_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    older = script(tmp_path, "exit 0", name="check")
    assert also.find("prevail") == older
    assert also.find("prevail") != script(tmp_path, "exit 0")
    assert also.find("prevail").name == "prevail"


def test_without_the_executable_the_message_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        also.find("prevail")
    assert caught.value.code == 2
    assert "neither `prevail` nor `check` is on PATH" in str(caught.value)


def test_opinions_stand_in_the_json_beside_the_report(tmp_path: Path) -> None:
    opinion = also.ask(script(tmp_path, "exit 0"), OBJECT, SAFE)
    found = json.loads(also.with_opinions(b'{"verdict":"safe"}', [opinion]))
    assert found["verdict"] == "safe"
    assert found["also"] == [{"verifier": "prevail", "program": "fw", "accepts": True, "agrees": True, "said": ""}]
    assert also.with_opinions(b'{"verdict":"safe"}', []) == '{"verdict":"safe"}'
