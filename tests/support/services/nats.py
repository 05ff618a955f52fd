"""A real nats-server for a test: own directory, free port, the topology created, an identity for everybody."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unibpf.bus import Bus, BusSettings
from unibpf.bus.embedded import EmbeddedServer
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup
from unibpf.host import identity
from unibpf.host.identity import Identity
from unibpf.host.settings import StatePaths
from unibpf.subjects import CLI, SERVICES

PUSHER = "ci"
IDENTITIES = (OPERATOR, *SERVICES, CLI, PUSHER)


@dataclass(kw_only=True)
class NatsFixture:
    """The server and its people. `paths` is a whole state directory, so that services can run on it."""

    paths: StatePaths
    server: EmbeddedServer
    identities: dict[str, Identity] = field(default_factory=dict)

    def settings(self, name: str) -> BusSettings:
        return BusSettings(url=self.server.url, identity=self.identities[name])

    async def connect(self, name: str) -> Bus:
        return await Bus.connect(self.settings(name))

    @contextlib.asynccontextmanager
    async def buses(self, *names: str) -> AsyncIterator[list[Bus]]:
        """One connected bus a name, closed at the end."""
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(await self.connect(name)) for name in names]

    def environment(self) -> dict[str, str]:
        """What a service process needs to run on this server."""
        return {"UNIBPF_STATE": str(self.paths.root), "UNIBPF_NATS_URL": self.server.url}


@contextlib.contextmanager
def running_server(root: Path, names: Sequence[str] = IDENTITIES) -> Iterator[NatsFixture]:
    """A server without topology, stopped at the end."""
    paths = StatePaths(root=root)
    paths.create()
    identities = {name: identity.create(paths.keys, name) for name in names}
    server = EmbeddedServer(directory=paths.nats, identities=identities.values())
    server.start()
    try:
        yield NatsFixture(paths=paths, server=server, identities=identities)
    finally:
        server.stop()


async def create_topology(fixture: NatsFixture) -> None:
    """What `unibpf bus init` does."""
    async with await fixture.connect(OPERATOR) as operator:
        await setup.init(operator.jetstream)
