"""The adapter of the deployer: commands in, desired state to KV, changes of anything to the next look.

A command is done when the desired state is in KV; carrying it out is the reconciler's, which needs no command for it and
goes on after a crash. No decision is made here.
"""

import asyncio
import contextlib
import logging
import time

import msgspec
from opentelemetry.context import get_current

from services.deployer.assembly import Assembly
from services.deployer.errors import DeployerError
from services.deployer.kvm_probe import Probe
from services.deployer.leases import Leases
from services.deployer.reconciler import Reconciler
from services.deployer.reporting import Reporter
from services.deployer.settings import Settings
from unibpf import subjects
from unibpf.bus import Bucket, Bus, BusError, Received, Reject
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED, LEASES
from unibpf.messages import GuestObserved, GuestSpec, HostStatus

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5


class Deployer:
    """One host's deployer on one bus."""

    def __init__(self, *, bus: Bus, settings: Settings, assembly: Assembly, probe: Probe) -> None:
        self._bus = bus
        self._settings = settings
        self._assembly = assembly
        self._probe = probe
        self._reconciler = Reconciler(
            assembly=assembly,
            reporter=Reporter(bus=bus, host=settings.host),
            claim=self._claim,
            boot_timeout=settings.boot_timeout,
        )
        self._held: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled; guests go on afterwards."""
        await self._assembly.open(self._reconciler.on_ended)
        try:
            await self._bus.serve(
                "unibpf-deployer",
                {subjects.deployer_status(self._settings.host): self.on_status},
                description="guests of a host",
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(self._bus.consume("deployer", self.on_command), name="commands")
                group.create_task(self._watch(), name="watch")
                group.create_task(self._reconcile(), name="reconcile")
        finally:
            await self._reconciler.finish()
            await self._assembly.close()

    async def on_command(self, message: Received) -> None:
        """`guest.apply.<guest>` and `guest.delete.<guest>`: write what is desired."""
        command, guest = message.tokens[-2:]
        bucket = await self._bus.kv(GUESTS)
        if command == "delete":
            self._reconciler.caused(guest, get_current())
            await bucket.delete(guest)
            return
        spec = message.decode(GuestSpec)
        if spec.guest != guest:
            raise Reject("guest", f"the subject names `{guest}` and the message `{spec.guest}`")
        self._reconciler.caused(guest, get_current())
        await bucket.change(guest, lambda entry: None if entry and _same(entry.value, spec) else spec)

    async def on_status(self, _message: Received) -> HostStatus:
        """The guests of this host."""
        entries = await (await self._bus.kv(GUESTS_OBSERVED)).entries()
        observed = [entry.decode(GuestObserved) for entry in entries]
        return HostStatus(
            host=self._settings.host,
            accel=self._probe.accel,
            accel_reason=self._probe.reason,
            guests=[guest for guest in observed if guest.host == self._settings.host],
        )

    async def _watch(self) -> None:
        """Any change of the desired state leads to a look."""
        while True:
            try:
                async for _ in (await self._bus.kv(GUESTS)).watch():
                    self._reconciler.wake.set()
            except BusError as error:
                logger.warning("the desired state can't be watched: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _reconcile(self) -> None:
        while True:
            self._reconciler.wake.clear()
            try:
                await self._reconciler.look(await self._desired())
            except (BusError, DeployerError) as error:
                logger.warning("a look at the guests failed: %s", error)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                logger.exception("a look at the guests failed")
                await asyncio.sleep(PAUSE_SECONDS)
            await self._until_next_look()

    async def _until_next_look(self) -> None:
        due = self._reconciler.next_due()
        wait = self._settings.tick if due is None else min(self._settings.tick, max(0.0, due - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._reconciler.wake.wait()

    async def _desired(self) -> dict[str, GuestSpec]:
        """The guests that this host is to run: meant for it or for any, and claimed."""
        leases = await self._leases()
        desired = {}
        for spec in await self._specs(await self._bus.kv(GUESTS)):
            is_for_us = spec.host in {None, self._settings.host}
            if is_for_us and await leases.claim(spec.guest, time.time()):
                desired[spec.guest] = spec
        for guest in self._held - set(desired):
            await leases.release(guest)
        self._held = set(desired)
        return desired

    async def _leases(self) -> Leases:
        return Leases(bucket=await self._bus.kv(LEASES), host=self._settings.host, seconds=self._settings.lease)

    async def _claim(self, guest: str) -> bool:
        return await (await self._leases()).claim(guest, time.time())

    async def _specs(self, bucket: Bucket) -> list[GuestSpec]:
        specs = []
        for entry in await bucket.entries():
            try:
                specs.append(entry.decode(GuestSpec))
            except msgspec.MsgspecError as error:
                logger.warning("desired guest `%s` can't be read: %s", entry.key, error)
        return specs


def _same(value: bytes | None, spec: GuestSpec) -> bool:
    return value == msgspec.json.encode(spec)
