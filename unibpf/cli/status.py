"""`unibpf status` and `unibpf guest show`: what runs, asked of those who know."""

import asyncio

import msgspec

from unibpf import subjects
from unibpf.bus import Bus, BusError, RequestFailed
from unibpf.bus.permissions import SERVICES
from unibpf.cli import guest as guests
from unibpf.cli.output import emit_fields, emit_table
from unibpf.cli.push import observed_guests
from unibpf.cli.session import open_bus, state_paths
from unibpf.identity import IdentityError
from unibpf.messages import GuestObserved, GuestQuery, GuestSpec, GuestStatus
from unibpf.stack.embedded import read_state
from unibpf.stack.supervisor import alive


class Status(msgspec.Struct, kw_only=True):
    """What `status --json` prints. `pids` are those of the embedded stack, empty where none runs on this state directory."""

    state: str
    bus: bool
    url: str | None = None
    problem: str | None = None
    pids: dict[str, int] = {}
    services: dict[str, bool] = {}
    guests: list[GuestObserved] = []


class GuestDescription(msgspec.Struct, kw_only=True):
    """What `guest show --json` prints; `guest` is the guest's own answer, None when it did not answer."""

    desired: GuestSpec | None
    observed: GuestObserved | None
    guest: GuestStatus | None = None
    problem: str | None = None


async def collect() -> Status:
    """The state of this directory's stack, of the services on the bus, and of all guests."""
    paths = state_paths()
    stack = read_state(paths)
    pids = {name: pid for name, pid in (stack.pids if stack else {}).items() if alive(pid)}
    status = Status(state=str(paths.root), bus=False, url=stack.url if stack else None, pids=pids)
    try:
        async with open_bus() as bus:
            status.bus = True
            answers = await asyncio.gather(*(bus.ping(f"unibpf-{name}") for name in SERVICES))
            status.services = dict(zip(SERVICES, answers, strict=True))
            status.guests = await observed_guests(bus)
    except (BusError, IdentityError) as error:
        status.problem = str(error)
    return status


def say(status: Status) -> None:
    """For people."""
    emit_fields({"state": status.state, "bus": (status.url or "reached") if status.bus else f"not reached: {status.problem}"})
    for name, answers in status.services.items():
        emit_fields({f"{name:<14}": f"{'answers' if answers else 'silent '}  pid {status.pids.get(name, '-')}"})
    if status.guests:
        print()
        emit_table(
            ("guest", "state", "machine", "accel", "boot ms", "programs"),
            [
                (one.guest, one.state, one.machine, one.accel, one.boot_ms or "-",
                 " ".join(f"{element}={program}" for element, program in one.programs.items()))
                for one in status.guests
            ],
        )  # fmt: skip


async def describe_guest(name: str) -> GuestDescription | None:
    """Desired, observed, and the guest's own answer; None for a guest that nobody knows."""
    async with open_bus() as bus:
        desired, observed = await guests.desired(bus, name), await guests.observed(bus, name)
        if desired is None and observed is None:
            return None
        found = GuestDescription(desired=desired, observed=observed)
        if observed is not None and observed.state == "running":
            try:
                found.guest = await guest_status(bus, observed)
            except (RequestFailed, BusError) as error:
                found.problem = str(error)
        return found


async def guest_status(bus: Bus, observed: GuestObserved) -> GuestStatus:
    """Ask the reconfigurer of the guest's host for the guest's own, authenticated status."""
    return await bus.request(subjects.guest_status(observed.host), GuestQuery(guest=observed.guest), GuestStatus)


def say_guest(found: GuestDescription) -> None:
    """For people."""
    if found.observed is not None:
        seen = found.observed
        emit_fields(
            {"guest": seen.guest, "state": seen.state, "host": seen.host, "machine": f"{seen.machine}/{seen.accel}",
             "pid": seen.pid, "boot": f"{seen.boot_ms} ms", "control": seen.control, "reason": seen.reason or ""}
        )  # fmt: skip
    if found.guest is None:
        print(f"\nthe guest did not answer: {found.problem or 'it does not run'}")
        return
    print(f"\nup {found.guest.uptime_ns / 1e9:.1f} s, memory {found.guest.memory_used >> 10} of "
          f"{found.guest.memory_total >> 10} KiB, longest gap between two batches {found.guest.longest_gap_ns / 1e6:.2f} ms\n")
    emit_table(
        ("element", "class", "program", "sequence", "engine", "packets", "drops"),
        [
            (one.name, one.class_name, one.program or "-", one.sequence or "-", one.engine or "-", one.packets,
             " ".join(f"{reason}={count}" for reason, count in one.drops.items() if count))
            for one in found.guest.elements
        ],
    )  # fmt: skip
