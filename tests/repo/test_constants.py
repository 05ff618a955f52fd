"""The guest has one style for the names of constants: `snake_case`, as for all else that is no type."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("guest", "tests/unit", "tests/image", "tests/support")
CONSTANT = re.compile(r"\bk[A-Z]\w+")


def test_no_constant_is_named_in_another_style() -> None:
    sources = [
        path
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".cpp", ".hpp", ".py", ".S"}
    ]
    assert len(sources) > 250
    found = {str(path.relative_to(ROOT)): names for path in sources if (names := CONSTANT.findall(path.read_text()))}
    assert not found
