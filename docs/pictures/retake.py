"""Puts another run of the demo into docs/demo.md, README.md and docs/demo.svg:

.venv/bin/unibpf demo 2>&1 | python docs/pictures/retake.py
"""

import re
import sys
from pathlib import Path

from record import DOCS, recording

BLOCK = re.compile(r"(<!-- demo -->\n).*?(<!-- /demo -->)", re.DOTALL)
FRONT = (r"2  ", r"   verified ", r"4  ", r"   active ", r"5  ", r"   replayed ", r"6  ", r"   \d+ packets sent")


def put(page: Path, lines: list[str]) -> None:
    """Replace what stands between the page's marks."""
    block = "".join(f"    {line}".rstrip() + "\n" for line in lines)
    page.write_text(BLOCK.sub(lambda found: found[1] + block + found[2], page.read_text()))


if __name__ == "__main__":
    run = sys.stdin.read().strip("\n").splitlines()
    put(DOCS / "demo.md", run)
    put(DOCS.parent / "README.md", [next(line for line in run if re.match(begin, line)) for begin in FRONT])
    (DOCS / "demo.svg").write_text(recording((DOCS / "demo.md").read_text()))
