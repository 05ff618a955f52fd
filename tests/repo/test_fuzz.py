"""`tests/fuzz/run`: what `make fuzz` calls. Here every target is built, quickly, and runs for two seconds from its seeds."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_PYTHON = {"frontend", "compare"}


def fuzz(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "tests/fuzz/run", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)


def native_targets() -> set[str]:
    return {path.stem.removeprefix("fuzz_") for path in (ROOT / "tests/fuzz").rglob("fuzz_*.cpp")}


def test_a_short_run_of_every_target_finds_nothing() -> None:
    done = fuzz("2")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = re.findall(r"^(\w+) +[1-9][0-9]* inputs, nothing found$", done.stdout, re.MULTILINE)
    assert set(ran) == native_targets() | IN_PYTHON


def test_a_plug_in_on_path_is_compared_with_and_others_are_named(bin_directory: Path, tmp_path: Path) -> None:
    """Our own plug-in stands in for another project's: it speaks the same protocol."""
    (tmp_path / "ubpf_plugin").symlink_to(bin_directory / "unibpf-conformance")
    done = fuzz("1", "compare", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^    compared with: .*ubpf_plugin$", done.stdout, re.MULTILINE), done.stdout
    assert "    skipped: rbpf_plugin is not here\n" in done.stdout


@pytest.mark.parametrize("answer", ["echo 1", "exit 1"])
def test_a_plug_in_that_ends_otherwise_is_a_finding(answer: str, tmp_path: Path) -> None:
    plugin = tmp_path / "rbpf_plugin"
    plugin.write_text(f"#!/bin/sh\n{answer}\n")
    plugin.chmod(0o755)
    done = fuzz("1", "compare", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "rbpf_plugin ends with" in done.stderr, done.stderr


def test_a_wrong_call_is_told_with_what_there_is() -> None:
    done = fuzz("1", "nonsense")
    assert done.returncode == 2
    assert "no target `nonsense`, expected some of: analyser boot bundle" in done.stderr
    assert "got `soon` seconds" in fuzz("soon").stderr


def test_every_target_is_in_the_readme() -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "tests/fuzz/README.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == native_targets() | IN_PYTHON
