"""`tests/fuzz/run`: what `make fuzz` calls. The native targets take a minute to build: only `make fuzz` does."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "tests/fuzz/run", *words], capture_output=True, text=True, check=False)


def test_a_short_run_of_the_front_end_finds_nothing() -> None:
    done = fuzz("1", "frontend")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"frontend +[1-9][0-9]* inputs, nothing found\n", done.stdout)


def test_a_wrong_call_is_told_with_what_there_is() -> None:
    done = fuzz("1", "nonsense")
    assert done.returncode == 2
    assert "no target `nonsense`, expected some of: analyser boot bundle" in done.stderr
    assert "got `soon` seconds" in fuzz("soon").stderr


def test_every_target_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "tests/fuzz/README.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    targets = {path.stem.removeprefix("fuzz_") for path in (ROOT / "tests/fuzz").rglob("fuzz_*.cpp")}
    assert named == targets | {"frontend"}
