"""One embedded stack for all system tests that do not break it, in a state directory with a short path."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.assembler import Assembler
from tests.support.cli import Cli, StackProcess
from tests.support.linux_vm import LinuxVm, running_linux


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """Unix socket paths must fit in 108 bytes, pytest's own folders do not always."""
    folder = Path(tempfile.mkdtemp(prefix="unibpf-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(short_folder: Path) -> Iterator[StackProcess]:
    running = StackProcess(short_folder / "state")
    try:
        yield running
    finally:
        for guest in running.cli.run("guest", "list", "--json").json:
            running.cli.run("guest", "delete", guest["guest"], "--wait", "--json")
        running.stop()


@pytest.fixture(scope="session")
def cli(stack: StackProcess) -> Cli:
    return stack.cli


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because of unix sockets."""
    made = Path(tempfile.mkdtemp(prefix="vm-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


@pytest.fixture(scope="session")
def linux_vm(bin_directory: Path) -> Iterator[LinuxVm]:
    """One for all tests that need a Linux with protection keys: it runs one guest process at a time."""
    with tempfile.TemporaryDirectory(prefix="vm-") as name, running_linux(bin_directory, Path(name)) as vm:
        yield vm
