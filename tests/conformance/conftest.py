"""What conformance tests share: the assembler and a runner in a directory of their own."""

from pathlib import Path

import pytest

from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import Runner


@pytest.fixture(scope="session")
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


@pytest.fixture
def runner(bin_directory: Path, tmp_path: Path) -> Runner:
    return Runner(executable=bin_directory / "unibpf-run", directory=tmp_path)
