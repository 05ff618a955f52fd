"""Hands for tests that apply guests and wait for what becomes of them."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.services.nats import NatsFixture
from tests.support.services.services import eventually, running
from tests.support.signing.release import TestSigner
from unibpf import subjects
from unibpf.bus.topology import GUESTS_OBSERVED
from unibpf.formats import bundle
from unibpf.host.guest_folder import GuestFolder
from unibpf.messages.elements import ElementEvent
from unibpf.messages.guests import GuestObserved, GuestSpec, Nic

GRAPH = """\
control :: Control;
fw :: BPFFilter(PROGRAM firewall);
FromDevice(in0) -> fw -> out :: Queue(64) -> ToDevice(out0);
fw[1] -> Discard;
"""


def spec(**changes) -> GuestSpec:
    """A guest with one BPF element between two stream networks."""
    base = {
        "guest": "g1",
        "audience": "edge",
        "graph": GRAPH,
        "nics": [Nic(name="in0", network="left"), Nic(name="out0", network="right")],
        "programs": {"fw": "firewall"},
    }
    return GuestSpec(**(base | changes))


def filter_bundle(verdict: int, *maps: bundle.BundleMap) -> bytes:
    """The smallest filter: `return verdict`; it leaves its maps alone."""
    code = bytes([0xB7, 0, 0, 0, verdict, 0, 0, 0]) + bytes([0x95, 0, 0, 0, 0, 0, 0, 0])  # RFC 9669 4.1, 4.3
    return bundle.encode(bundle.Bundle(name="firewall", kind="filter", code=code, maps=maps, outputs=2))


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Bench:
    """Apply, delete, release, wait; guests that a test leaves behind are ended by their pids."""

    def __init__(self, *, nats: NatsFixture, signer: TestSigner, cli) -> None:
        self.paths, self.signer, self.cli = nats.paths, signer, cli

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, nats: NatsFixture) -> AsyncIterator["Bench"]:
        async with nats.buses("signer", "cli") as (signer_bus, cli):
            signer = TestSigner(bus=signer_bus)
            signer.write_trusted(nats.paths.trusted_signers)
            await signer.serve()
            bench = cls(nats=nats, signer=signer, cli=cli)
            try:
                yield bench
            finally:
                await bench.end_guests()

    @classmethod
    @contextlib.asynccontextmanager
    async def with_services(cls, nats: NatsFixture, binaries: Path, folder: Path) -> AsyncIterator["Bench"]:
        """The same with a deployer and a reconfigurer, for guests of the build; their logs are in `folder`."""
        environment = nats.environment() | {"UNIBPF_BIN": str(binaries), "UNIBPF_ACCEL": "tcg", "UNIBPF_TICK": "0.5"}
        async with (
            cls.on(nats) as bench,
            running("deployer", environment=environment, log=folder / "deployer.log"),
            running("reconfigurer", environment=environment, log=folder / "reconfigurer.log"),
        ):
            yield bench

    async def end_guests(self) -> None:
        for entry in await (await self.cli.kv(GUESTS_OBSERVED)).entries():
            pid = entry.decode(GuestObserved).pid
            if pid and is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    async def apply(self, wanted: GuestSpec) -> None:
        await self.cli.publish(subjects.guest_apply(wanted.guest), wanted)

    async def delete(self, guest: str) -> None:
        await self.cli.publish(subjects.guest_delete(guest), b"")

    async def release(self, data: bytes, **fields):
        return await self.signer.release(data, program="firewall", audience="edge", **fields)

    async def observed(self, guest: str) -> GuestObserved | None:
        entry = await (await self.cli.kv(GUESTS_OBSERVED)).get(guest)
        return entry.decode(GuestObserved) if entry else None

    async def when(self, guest: str, holds, what: str = "the guest") -> GuestObserved:
        async def look():
            found = await self.observed(guest)
            return found if found and holds(found) else None

        return await eventually(look, what=what)

    async def running(self, guest: str) -> GuestObserved:
        return await self.when(guest, lambda it: it.is_live, "a running guest")

    async def events(self, guest: str) -> list[ElementEvent]:
        found = self.cli.history("UNIBPF_EVENTS", f"unibpf.v1.element.*.{guest}.*")
        return [message.decode(ElementEvent) async for message in found]

    async def event(self, guest: str, state: str, *, number: int = 1) -> ElementEvent:
        async def look():
            found = [event for event in await self.events(guest) if event.state == state]
            return found[number - 1] if len(found) >= number else None

        return await eventually(look, what=f"`{state}` of `{guest}`")

    def boot(self, guest: str):
        return GuestFolder(self.paths.guests, guest).boot()
