"""Comments cite the design as "design N": the section is there, and says what it is about."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTIONS = set(re.findall(r"^## (\d+)\. \w", (ROOT / "docs/design.md").read_text(), re.MULTILINE))
CITATION = re.compile(r"\bdesign,? (?:section )?(\d+)", re.IGNORECASE)


def citations() -> list[tuple[str, str]]:
    """File and section, for each."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.suffix != ".svg" and path.is_file():
            found += [(name, section) for section in CITATION.findall(path.read_bytes().decode(errors="replace"))]
    return found


def test_every_section_that_is_cited_exists() -> None:
    cited = citations()
    assert len(cited) > 40
    assert [(name, section) for name, section in cited if section not in SECTIONS] == []


def test_the_sections_are_numbered_without_a_gap() -> None:
    assert sorted(map(int, SECTIONS)) == list(range(1, len(SECTIONS) + 1))
