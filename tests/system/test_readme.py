"""The README's transcript is what a user sees: the same lines but for numbers, ports and digests."""

import re
from pathlib import Path

from tests.support.cli import Cli

ROOT = Path(__file__).parents[2]


def shape(text: str) -> set[str]:
    """Lines without what differs from run to run: numbers, digests, padding, the order of services and of equal steps."""
    text = re.sub(r"(/tmp|build)/[\w/.-]+", "PATH", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "TRACE", text)
    text = re.sub(r"probed once: .*", "probed once: RESULT", text)
    text = re.sub(r"under (kvm|tcg):", "under ACCELERATOR:", text)
    text = re.sub(r"\d+(\.\d+)?", "N", text)
    text = re.sub(r"[│├└─]", " ", text)
    return {re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines() if line.strip()}


def test_the_transcript_in_the_readme_is_what_the_demo_prints(short_folder: Path) -> None:
    block = re.search(r"<!-- demo -->\n(.*?)<!-- /demo -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert block is not None
    answer = Cli(short_folder / "readme").run("demo", "--output", str(short_folder / "readme.json"), timeout=120)
    assert shape(answer.err) == shape(block.group(1))
