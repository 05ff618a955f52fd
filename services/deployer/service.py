"""The adapter of the deployer: commands in, desired state to KV, changes of anything to the next look.

A command is done when the desired state is in KV; carrying it out is the reconciler's, which needs no command for it and
goes on after a crash. No decision is made here.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Set

from opentelemetry.context import get_current

from services.deployer import desires as desire
from services.deployer import host_config
from services.deployer.assembly import Assembly
from services.deployer.desired_maps import DesiredEntries
from services.deployer.desires import Desires, Wanted, still_lacking
from services.deployer.errors import DeployerError, LeaseError
from services.deployer.fencing import Fence
from services.deployer.leases import Claimed, Leases
from services.deployer.machines import console, console_file
from services.deployer.machines.kvm_probe import Probe
from services.deployer.reconciler import Reconciler
from services.deployer.reporting import Reporter
from services.deployer.settings import Settings
from unibpf import subjects
from unibpf.bus import Bus, BusError, BusNotReady, Received, Reject, ServiceError, consume
from unibpf.bus.kv import readable
from unibpf.bus.stores.health import Stores, watch
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED, LEASES
from unibpf.host.readiness import Outlook
from unibpf.messages.desired_maps import DesiredChange, DesiredChanged
from unibpf.messages.guests import GuestObserved, GuestSpec, HostStatus, spec_digest

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5


class Deployer:
    """One host's deployer on one bus."""

    def __init__(self, *, bus: Bus, settings: Settings, assembly: Assembly, probe: Probe) -> None:
        self._bus = bus
        self._settings = settings
        self._assembly = assembly
        self._probe = probe
        self._reporter = Reporter(bus=bus, host=settings.host)
        self._desired_maps = DesiredEntries(bus=bus, host=settings.host)
        self._reconciler = Reconciler(
            assembly=assembly,
            reporter=self._reporter,
            claim=self._claim,
            put_back=self._desired_maps.put_back,
            boot_timeout=settings.boot_timeout,
        )
        stores = Stores(bus, "deployer")
        self._outlook = Outlook(
            "unibpf-deployer", host=settings.host, lacks=[assembly.lacking], around=[self._host_file, stores.check]
        )
        stores.outlook = self._outlook
        self._held: set[str] = set()
        self._pinned: dict[str, int] = {}
        self._fence = Fence()

    async def run(self) -> None:
        """Work until cancelled; guests go on afterwards."""
        await self._assembly.open(self._reconciler.on_ended)
        try:
            await self._bus.serve(
                "unibpf-deployer",
                {
                    subjects.deployer_status(self._settings.host): self.on_status,
                    subjects.keep(self._settings.host): self.on_keep,
                },
                description="guests of a host",
                about=self._outlook.now,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(consume(self._bus, "deployer", self.on_command), name="commands")
                group.create_task(self._watch(), name="watch")
                group.create_task(watch(self._bus, self._outlook), name="readiness")
                group.create_task(self._reconcile(), name="reconcile")
                group.create_task(self._end_what_is_lost(), name="fence")
                group.create_task(self._bound_consoles(), name="consoles")
        finally:
            await self._reconciler.finish()
            await self._assembly.close()

    async def on_command(self, message: Received) -> None:
        """`guest.apply.<guest>` and `guest.delete.<guest>`: write what is desired."""
        command, guest = message.tokens[-2:]
        bucket = await self._bus.kv(GUESTS)
        if command == "delete":
            self._reconciler.caused(guest, get_current())
            await bucket.carry(guest, message, deletes=True)
            await self._desired_maps.forget(guest)
            return
        spec = message.decode(GuestSpec)
        if spec.guest != guest:
            raise Reject("guest", f"the subject names `{guest}` and the message `{spec.guest}`")
        self._reconciler.caused(guest, get_current())
        await bucket.carry(guest, message, deletes=False)  # also where it is the same: what was refused is tried again
        if spec.maps is not None and await self._desired_maps.from_file(guest, spec.maps):
            self._desired_maps.poke(guest)

    async def on_keep(self, message: Received) -> DesiredChanged:
        """Entries that were set are to be there after every boot."""
        try:
            return await self._desired_maps.keep(message.decode(DesiredChange))
        except Reject as error:
            raise ServiceError("400", error.reason) from error

    async def on_status(self, _message: Received) -> HostStatus:
        """The guests of this host."""
        entries = await (await self._bus.kv(GUESTS_OBSERVED)).entries()
        observed = readable(entries, GuestObserved)
        return HostStatus(
            host=self._settings.host,
            accel=self._probe.accel,
            accel_reason=self._probe.reason,
            guests=[guest for guest in observed if guest.host == self._settings.host],
            networks=sorted(self._assembly.config.networks),
            most_memory_mib=self._assembly.config.limits.memory_mib,
        )

    async def _host_file(self) -> str | None:
        """A host file that was spoilt since is found now, not at the next start."""
        try:
            await asyncio.to_thread(host_config.load, self._settings.host_file)
        except DeployerError as error:
            return f"the host file is wrong, the deployer goes on with the one that it read: {error}"
        return None

    async def _watch(self) -> None:
        """Any change of the desired state leads to a look."""
        while True:
            try:
                async with await self._bus.changes(GUESTS) as changes:
                    while True:
                        self._reconciler.wake.set()
                        await changes.next()
            except BusError as error:
                logger.warning("the desired state can't be watched: %s", error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _bound_consoles(self) -> None:
        """What a guest prints may not fill the disk."""
        while True:
            try:
                for shortened in await asyncio.to_thread(console.bound, self._assembly.guests):
                    logger.info("a console was too long and begins anew", extra={"file": shortened})
            except OSError as error:
                logger.warning("a console can't be shortened: %s", error)
            await asyncio.sleep(console_file.PAUSE_SECONDS)

    async def _reconcile(self) -> None:
        while True:
            self._reconciler.wake.clear()
            try:
                await self._look()
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

    async def _look(self) -> None:
        """One comparison. Where the bus says nothing, every guest goes on as it last booted."""
        records = await (await self._bus.kv(GUESTS)).records()
        observed = readable(await (await self._bus.kv(GUESTS_OBSERVED)).entries(), GuestObserved)
        self._fence.others_seen |= any(one.host != self._settings.host for one in observed)
        known = self._assembly.boots()
        desires = desire.read(records, host=self._settings.host, known=known)
        ours = self._settings.host
        self._pinned = {guest: one.asked_us for guest, one in desires.meant.items() if one.spec.host == ours}
        held, theirs = await self._claims({*desires.meant, *(desires.unclear.keys() & known.keys())})
        wanted = {guest: self._without_refused(guest, one) for guest, one in desires.meant.items() if guest in held}
        await self._reconciler.look(
            {guest: spec for guest, spec in wanted.items() if spec is not None},
            ended=desires.ended | theirs,
            seen={one.guest for one in observed if one.host == self._settings.host},
            revisions={guest: one.revision for guest, one in desires.meant.items()},
        )
        await self._report(desires)

    async def _claims(self, guests: Set[str]) -> tuple[set[str], set[str]]:
        """Take or renew the leases: the guests that are ours, and those that another host holds."""
        held, theirs = set[str](), set[str]()
        for guest in sorted(guests):
            try:
                claimed = await self._claim_once(guest)
            except LeaseError as error:
                logger.warning("%s", error)
                self._fence.forget(guest)
                continue
            if claimed.holder == self._settings.host:
                held.add(guest)
            elif claimed.holder is not None:
                theirs.add(guest)
        leases = await self._leases()
        for guest in self._held - guests:
            self._fence.forget(guest)
            await leases.release(guest)
        self._held = held
        return held, theirs

    async def _claim_once(self, guest: str) -> Claimed:
        """Claim, and note by the clock of the boot until when it is ours."""
        asked = time.clock_gettime(time.CLOCK_BOOTTIME)
        claimed = await (await self._leases()).claim(guest, time.time(), pinned_us=self._pinned.get(guest))
        if claimed.holder == self._settings.host:
            self._fence.confirmed(guest, asked=asked, remaining=claimed.remaining)
        else:
            self._fence.forget(guest)
            self._fence.others_seen |= claimed.holder is not None
        if claimed.before is not None:
            text = f"host `{claimed.before}` did not give it up: it may still run there, unless that host was ended"
            await self._reporter.alarm(guest, "taken over", text)
        return claimed

    async def _end_what_is_lost(self) -> None:
        """End the guests that another host may run by now, because their leases could not be renewed (fencing.py)."""
        while True:
            await asyncio.sleep(min(1.0, self._settings.lease / 20))
            pinned = {name for name, boot in self._assembly.boots().items() if boot.spec.host is not None}
            if self._due(pinned):
                await self._ask_again(self._due(pinned))
            for guest in self._due(pinned):
                if await self._reconciler.fence(guest):
                    self._fence.forget(guest)

    def _due(self, pinned: Set[str]) -> set[str]:
        return self._fence.due(time.clock_gettime(time.CLOCK_BOOTTIME), pinned=pinned)

    async def _ask_again(self, guests: Set[str]) -> None:
        """A deployer that slept finds the bus as it left it, mostly."""
        for guest in sorted(guests):
            try:
                async with asyncio.timeout(self._settings.lease / 20):
                    await self._claim_once(guest)
            except (LeaseError, BusNotReady) as error:  # the bus answers: nobody took it, as far as can be known
                logger.warning("%s", error)
                self._fence.forget(guest)
            except (BusError, TimeoutError):
                return

    def _without_refused(self, guest: str, wanted: Wanted) -> GuestSpec | None:
        """The desired specification, or the one before it where it failed here; applying it again tries it again."""
        folder = self._assembly.folder(guest)
        refusal = folder.refused_spec()
        if refusal is None:
            return wanted.spec
        if (refusal.spec, refusal.revision) == (spec_digest(wanted.spec), wanted.revision):
            return folder.good_spec()
        folder.refuse_spec(None)
        return wanted.spec

    async def _report(self, desires: Desires) -> None:
        """What is not an action: lost observations, alarms, elements that have a program by now, refusals that are over."""
        await self._reporter.repeat()
        for guest, boot in self._assembly.boots().items():
            folder = self._assembly.folder(guest)
            await self._reporter.alarm(guest, "desired", desires.unclear.get(guest))
            await self._reporter.alarm(guest, "outcomes", folder.outcomes.alarm())
            await self._reporter.refused(guest, folder.refused_spec())
            lacking = still_lacking(boot, folder.outcomes.read())
            put_back = folder.put_back.of_boot(boot.boot_id)
            await self._reporter.standing(guest, lacking, folder.liveness.read(boot.boot_id), put_back)

    async def _leases(self) -> Leases:
        bucket = await self._bus.kv(LEASES)
        return Leases(bucket=bucket, host=self._settings.host, seconds=self._settings.lease, held=self._held)

    async def _claim(self, guest: str) -> bool:
        return (await self._claim_once(guest)).holder == self._settings.host
