"""Opening a connection, and saying why it could not be opened."""

import asyncio
import contextlib
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError

from unibpf.bus.connection.violations import Violations
from unibpf.bus.errors import BusUnavailable
from unibpf.host.identity import Identity

MINIMUM_SERVER: Final = (2, 11)
RECONNECT_SECONDS: Final = 0.1


async def open_client(url: str, identity: Identity, violations: Violations, *, patience: float) -> Client:
    """A connected client that reconnects for ever; raises BusUnavailable within `patience` seconds."""
    client = Client()
    connecting = asyncio.ensure_future(_connect(client, url, identity, violations))
    refused = asyncio.ensure_future(violations.unauthorized.wait())
    waiting: set[asyncio.Future[object]] = {connecting, refused}  # type: ignore[arg-type]
    await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    refused.cancel()
    if violations.unauthorized.is_set():
        await _abandon(client, connecting)
        raise BusUnavailable(f"the server at `{url}` does not know the key of `{identity.name}`")
    if not connecting.done() or connecting.exception() is not None:
        cause = violations.last_error or (connecting.exception() if connecting.done() else None)
        await _abandon(client, connecting)
        raise BusUnavailable(f"no NATS server answers at `{url}` ({cause or 'timeout'}); is `unibpf up` running?")
    await _check_version(client, url)
    return client


async def barrier(client: Client) -> None:
    """Return once the server has handled everything sent before.

    nats-py writes the PING of a flush past its own buffer, so the first one may overtake what it should follow.
    """
    await client.flush()
    await client.flush()


async def _connect(client: Client, url: str, identity: Identity, violations: Violations) -> None:
    await client.connect(
        url.split(","),
        name=identity.name,
        nkeys_seed_str=identity.seed,
        inbox_prefix=f"_INBOX_{identity.name}",
        error_cb=violations.on_error,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]
    )


async def _check_version(client: Client, url: str) -> None:
    version = client.connected_server_version
    if (version.major, version.minor) < MINIMUM_SERVER:
        await client.close()
        least = ".".join(map(str, MINIMUM_SERVER))
        got = f"{version.major}.{version.minor}.{version.patch}"
        raise BusUnavailable(f"the server at `{url}` is too old: got {got}, expected at least {least}")


async def _abandon(client: Client, connecting: "asyncio.Future[None]") -> None:
    # A try that fails in that moment swallows the end (asyncio.wait_for), and the client would try on.
    while not connecting.done():
        connecting.cancel()
        await asyncio.wait({connecting}, timeout=0.1)
    await asyncio.gather(connecting, return_exceptions=True)
    with contextlib.suppress(NatsError, NoServersError, OSError, AssertionError):  # the last: it never began
        await client.close()
