"""A real server on a disk that fills up and gets room again: it is restarted, and takes writes as before."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.folders import short_folder
from tests.support.services.services import eventually
from unibpf.bus import Bus, BusError, BusSettings, topology
from unibpf.bus.embedded import EmbeddedServer, answers
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup
from unibpf.host import identity
from unibpf.stack.server_watch import ServerWatch
from unibpf.stack.supervisor import Command, Supervisor
from unibpf.subjects import SERVICES

DISK_BYTES = 24 << 20


@pytest.fixture
def small_disk():
    with short_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        done = subprocess.run(mount, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as full:
        try:
            while True:
                full.write(bytes(4096))
        except OSError:
            return


async def write(bus: Bus) -> bool | None:
    """True once the guests' bucket takes a value."""
    try:
        async with asyncio.timeout(2):
            await (await bus.kv(topology.GUESTS)).change("g1", lambda _: os.urandom(4000))
    except (BusError, TimeoutError):
        return None
    return True


async def test_a_server_that_keeps_the_error_of_a_full_disk_is_restarted_once_there_is_room(small_disk: Path) -> None:
    keys = small_disk / "keys"
    identities = [identity.create(keys, name) for name in (OPERATOR, *SERVICES)]
    server = EmbeddedServer(directory=small_disk / "nats", identities=identities)
    log = small_disk / "nats.log"
    supervisor = Supervisor(lambda _: None)
    await supervisor.start(Command(name="nats", arguments=server.prepare(), environment=dict(os.environ), log=log))
    try:
        await eventually(lambda: asyncio.to_thread(lambda: answers(server.port) or None), what="the server")
        watch = ServerWatch(
            log=log, store=small_disk, restart=lambda: supervisor.restart("nats"), room_bytes=DISK_BYTES // 4
        )
        settings = BusSettings(url=server.url, identity=identity.load(keys, OPERATOR), timeout=1.0)
        async with await Bus.connect(settings) as bus:
            await setup.init(bus.jetstream)
            assert await write(bus)
            fill(small_disk / "big")
            assert await write(bus) is None and not await watch.look()
            (small_disk / "big").unlink()
            assert await write(bus) is None, "the server keeps its error"
            first = supervisor.pids()["nats"]
            await watch.look()  # from here on it is known that there is room
            assert await write(bus) is None, "and goes on keeping it"
            assert await watch.look()
            await eventually(lambda: write(bus), what="a write")
            assert supervisor.pids()["nats"] != first and not await watch.look()
    finally:
        await supervisor.stop()
