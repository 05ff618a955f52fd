"""Boot, size, and updates under load, on the embedded stack with a real guest.

The generator is open-loop: its packets leave by the clock. Gaps are measured twice: in the guest, the longest time between
two batches from one status answer to the next, and at the receiver, the longest time between two arrivals (which also has
the noise of a busy host in it). An update's share is what a window with it has more than one without.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.document import progress
from benchmarks.figures import Figure, percentile
from unibpf.client import guests
from unibpf.client.push import Push, push_and_wait
from unibpf.client.session import open_bus
from unibpf.client.waiting import Outcome
from unibpf.demo import scenario
from unibpf.demo.traffic import TrafficReport
from unibpf.push.compile import compile_c
from unibpf.stack.child import running_stack

BOOTS: Final = 10
UPDATES: Final = 30
ROWS: Final = 80  # rules of a program: about 3 KB of bundle
OTHER_AUDIENCE: Final = "lab"  # no guest is of this class
PAUSE_SECONDS: Final = 0.25
CONTROL_SECONDS: Final = 5.0
SETTLE_NS: Final = 20_000_000  # between a window with an update and the equal one without


@dataclass(frozen=True, kw_only=True)
class Update:
    """One update: when it began and ended (CLOCK_MONOTONIC ns), what came of it, and the guest's longest gap (ns) in three
    windows: around it, around the same pipeline work for a class that has no guest, and in an equal time without either."""

    began_ns: int
    ended_ns: int
    outcome: Outcome
    gap_ns: int = 0
    pipeline_gap_ns: int = 0
    idle_gap_ns: int = 0


def program_source(number: int) -> str:
    """A firewall of about 3 KB of bundle that nobody has seen before: its rules depend on `number` and the time."""
    seed = number * 7919 + time.time_ns() % 1_000_003
    ports = [1024 + (seed * 31 + row * 97) % 60_000 for row in range(ROWS)]
    rules = ",\n".join(f"\t{{IPPROTO_UDP, {port}, XDP_DROP}}" for port in ports if port != scenario.OPEN_PORT)
    header = scenario.FIREWALL / "firewall.h"
    return f'#include "{header}"\nstatic const struct rule rules[] = {{\n{rules}\n}};\nFIREWALL(rules);\n'


async def objects(count: int) -> list[bytes]:
    """Compiled programs; compiling is not what is measured."""
    compiled = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            path = Path(folder) / "program.c"
            path.write_text(program_source(number))
            compiled.append(await asyncio.to_thread(compile_c, path))
    return compiled


async def measure() -> list[tuple[str, list[Figure]]]:
    """All tables."""
    state = Path(tempfile.mkdtemp(prefix="unibpf-bench-"))
    os.environ["UNIBPF_STATE"] = str(state)
    try:
        async with running_stack(), open_bus() as bus:
            demo = scenario.Demo(bus=bus, machine="microvm")
            await scenario.release_first(demo)
            try:
                boot = await measure_boots(demo)
                control, updates, report = await measure_updates(demo)
            finally:
                await guests.delete(bus, scenario.GUEST, wait=True, timeout=scenario.WAIT_SECONDS)
            return [("Guests of the deployer", boot), ("Updates under load", update_figures(control, updates, report))]
    finally:
        shutil.rmtree(state, ignore_errors=True)


async def measure_boots(demo: scenario.Demo) -> list[Figure]:
    """Boot times of fresh guests; the last one stays."""
    times = []
    for number in range(BOOTS):
        seen = await scenario.boot_guest(demo)
        times.append(seen.boot_ms or float("inf"))
        progress(f"boot {number + 1} of {BOOTS}: {seen.boot_ms} ms")
        if number < BOOTS - 1:
            await guests.delete(demo.bus, scenario.GUEST, wait=True, timeout=scenario.WAIT_SECONDS)
    status = await guests.status(demo.bus, demo.running)
    where = f"{BOOTS} boots, {demo.running.machine}, {demo.running.accel}, three NICs"
    return [
        Figure(name="boot through libvirt, p50", value=percentile(times, 0.5), unit="ms", how=where),
        Figure(name="guest memory", value=status.memory_total / (1 << 20), unit="MiB", limit=8, how="given to the VM"),
        Figure(name="of it used at most", value=status.memory_peak / (1 << 20), unit="MiB", how="guest's own count"),
    ]


async def measure_updates(demo: scenario.Demo) -> tuple[TrafficReport, list[Update], TrafficReport]:
    """A control run without updates, then `UPDATES` updates under the same load."""
    programs = await objects(2 * UPDATES)
    control = await (await scenario.start_traffic(demo, CONTROL_SECONDS)).finish()
    traffic = await scenario.start_traffic(demo)
    await asyncio.sleep(1)
    updates = []
    for number in range(UPDATES):
        updates.append(await one_update(demo, programs[2 * number], programs[2 * number + 1]))
        progress(f"update {number + 1} of {UPDATES}: active after {updates[-1].outcome.active_ms} ms")
        await asyncio.sleep(PAUSE_SECONDS)
    return control, updates, await traffic.stop()


async def one_update(demo: scenario.Demo, data: bytes, other: bytes) -> Update:
    """Update the guest; push `other` for a class without guests; wait as long again."""
    await guests.status(demo.bus, demo.running)
    began = time.monotonic_ns()
    outcome = await push_and_wait(demo.bus, push_of(data, scenario.AUDIENCE), wait=True, timeout=scenario.WAIT_SECONDS)
    ended = time.monotonic_ns()
    with_update = await guests.status(demo.bus, demo.running)
    await push_and_wait(demo.bus, push_of(other, OTHER_AUDIENCE), wait=True, timeout=scenario.WAIT_SECONDS)
    with_pipeline = await guests.status(demo.bus, demo.running)
    await asyncio.sleep((ended - began) / 1e9)
    idle = await guests.status(demo.bus, demo.running)
    return Update(
        began_ns=began,
        ended_ns=ended,
        outcome=outcome,
        gap_ns=with_update.recent_gap_ns,
        pipeline_gap_ns=with_pipeline.recent_gap_ns,
        idle_gap_ns=idle.recent_gap_ns,
    )


def push_of(data: bytes, audience: str) -> Push:
    """A push of the firewall."""
    return Push(program=scenario.PROGRAM, data=data, audience=audience)


def longest_pauses(report: TrafficReport, windows: Sequence[tuple[int, int]]) -> list[float]:
    """For each window (ns) the longest pause that ended in it, ms; pauses below 0.9 ms are not kept and count as that."""
    return [max((length for end, length in report.pauses if first <= end <= last), default=900_000) / 1e6
            for first, last in windows]  # fmt: skip


def gap(updates: Sequence[Update], field: str) -> float:
    """The median of a gap over all updates, ms."""
    return percentile([getattr(update, field) / 1e6 for update in updates], 0.5)


def update_figures(control: TrafficReport, updates: Sequence[Update], report: TrafficReport) -> list[Figure]:
    """The table of updates."""
    active = [update.outcome.active_ms or float("inf") for update in updates]
    events = [event for update in updates for event in update.outcome.elements]
    staged = [event for update in updates for event in update.outcome.staged]
    windows = [(update.began_ns, update.ended_ns) for update in updates]
    between = [(end + SETTLE_NS, end + SETTLE_NS + end - begin) for begin, end in windows]
    with_update, without = longest_pauses(report, windows), longest_pauses(report, between)
    size = sum(update.outcome.verdict.bundle_length for update in updates if update.outcome.verdict) / len(updates)
    sent = sum(one.sent for one in report.classes)
    lost = report.port(scenario.OPEN_PORT).lost
    rate = sent / report.elapsed_ns * 1e9
    return [
        Figure(name="publish to active, p50", value=percentile(active, 0.5), unit="ms", limit=80,
               how=f"{len(updates)} programs of {size / 1024:.1f} KiB, {rate:.0f} packets/s"),
        Figure(name="publish to active, p95", value=percentile(active, 0.95), unit="ms", limit=150, how="the same"),
        Figure(name="packets lost in the control run", value=control.port(scenario.OPEN_PORT).lost, unit="packets", limit=0,
               how=f"{CONTROL_SECONDS:g} s without update"),
        Figure(name="packets lost during updates", value=lost + sum(event.packets_lost for event in events), unit="packets",
               limit=0, how=f"{sent} numbered packets, generator and guest"),
        Figure(name="longest gap between two batches, with minus without update", unit="ms", limit=2,
               value=gap(updates, "gap_ns") - gap(updates, "pipeline_gap_ns"),
               how=f"guest, p50 of {len(updates)}: {gap(updates, 'gap_ns'):.2f} - {gap(updates, 'pipeline_gap_ns'):.2f}; "
                   "without: the pipeline verifies and signs as much for a class without guests"),
        Figure(name="the same, without: nothing happens on the host", unit="ms",
               value=gap(updates, "gap_ns") - gap(updates, "idle_gap_ns"),
               how=f"{gap(updates, 'gap_ns'):.2f} - {gap(updates, 'idle_gap_ns'):.2f}; the pipeline shares the guest's cores"),
        Figure(name="the same at the receiver", unit="ms", value=percentile(with_update, 0.5) - percentile(without, 0.5),
               how=f"p50: {percentile(with_update, 0.5):.2f} - {percentile(without, 0.5):.2f}, host noise included"),
        Figure(name="swap, p50", value=percentile([event.swap_ns / 1000 for event in events], 0.5), unit="µs", how="guest"),
        Figure(name="guest's work, p50", unit="ms", how="checking and loading beside the old program, its own clock",
               value=percentile([sum(step[2] for step in event.steps) / 1e6 for event in staged], 0.5)),
    ]  # fmt: skip
