"""Fixtures that any test may ask for: `bare_nats`, `nats`, `hsm_token`, `bin_directory`. Each test gets fresh ones."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.services.nats import NatsFixture, create_topology, running_server
from tests.support.signing.hsm import HsmFixture, make_token
from unibpf.host.settings import binary_directory


def pytest_configure() -> None:
    """Hear SIGINT: a shell starts what runs in the background deaf to it, and so would be every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def bare_nats(tmp_path: Path) -> Iterator[NatsFixture]:
    """A real server without streams."""
    with running_server(tmp_path / "state") as fixture:
        yield fixture


@pytest.fixture
async def nats(bare_nats: NatsFixture) -> AsyncIterator[NatsFixture]:
    """A real server with the whole topology."""
    await create_topology(bare_nats)
    yield bare_nats


@pytest.fixture
def hsm_token(tmp_path: Path) -> HsmFixture:
    """A real SoftHSM2 token with a signing key, in the same state directory as `nats` uses."""
    return make_token(tmp_path / "state")


@pytest.fixture(scope="session")
def bin_directory() -> Path:
    """Native executables; a test that needs one fails when it is not built."""
    return binary_directory(os.environ)
