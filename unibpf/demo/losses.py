"""Where packets were lost, and whose fault it was: the swap's, or that of a machine that did not run what had to run.

Every lost packet is found at one hop by the counters of the generator and of the guest. A machine that is too busy shows in
clocks that are not the guest's: the generator's own late rounds, and how long QEMU's threads could run and were not
(/proc/PID/task/*/schedstat). Only what such a stall explains is forgiven: not more packets than it lasted, none that the swap
lost, and none that no counter knows of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unibpf.demo.result import StallResult
from unibpf.demo.traffic import TrafficReport
from unibpf.messages.status import ElementStatus, GuestStatus

LEAST_STALL_MS: Final = 10.0  # less is bridged by any queue here
PROC: Final = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Counters of the guest and the clock of QEMU at one moment."""

    packets: int  # that the program was given
    swapped_out: int  # no program was there
    front: Mapping[str, int]  # lost before the program
    rear: Mapping[str, int]  # lost after it
    waited_ns: int  # of QEMU's thread that waited longest


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Packets by what the program's own counters say became of them, and those that came out in the end."""

    passed: int
    dropped: int
    received: int


def read(status: GuestStatus, *, element: str, inside: str, outside: str, pid: int | None) -> Reading:
    """Of a guest whose traffic goes from NIC `inside` through `element` to NIC `outside`."""
    nics = {nic.name: nic for nic in status.nics}
    program = next(one for one in status.elements if one.name == element)
    taken = nics[inside]
    return Reading(
        packets=program.packets,
        swapped_out=program.drops.get("no-program", 0),
        front={"no free packet in the guest": taken.rx_no_slot, "the guest's NIC": taken.rx_dropped},
        rear={
            "the guest's queues": sum(_queue_full(one) for one in status.elements),
            "the ring to QEMU": nics[outside].tx_dropped,
        },
        waited_ns=waited_ns(pid),
    )


def _queue_full(element: ElementStatus) -> int:
    return element.drops.get("queue-full", 0)


def waited_ns(pid: int | None) -> int:
    """For how long the thread of a process that waited most could run and was not (proc(5), schedstat)."""
    if pid is None:
        return 0
    waits = [0]
    for file in (PROC / str(pid) / "task").glob("*/schedstat"):
        try:
            waits.append(int(file.read_text().split()[1]))
        except (OSError, IndexError, ValueError):
            continue  # the thread ended meanwhile
    return max(waits)


def explain(
    report: TrafficReport, before: Reading, after: Reading, passed: Passed, *, rate: int
) -> tuple[StallResult, str | None]:
    """Where packets were lost in that time, and why a stall does not explain it (None: it does)."""
    front = {"QEMU's socket": sum(one.refused_by_socket for one in report.classes), **_since(before.front, after.front)}
    rear = _since(before.rear, after.rear)
    hops = {name: count for name, count in {**front, **rear}.items() if count}
    generator_ms, qemu_ms = report.stalled_us / 1000, (after.waited_ns - before.waited_ns) / 1e6
    stall = StallResult(lost_at=hops, generator_ms=round(generator_ms, 1), qemu_ms=round(qemu_ms, 1))
    given = after.packets - before.packets
    sent = sum(one.sent for one in report.classes)
    lost, stalled_ms = sum(hops.values()), generator_ms + qemu_ms
    faults = {
        "packets found no program": after.swapped_out - before.swapped_out,
        "packets were lost before the program at no known hop": sent - given - sum(front.values()),
        "packets were lost after the program at no known hop": passed.passed - passed.received - sum(rear.values()),
        "packets were given to the program and not counted by it": given - passed.passed - passed.dropped,
    }
    for what, count in faults.items():
        if count:
            return stall, f"{count} {what}"
    if stalled_ms < LEAST_STALL_MS or lost > rate * stalled_ms / 1000:
        return stall, f"{lost} packets were lost while the machine stalled for {stalled_ms:.1f} ms only"
    return stall, None


def _since(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in after.items()}


def sentence(stall: StallResult) -> str:
    """For the terminal."""
    hops = ", ".join(f"{count} at {name}" for name, count in stall.lost_at.items()) or "none"
    return (
        f"a stall of this machine, not of the swap: the generator was not run for {stall.generator_ms:g} ms, "
        f"QEMU for {stall.qemu_ms:g} ms; packets lost by it: {hops}"
    )
