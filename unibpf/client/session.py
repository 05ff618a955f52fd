"""A connection to the bus as the environment describes it: state directory, servers, key."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nats.errors import TimeoutError as NatsTimeout

from unibpf import tracing
from unibpf.bus import Bus, BusSettings, PermissionDenied
from unibpf.host import identity
from unibpf.host.settings import StatePaths, nats_url
from unibpf.subjects import CLI


def state_paths() -> StatePaths:
    """The state directory of this call."""
    return StatePaths.from_environment(os.environ)


@asynccontextmanager
async def open_bus(name: str = CLI) -> AsyncIterator[Bus]:
    """A connection under identity `name`, whose key lies in the state directory or in `$UNIBPF_NKEY_FILE`."""
    paths = state_paths()
    tracing.init(name)
    key_file = os.environ.get("UNIBPF_NKEY_FILE")
    directory = Path(key_file).parent if key_file else paths.keys
    settings = BusSettings(
        url=nats_url(os.environ, paths), identity=identity.load(directory, Path(key_file).stem if key_file else name)
    )
    async with await Bus.connect(settings) as bus:
        try:
            yield bus
        except NatsTimeout as error:
            if bus.refused is None:
                raise
            raise PermissionDenied(f"`{bus.identity.name}` may not use `{bus.refused}`") from error
