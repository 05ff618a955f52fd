"""docs/verify.md: every field of a report and every option of the command is on the page."""

import re
import subprocess
import sys
from pathlib import Path

from services.verifier.commands.verify import Detailed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verify.md").read_text()


def test_every_field_of_the_report_is_explained() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.partition("## The report")[2], re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(rows) + PAGE.partition("The command adds")[2].partition(".")[0]))
    assert set(Detailed.__struct_fields__) <= named


def test_every_option_of_the_command_is_explained() -> None:
    command = [Path(sys.executable).parent / "unibpf", "verify", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    assert len(options) > 10
    assert {option for option in options if option not in PAGE} == set()
