"""What the tests of all network functions share."""

import os
from pathlib import Path

import pytest

from tests.support.programs.bundles import Runner
from unibpf.host.settings import binary_directory


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(executable=binary_directory(os.environ) / "unibpf-run", directory=tmp_path)


@pytest.fixture(scope="session")
def bin_directory() -> Path:
    return binary_directory(os.environ)
