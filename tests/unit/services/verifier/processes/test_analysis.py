"""processes/analysis.py: a limited process behind a fixed contract. The seam is the executable: small scripts here,
the real analyser in tests/integration/test_verifier.py."""

import json
import stat
from pathlib import Path

import pytest

from services.verifier.errors import Broken, GaveUp
from services.verifier.processes.analysis import Analyser, AnalyserOptions

REPORT = {
    "verdict": "unsafe",
    "findings": [{"rule": "packet-bounds", "instruction": 3, "message": "read of 2 bytes", "known": ["r1 = packet"]}],
    "stack_bytes": 8,
    "instruction_bound": None,
    "loops": [{"instruction": 4, "bound": None}],
    "instructions": 5,
    "cpu_ms": 1.5,
    "peak_kib": 2000,
    "version": "1",
    "a field of a later version": 1,
}


def script(folder: Path, body: str) -> Analyser:
    path = folder / "analyser"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return Analyser(executable=path, options=AnalyserOptions(max_seconds=1))


async def test_the_analysers_json_is_read(tmp_path: Path) -> None:
    found = await script(tmp_path, f"cat >/dev/null; echo '{json.dumps(REPORT)}'").analyse(b"bundle")
    assert found.verdict == "unsafe"
    assert found.findings[0].rule == "packet-bounds"
    assert found.findings[0].known == ["r1 = packet"]
    assert found.loops == [{"instruction": 4, "bound": None}]


async def test_the_bundle_arrives_on_standard_input_and_options_as_arguments(tmp_path: Path) -> None:
    body = (
        'test "$*" = "--platform guest --termination on --budget 1000000 --max-seconds 1 --max-mebibytes 1024" || exit 9; '
        'test "$(cat)" = bundle || exit 8; echo \'{"verdict":"safe"}\''
    )
    assert (await script(tmp_path, body).analyse(b"bundle")).verdict == "safe"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        pytest.param("exit 3", "analyser-crash", id="fails"),
        pytest.param("kill -SEGV $$", "analyser-crash", id="crashes"),
        pytest.param("cat >/dev/null; echo no json", "analyser-crash", id="says something else"),
        pytest.param("""cat >/dev/null; echo '{"verdict":"perhaps"}'""", "analyser-crash", id="knows another verdict"),
        pytest.param("exec 0<&-; yes", "analyser-crash", id="never stops talking"),
        pytest.param("while :; do :; done", "limits", id="never stops computing"),
        pytest.param("sleep 60", "limits", id="never answers"),
    ],
)
async def test_an_analyser_that_misbehaves_is_given_up(tmp_path: Path, body: str, rule: str) -> None:
    with pytest.raises(GaveUp) as caught:
        await script(tmp_path, body).analyse(b"bundle" * 100_000)
    assert caught.value.rule == rule, str(caught.value)


async def test_a_missing_analyser_is_no_verdict(tmp_path: Path) -> None:
    analyser = Analyser(executable=tmp_path / "none", options=AnalyserOptions())
    with pytest.raises(Broken, match="cannot be started"):
        await analyser.analyse(b"bundle")


def test_a_missing_or_lame_executable_is_told_before_any_work(tmp_path: Path) -> None:
    script(tmp_path, "true").require()
    for path in (tmp_path / "nothing", tmp_path / "plain.txt"):
        (tmp_path / "plain.txt").write_text("not a program")
        with pytest.raises(Broken, match="there is no analyser at"):
            Analyser(executable=path, options=AnalyserOptions()).require()
