"""README.md keeps its promises: the front door is short, its transcript is the demo's, its commands do what they say.

What needs a stack is run by tests/system; here are the options, and the commands that need none.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "README.md").read_text()
COMMANDS = [
    shlex.split(line.split("  #")[0].rstrip("& "))[1:]
    for line in re.findall(r"^    (\.venv/bin/unibpf .*)$", PAGE, re.MULTILINE)
]
GROUPS = {"guest", "map", "bus"}


def unibpf(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line, as it is installed."""
    command = [str(Path(sys.executable).parent / "unibpf"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def demo(page: str) -> list[str]:
    """The lines between the marks."""
    block = re.search(r"<!-- demo -->\n(.*?)<!-- /demo -->", page, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def test_the_front_door_is_short() -> None:
    assert len(PAGE.splitlines()) <= 100


def test_its_eight_lines_of_the_demo_are_lines_of_the_whole_run_in_their_order() -> None:
    shown, whole = demo(PAGE), demo((ROOT / "docs/demo.md").read_text())
    assert len(shown) == 8
    places = [whole.index(line) for line in shown]
    assert places == sorted(places)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_has_the_options_that_the_page_gives_it(words: list[str]) -> None:
    name = words[: 2 if words[0] in GROUPS else 1]
    shown = unibpf(*name, "--help")
    assert shown.returncode == 0, shown.stderr
    assert [word for word in words if word.startswith("--") and word not in shown.stdout] == []


def test_the_commands_without_a_bus_do_what_the_page_says() -> None:
    safe, unsafe, run = (words for words in COMMANDS if words[0] in {"verify", "run"})
    assert unibpf(*safe).returncode == 0
    refused = unibpf(*unsafe)
    assert refused.returncode == 1
    assert "led here by" in refused.stderr + refused.stdout
    assert "rule_hits" in unibpf(*run).stdout
