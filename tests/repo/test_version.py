"""One version: what pyproject.toml says is what every part says of itself."""

import re
import tomllib
from pathlib import Path

import pytest

import unibpf

ROOT = Path(__file__).parents[2]
# C++ knows no Python: its literals, each with the pattern that finds it.
LITERALS = {
    "guest/control/resources/status.cpp": r'guest_version = "([^"]+)"',
    "services/verifier/native/report/report.hpp": r'analyser_version = "([^"]+)"',
    "services/verifier/native/main.cpp": r'\\"version\\":\\"([^"\\]+)\\"',
}


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def test_the_package_says_it() -> None:
    assert version() == unibpf.VERSION


@pytest.mark.parametrize("file", LITERALS)
def test_a_literal_says_it(file: str) -> None:
    found = re.findall(LITERALS[file], (ROOT / file).read_text())
    assert found == [version()], file


def test_no_other_python_says_it() -> None:
    literal = f'"{version()}"'
    named = {
        str(path.relative_to(ROOT))
        for top in ("unibpf", "services")
        for path in (ROOT / top).rglob("*.py")
        if literal in path.read_text()
    }
    assert named == {"unibpf/__init__.py"}
