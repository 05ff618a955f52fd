"""Tell the bus what became of a guest: events for those who listen, observed state for those who look."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from services.deployer.machines.console import Ready
from services.deployer.machines.hypervisor import Running
from unibpf import subjects, tracing
from unibpf.bus import Bus, BusError, Entry
from unibpf.bus.topology import GUESTS_OBSERVED
from unibpf.host.guest_folder import Boot
from unibpf.host.liveness import Liveness
from unibpf.messages.desired_maps import MapsPutBack
from unibpf.messages.guests import GuestEvent, GuestObserved, GuestSpec, GuestState, SpecRefusal, spec_digest

logger = logging.getLogger(__name__)


class Reporter:
    """Writes the observed state first: whoever hears an event finds the state at least as new.

    What was told last of each guest is remembered: it is told again where the bus has lost it (`repeat`).
    """

    def __init__(self, *, bus: Bus, host: str) -> None:
        self._bus = bus
        self._host = host
        self._told: dict[str, GuestObserved] = {}
        self._alarms: dict[str, dict[str, str]] = {}

    async def booting(self, boot: Boot) -> None:
        """The guest is about to be started."""
        await self._tell(self._observed(boot, "booting"))

    async def running(self, boot: Boot, running: Running, ready: Ready, put_back: MapsPutBack | None) -> None:
        """The guest is ready; its boot becomes two spans: execution to entry, entry to ready."""
        boot_ms = None
        if running.exec_ns is not None:
            boot_ms = round((ready.seen_ns - running.exec_ns) / 1e6, 3)
            _record_boot(boot.spec.guest, running.exec_ns, ready)
        observed = self._observed(boot, "running", pid=running.pid, boot_ms=boot_ms)
        await self._tell(with_whole(observed, boot.lacking, put_back))

    async def standing(
        self, guest: str, lacking: Mapping[str, str], liveness: Liveness, put_back: MapsPutBack | None
    ) -> None:
        """How a live guest does: what has no program now or no entries, and why; whether it answers."""
        told = self._told.get(guest)
        if told is not None and told.is_live:
            await self._tell_change(with_answers(with_whole(told, lacking, put_back or told.maps), liveness))

    async def alarm(self, guest: str, source: str, alarm: str | None) -> None:
        """Something that somebody has to look at, about a guest that goes on; None: that `source` has no more to say."""
        alarms = self._alarms.setdefault(guest, {})
        alarms.pop(source, None)
        if alarm is not None:
            alarms[source] = alarm
        told = self._told.get(guest)
        if told is not None:
            await self._tell_change(replace(told, alarm=self._alarm_of(guest)))

    def _alarm_of(self, guest: str) -> str | None:
        return "; ".join(text for _, text in sorted(self._alarms.get(guest, {}).items())) or None

    async def refused(self, guest: str, refusal: SpecRefusal | None) -> None:
        """A specification that failed while the guest goes on, or is brought back, with another."""
        told = self._told.get(guest)
        if told is not None:
            await self._tell_change(replace(told, refused=refusal))

    async def repeat(self) -> None:
        """Write again what the bus should know of this host's guests and does not."""
        bucket = await self._bus.kv(GUESTS_OBSERVED)
        known = {entry.key for entry in await bucket.entries() if entry.fault is None}
        for guest in self._told.keys() - known:
            await self._tell(self._told[guest])

    async def failed(self, spec: GuestSpec, reason: str) -> None:
        """The guest does not run and should; it is tried again."""
        observed = GuestObserved(
            guest=spec.guest,
            state="failed",
            audience=spec.audience,
            host=self._host,
            reason=reason,
            machine=spec.machine,
            spec=spec_digest(spec),
        )
        try:
            await self._tell(observed)
        except BusError as error:
            logger.warning("could not report `%s` as failed: %s", spec.guest, error)

    async def stopped(self, guest: str, boot: Boot | None) -> None:
        """The guest was deleted."""
        self._told.pop(guest, None)
        self._alarms.pop(guest, None)
        bucket = await self._bus.kv(GUESTS_OBSERVED)
        entry = await bucket.get(guest)
        if entry is not None and _host_of(entry) == self._host:
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
            spec=spec_digest(boot.spec),
            alarm=self._alarm_of(boot.spec.guest),
        )

    async def _tell_change(self, observed: GuestObserved) -> None:
        if observed != self._told.get(observed.guest):
            await self._tell(observed)

    async def _tell(self, observed: GuestObserved) -> None:
        self._told[observed.guest] = observed
        await (await self._bus.kv(GUESTS_OBSERVED)).change(observed.guest, lambda _: observed)
        event = GuestEvent(
            guest=observed.guest,
            state=observed.state,
            host=self._host,
            reason=observed.reason,
            alarm=observed.alarm,
            boot_ms=observed.boot_ms,
            machine=observed.machine,
            accel=observed.accel,
            pid=observed.pid,
            maps=observed.maps,
        )
        await self._bus.publish(subjects.guest_state(observed.state, observed.guest), event)


def with_whole(observed: GuestObserved, lacking: Mapping[str, str], put_back: MapsPutBack | None) -> GuestObserved:
    """`running` only where every element has its program, one that drops all is not running, and maps what they should have."""
    reasons = [f"element `{element}` has no program: {why}" for element, why in sorted(lacking.items())]
    reasons += put_back.problems if put_back is not None else []
    state: GuestState = "degraded" if reasons else "running"
    is_any = put_back is not None and (put_back.desired or put_back.problems)
    return replace(observed, state=state, reason="; ".join(reasons) or None, maps=put_back if is_any else None)


def with_answers(observed: GuestObserved, liveness: Liveness) -> GuestObserved:
    """`unresponsive` where nothing was heard of the guest for a while, and since when."""
    if not liveness.is_hung or liveness.boot_id != observed.boot_id:
        return observed
    since = datetime.fromtimestamp(liveness.since_us / 1e6, tz=UTC).isoformat(timespec="seconds")
    return replace(observed, state="unresponsive", reason=f"it does not answer on its control channel since {since}")


def _host_of(entry: Entry) -> str | None:
    """Whose observation it is; one that cannot be read is not ours."""
    try:
        return entry.decode(GuestObserved).host
    except msgspec.MsgspecError:
        return None


def _record_boot(guest: str, exec_ns: int, ready: Ready) -> None:
    entry_ns = max(exec_ns, ready.seen_ns - ready.entry_ns)
    tracing.record("machine start", start_ns=exec_ns, end_ns=entry_ns, service=f"guest/{guest}")
    tracing.record("guest start", start_ns=entry_ns, end_ns=max(entry_ns, ready.seen_ns), service=f"guest/{guest}")
