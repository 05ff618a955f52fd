"""Every folder of the first and second level has a README of at most 25 lines with the headings of its kind."""

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 25
SERVICE = ["Hears", "Says", "Holds", "Refuses", "Metrics"]
FUNCTION = ["Programs", "State", "Graph", "Guest"]
FOLDER = ["Holds", "Rules", "Read first", "Tests"]


def folders() -> list[str]:
    """Of tracked files; hidden ones aside."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    parents = {parent for name in filter(None, names.split("\0")) for parent in PurePosixPath(name).parents}
    return sorted(str(path) for path in parents if len(path.parts) in (1, 2) and not str(path).startswith("."))


def headings(folder: str) -> list[str]:
    """What the README of such a folder is divided by."""
    if folder == "vnfs/include":
        return FOLDER
    above = folder.rpartition("/")[0]
    return {"services": SERVICE, "vnfs": FUNCTION}.get(above, FOLDER)


@pytest.mark.parametrize("folder", folders())
def test_a_folder_has_a_short_readme_of_its_kind(folder: str) -> None:
    page = ROOT / folder / "README.md"
    assert page.exists(), f"write {folder}/README.md: {', '.join(headings(folder))}"
    lines = page.read_text().splitlines()
    assert lines[0] in (f"# {folder}", f"# {Path(folder).name}")
    assert len(lines) <= MOST_LINES
    assert re.findall(r"^(?:- )?\*\*([A-Z][a-z ]+?)\*\*", page.read_text(), re.MULTILINE) == headings(folder)
