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


# Files that a README names and that come to be where things run.
WRITTEN = {
    "host/kvm-probe.json",
    "hsm/trusted-signers.json",
    "boot.json",
    "outcomes.json",
    "floors.json",
    "host.toml",
    "trusted-signers.json",
    "demo.json",
}
SECTIONS = {"unibpf/filter", "unibpf/classifier", "unibpf/rewriter"}  # of ELF objects
SUFFIXES = "py|pyi|[ch]pp|[chS]|md|txt|svg|json|toml|cddl|click|test|case|ld|lock|o"


def expanded(word: str) -> list[str]:
    """`a/{b,c}.hpp` is two words."""
    found = re.search(r"\{([^{}]*)\}", word)
    if found is None:
        return [word]
    return [
        each for part in found[1].split(",") for each in expanded(word[: found.start()] + part + word[found.end() :])
    ]


def words(text: str) -> set[str]:
    """Back-ticked words that could be paths, braces taken apart; programs and transcripts aside."""
    return {each for word in re.findall(r"`([\w./{},*-]+)`", text) for each in expanded(word)}


def exists(folder: Path, name: str) -> bool:
    """A file or folder, or at least one that a pattern matches."""
    return any(True for _ in folder.glob(name.rstrip("/"))) if "*" in name else (folder / name).exists()


def named_paths(text: str) -> set[str]:
    """Words that begin with one of the repository's top-level names."""
    return {word for word in words(text) - SECTIONS if "/" in word and word.split("/")[0] in TOP_LEVEL}


def named_entries(text: str) -> set[str]:
    """Words of a folder's README that name files, or folders by their last letter, and begin at no top-level name."""
    named = {word for word in words(text) if word.endswith("/") or re.fullmatch(rf"[\w./*-]+\.({SUFFIXES})", word)}
    return {word for word in named - WRITTEN if word.split("/")[0] not in TOP_LEVEL or word in TOP_LEVEL}


def links(text: str) -> set[str]:
    """What Markdown links and pictures point to inside the repository."""
    return {target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    assert {path for path in named_paths(text) if not exists(ROOT, path)} == set()
    assert {target for target in links(text) if not exists(document.parent, target)} == set()


@pytest.mark.parametrize(
    "document", [path for path in DOCUMENTS if path.name == "README.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_entry_that_a_readme_names_is_in_its_folder(document: Path) -> None:
    here = document.parent
    missing = {
        entry
        for entry in named_entries(document.read_text())
        if not exists(here, entry) and not exists(ROOT, entry) and not any(here.rglob(entry.rstrip("/")))
    }
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
    assert {"push", "verify", "run", "up"} <= named
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
