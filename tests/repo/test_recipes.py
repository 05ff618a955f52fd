"""The recipes of CONTRIBUTING.md: as many files as their titles say, all of which exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = re.findall(r"^### Add an? ([\w ]+) \((\d+) files.*?\)\n(.*?)(?=^###|\Z)", PAGE, re.MULTILINE | re.DOTALL)
SUBJECTS = [
    "element",
    "helper",
    "map type",
    "rule",
    "command",
    "subject",
    "platform",
    "network function",
    "control resource",
]


def test_there_are_nine() -> None:
    assert [name for name, _, _ in RECIPES] == SUBJECTS


@pytest.mark.parametrize(("count", "text"), [pytest.param(*recipe[1:], id=recipe[0]) for recipe in RECIPES])
def test_a_recipe_counts_its_files_and_each_exists(count: str, text: str) -> None:
    steps = re.findall(r"^(\d+)\. `([^`]+)`", text, re.MULTILINE)
    assert [number for number, _ in steps] == [str(at + 1) for at in range(int(count))]
    assert [path for _, path in steps if not (ROOT / path).is_file()] == []
