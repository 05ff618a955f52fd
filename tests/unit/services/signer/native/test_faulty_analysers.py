"""The holes that the analyser had: what it certified then, the checker refuses (tests/data/certificates)."""

from pathlib import Path

import pytest

from tests.support.programs.certificates import Tools
from unibpf.host.settings import REPOSITORY

LIES = sorted((REPOSITORY / "tests/data/certificates").glob("*.txt"))


@pytest.mark.parametrize("path", LIES, ids=lambda path: path.stem)
def test_a_hole_that_the_analyser_had_is_caught_by_the_checker(path: Path, bin_directory: Path) -> None:
    fields = dict(line.split(" = ") for line in path.read_text().splitlines() if not line.startswith("#"))
    tools = Tools(folder=bin_directory)
    bundle = bytes.fromhex(fields["bundle"])
    answer = tools.check(bundle, bytes.fromhex(fields["certificate"]))
    assert (answer["verdict"], answer["rule"]) == ("refused", "certificate-unproved"), answer
    report, certificate = tools.analyse(bundle)
    assert (report["verdict"], certificate) == ("unsafe", None)


def test_each_kind_of_hole_is_there() -> None:
    assert {"ldsx_ctx", "ldsx_half_pointer", "null_join_moved"} <= {path.stem for path in LIES}
