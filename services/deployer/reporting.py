"""Tell the bus what became of a guest: events for those who listen, observed state for those who look."""

import logging

from services.deployer.machines.console import Ready
from services.deployer.machines.hypervisor import Running
from unibpf import subjects, tracing
from unibpf.bus import Bus, BusError
from unibpf.bus.topology import GUESTS_OBSERVED
from unibpf.host.guest_folder import Boot
from unibpf.messages.guests import GuestEvent, GuestObserved, GuestSpec, GuestState

logger = logging.getLogger(__name__)


class Reporter:
    """Writes the observed state first: whoever hears an event finds the state at least as new."""

    def __init__(self, *, bus: Bus, host: str) -> None:
        self._bus = bus
        self._host = host

    async def booting(self, boot: Boot) -> None:
        """The guest is about to be started."""
        await self._tell(self._observed(boot, "booting"))

    async def running(self, boot: Boot, running: Running, ready: Ready) -> None:
        """The guest is ready; its boot becomes two spans: execution to entry, entry to ready."""
        boot_ms = None
        if running.exec_ns is not None:
            boot_ms = round((ready.seen_ns - running.exec_ns) / 1e6, 3)
            _record_boot(boot.spec.guest, running.exec_ns, ready)
        await self._tell(self._observed(boot, "running", pid=running.pid, boot_ms=boot_ms))

    async def failed(self, spec: GuestSpec, reason: str) -> None:
        """The guest does not run and should; it is tried again."""
        observed = GuestObserved(
            guest=spec.guest,
            state="failed",
            audience=spec.audience,
            host=self._host,
            reason=reason,
            machine=spec.machine,
        )
        try:
            await self._tell(observed)
        except BusError as error:
            logger.warning("could not report `%s` as failed: %s", spec.guest, error)

    async def stopped(self, guest: str, boot: Boot | None) -> None:
        """The guest was deleted."""
        bucket = await self._bus.kv(GUESTS_OBSERVED)
        entry = await bucket.get(guest)
        if entry is not None and entry.decode(GuestObserved).host == self._host:
            await bucket.delete(guest, entry.revision)
        event = GuestEvent(guest=guest, state="stopped", host=self._host, machine=boot.machine if boot else "")
        await self._bus.publish(subjects.guest_state("stopped", guest), event)

    def _observed(
        self, boot: Boot, state: GuestState, *, pid: int | None = None, boot_ms: float | None = None
    ) -> GuestObserved:
        return GuestObserved(
            guest=boot.spec.guest,
            state=state,
            audience=boot.spec.audience,
            host=self._host,
            programs=boot.spec.programs,
            pid=pid,
            machine=boot.machine,
            accel=boot.accel,
            control=boot.control,
            boot_ms=boot_ms,
            restarts=boot.restarts,
            networks=boot.networks,
            graph_digest=boot.graph_digest,
            boot_id=boot.boot_id,
        )

    async def _tell(self, observed: GuestObserved) -> None:
        await (await self._bus.kv(GUESTS_OBSERVED)).change(observed.guest, lambda _: observed)
        event = GuestEvent(
            guest=observed.guest,
            state=observed.state,
            host=self._host,
            reason=observed.reason,
            boot_ms=observed.boot_ms,
            machine=observed.machine,
            accel=observed.accel,
            pid=observed.pid,
        )
        await self._bus.publish(subjects.guest_state(observed.state, observed.guest), event)


def _record_boot(guest: str, exec_ns: int, ready: Ready) -> None:
    entry_ns = max(exec_ns, ready.seen_ns - ready.entry_ns)
    tracing.record("machine start", start_ns=exec_ns, end_ns=entry_ns, service=f"guest/{guest}")
    tracing.record("guest start", start_ns=entry_ns, end_ns=max(entry_ns, ready.seen_ns), service=f"guest/{guest}")
