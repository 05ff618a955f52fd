"""A live guest, once as a process and once as the image in a VM, whose only peer is the test.

A module may have a `program` of its own; its guests then start with that.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.guests import live_guest
from tests.support.guests.live_guest import LiveGuest, Machine, first_program
from tests.support.signing.signing import Signer


@pytest.fixture(scope="module", params=["process", "microvm"])
def machine(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def program() -> bytes:
    """What element `fw` starts with, as sequence 10."""
    return live_guest.V1


@pytest.fixture
def guest(machine: Machine, bin_directory: Path, signer: Signer, program: bytes) -> Iterator[LiveGuest]:
    """A fresh guest."""
    image = live_guest.boot(signer, programs=[first_program(signer, program, sequence=10)])
    with live_guest.running(machine, bin_directory, image) as live:
        yield live


@pytest.fixture(scope="module")
def lasting(machine: Machine, bin_directory: Path, signer: Signer, program: bytes) -> Iterator[LiveGuest]:
    """One guest for all refusals of a module: none of them may change it."""
    image = live_guest.boot(signer, programs=[first_program(signer, program, sequence=10)])
    with live_guest.running(machine, bin_directory, image) as live:
        yield live
