"""unibpf.bus towards a server that is too old, played by a few lines of the NATS protocol."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from unibpf.bus import Bus, BusSettings, BusUnavailable
from unibpf.host import identity


@contextlib.asynccontextmanager
async def server_of_version(version: str) -> AsyncIterator[str]:
    """INFO, then PONG for every PING: as much of a server as a client needs to be connected."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": version, "max_payload": 1 << 20, "headers": True, "nonce": "n"}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_debians_server_is_refused_with_the_version_that_is_needed(tmp_path: Path) -> None:
    async with server_of_version("2.9.10") as url:
        with pytest.raises(BusUnavailable, match=r"too old: got 2\.9\.10, expected at least 2\.11"):
            await Bus.connect(BusSettings(url=url, identity=identity.create(tmp_path, "cli")))


async def test_the_oldest_version_that_is_enough_is_accepted(tmp_path: Path) -> None:
    async with server_of_version("2.11.0") as url:
        await (await Bus.connect(BusSettings(url=url, identity=identity.create(tmp_path, "cli")))).close()
