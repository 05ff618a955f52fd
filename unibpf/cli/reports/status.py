"""What `unibpf status`, `guest list` and `guest show` say for people."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from unibpf import VERSION
from unibpf.cli.output import emit_fields, emit_table
from unibpf.client.rollbacks import Standing
from unibpf.client.status import GuestDescription, Status
from unibpf.messages.guests import GuestObserved
from unibpf.messages.operations import Readiness
from unibpf.messages.status import ElementStatus, GuestStatus
from unibpf.text import visible

MIB: Final = 1 << 20


def say(status: Status) -> None:
    """For people."""
    emit_fields(status_fields(status))
    if status.guests:
        print()
        emit_table(GUEST_HEADINGS, [guest_row(one) for one in status.guests])


def status_fields(status: Status) -> dict[str, str]:
    """Where the state is, whether the bus answers, and each process with its pid, if it is of this directory's stack."""
    fields = {"state": status.state}
    fields["bus"] = (status.url or "reached") if status.bus else f"not reached: {status.problem}"
    others = {name: "runs" for name in status.pids if name not in status.services}
    if status.stores is not None:
        fields["stores"] = "; ".join(status.stores.faults) or "ready"
        fields["dead letters"] = str(status.stores.dead_letters)
        fields["stored"] = _stored(status)
    services = {name: _service(status, name) for name in status.services}
    for name, how in (others | services).items():
        pid = status.pids.get(name)
        fields[name] = f"{how:<8} pid {pid}" if pid is not None else how
    return fields


def _stored(status: Status) -> str:
    held = f"{(status.stores.stored_bytes if status.stores else 0) / MIB:.1f} MiB"
    return (
        held if status.disk_free_bytes is None else f"{held}, {status.disk_free_bytes / MIB:.0f} MiB free on its disk"
    )


def _service(status: Status, name: str) -> str:
    """`silent`, `answers` (a copy older than readiness), or whether each copy can do its work."""
    copies = [one for one in status.readiness if one.service == f"unibpf-{name}"]
    if not status.services[name] or not copies:
        return "answers" if status.services[name] else "silent"
    return "; ".join(dict.fromkeys(_copy(one) for one in copies))


def _copy(one: Readiness) -> str:
    parts = [f"waiting {one.waiting}"] if one.waiting else []
    parts += [] if one.version == VERSION else [f"version {one.version}"]
    parts += one.alarms
    if one.is_ready:
        return " ".join(["ready", *([f"({', '.join(parts)})"] if parts else [])])
    since = datetime.fromtimestamp(one.since_us / 1e6, tz=UTC).isoformat(timespec="seconds")
    return visible(f"NOT READY since {since}: {'; '.join([*one.why, *parts])}")


GUEST_HEADINGS: Final = ("guest", "state", "audience", "machine", "boot ms", "restarts", "programs", "reason")


def guest_row(seen: GuestObserved) -> tuple[object, ...]:
    """One guest as `status` and `guest list` show it."""
    programs = " ".join(f"{element}={program}" for element, program in seen.programs.items())
    boot = "-" if seen.boot_ms is None else seen.boot_ms
    return (
        seen.guest,
        seen.state,
        seen.audience,
        _machine(seen),
        boot,
        seen.restarts,
        programs or "-",
        seen.reason or "",
    )


def _machine(seen: GuestObserved) -> str:
    return "/".join(filter(None, (seen.machine, seen.accel))) or "-"


def say_guest(found: GuestDescription) -> None:
    """For people."""
    if found.observed is None:
        print("asked for, but no deployer has taken it: `unibpf status` shows whether one answers")
        return
    emit_fields(guest_fields(found.observed))
    if found.guest is None:
        print(f"\nthe guest did not answer: {found.problem or 'it does not run'}")
        return
    print(f"\n{vitals(found.guest)}\n")
    emit_table(ELEMENT_HEADINGS, [element_row(one) for one in found.guest.elements])
    for line in release_lines(found.releases):
        print(visible(line))


def release_lines(rows: Iterable[Standing]) -> Iterator[str]:
    """One line for each element that does not run the newest release."""
    for row in rows:
        if row.why is not None:
            yield f"{row.element} runs {row.running or 'nothing'}, the newest `{row.program}` is {row.newest}: {row.why}"


def guest_fields(seen: GuestObserved) -> dict[str, object]:
    """What a deployer saw; what it does not know (yet, or any more) is left out."""
    fields: dict[str, object | None] = {
        "guest": seen.guest,
        "state": seen.state,
        "reason": seen.reason,
        "audience": seen.audience,
        "host": seen.host,
        "machine": _machine(seen),
        "pid": seen.pid,
        "boot": None if seen.boot_ms is None else f"{seen.boot_ms} ms",
        "restarts": seen.restarts or None,
        "control": seen.control,
        "map entries": None if seen.maps is None else f"{seen.maps.put_back} of {seen.maps.desired} put back",
        "alarm": seen.alarm,
    }
    return {name: value for name, value in fields.items() if value is not None}


def vitals(guest: GuestStatus) -> str:
    """One line: how long it runs, its memory, how long packets ever had to wait."""
    return (
        f"up {guest.uptime_ns / 1e9:.1f} s, memory {guest.memory_used >> 10} of {guest.memory_total >> 10} KiB "
        f"(peak {guest.memory_peak >> 10}), longest gap between two batches {guest.longest_gap_ns / 1e6:.2f} ms"
    )


ELEMENT_HEADINGS: Final = ("element", "class", "program", "sequence", "engine", "isolation", "packets", "drops", "maps")


def element_row(one: ElementStatus) -> tuple[object, ...]:
    """One element; reasons that dropped nothing are left out."""
    drops = " ".join(f"{reason}={count}" for reason, count in one.drops.items() if count)
    maps = " ".join(f"{held.name}:{held.entries}/{held.max_entries}" for held in one.maps)
    program, engine, isolation = one.program or "-", one.engine or "-", one.isolation or "-"
    placed = (program, one.sequence or "-", engine, isolation)
    return (one.name, one.class_name, *placed, one.packets, drops or "-", maps)
