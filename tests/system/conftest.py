"""One embedded stack for all system tests that do not break it, in a state directory with a short path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import folders
from tests.support.guests.linux_vm import LinuxVm, running_linux
from tests.support.programs.assembler import Assembler
from tests.support.services.cli import Cli, StackProcess


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """One for all tests that keep to files of their own."""
    with folders.short_folder() as made:
        yield made


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh one, for a VM and its sockets."""
    with folders.short_folder() as made:
        yield made


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
def assembler(bin_directory: Path) -> Assembler:
    return Assembler(bin_directory / "unibpf-run")


@pytest.fixture(scope="session")
def linux_vm(bin_directory: Path) -> Iterator[LinuxVm]:
    """One for all tests that need a Linux with protection keys: it runs one guest process at a time."""
    with folders.short_folder() as made, running_linux(bin_directory, made) as vm:
        yield vm
