"""`python docs/pictures/draw.py` makes an SVG beside each `*.txt` here: boxes.py or sequence.py has the language.

`make docs` runs it; `tests/repo/test_pictures.py` compares.
"""

from pathlib import Path

import boxes
import sequence

HERE = Path(__file__).parent


def rows(text: str) -> list[tuple[str, str]]:
    """A keyword and what follows it, for each line that is neither empty nor a remark."""
    lines = (line.strip() for line in text.splitlines())
    parted = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return [(keyword, rest.strip()) for keyword, _, rest in parted]


def picture(source: Path) -> str:
    """The SVG of one source."""
    found = rows(source.read_text())
    return (boxes.draw if any(keyword == "grid" for keyword, _ in found) else sequence.draw)(found).svg()


if __name__ == "__main__":
    for path in sorted(HERE.glob("*.txt")):
        path.with_suffix(".svg").write_text(picture(path))
