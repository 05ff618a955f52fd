"""docs/demo.md is what a user sees: the same lines but for numbers, ports and digests."""

import re
from pathlib import Path

from tests.support.services.cli import Cli
from tests.support.transcript import shape

ROOT = Path(__file__).parents[2]


def test_the_transcript_of_the_page_is_what_the_demo_prints(short_folder: Path) -> None:
    block = re.search(r"<!-- demo -->\n(.*?)<!-- /demo -->", (ROOT / "docs/demo.md").read_text(), re.DOTALL)
    assert block is not None
    answer = Cli(short_folder / "page").run("demo", "--output", str(short_folder / "page.json"), timeout=120)
    told = "".join(line for line in answer.err.splitlines(keepends=True) if not line.startswith("   stall: "))
    assert shape(told) == shape(block.group(1))  # a machine that stalled says so in a line of its own
