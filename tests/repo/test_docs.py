"""What the documents name exists: paths, make targets, commands, exit codes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from unibpf.cli.output import Exit

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
    "\0"
)
DOCUMENTS = sorted(ROOT / name for name in TRACKED if name.endswith(".md"))
TOP_LEVEL = {name.split("/")[0] for name in TRACKED if name}


def named_paths(text: str) -> set[str]:
    """Back-ticked words that look like paths of this repository: they begin with one of its top-level names."""
    words = re.findall(r"`([\w./{},*-]+)`", text)
    return {word for word in words if "/" in word and word.split("/")[0] in TOP_LEVEL and not set(word) & set("{}*")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    missing = {path for path in named_paths(document.read_text()) if not (ROOT / path).exists()}
    assert not missing


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for path in DOCUMENTS for target in re.findall(r"\bmake ([a-z]+)\b`", path.read_text())}
    assert named
    assert named <= targets


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(
        re.findall(r"unibpf ([a-z]+)", re.sub(r"^.*import.*$", "", (ROOT / "README.md").read_text(), flags=re.M))
    )
    help_text = subprocess.run(
        [sys.executable, "-m", "unibpf.cli", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert {"push", "verify", "demo", "up"} <= named
    assert {command for command in named if command not in help_text} <= {"ready"}


def test_the_exit_codes_in_the_documents_are_the_programs() -> None:
    listed = re.findall(r"^\| (\d) \|", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert [int(code) for code in listed] == [int(code) for code in Exit]


def test_the_top_level_stays_small() -> None:
    visible = {name for name in TOP_LEVEL if not name.startswith(".")}
    assert len(visible) <= 17


def test_every_barrier_of_the_threat_model_has_a_test_that_exists() -> None:
    cited = re.findall(r"`(tests/[\w/.]+?)(?:::(\w+))?`", (ROOT / "docs/threat-model.md").read_text())
    assert len(cited) > 20
    missing = [
        f"{path}::{name}"
        for path, name in cited
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text())
    ]
    assert not missing
