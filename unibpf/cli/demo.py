"""`unibpf demo`: the main job from end to end, on a stack of its own under `build/`, in under a minute.

The stack is started as a user would start it (`unibpf up`, its own process) and stopped at the end; the guest is deleted.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from unibpf.cli.output import Exit, fail, progress
from unibpf.cli.reports.text import format_finding
from unibpf.cli.reports.trace_tree import tree_lines
from unibpf.cli.session import run
from unibpf.client import guests
from unibpf.client.session import open_bus
from unibpf.demo import losses, scenario
from unibpf.demo.result import DemoResult
from unibpf.demo.traffic import TrafficError
from unibpf.stack.child import StackError, running_stack

SETTLE_SECONDS: Final = 1.0  # of traffic before and after the update


def run_demo(*, machine: str, output: Path) -> DemoResult:
    """Run all steps, write `output`; ends the process with exit code 1 when a promise does not hold."""
    state = Path(tempfile.mkdtemp(prefix="unibpf-demo-"))
    os.environ["UNIBPF_STATE"] = str(state)
    os.environ.pop("UNIBPF_NATS_URL", None)
    try:
        result = run(_demo(machine))
    except (scenario.DemoError, StackError, TrafficError) as error:
        kept = _keep_logs(state, output.parent)
        fail(Exit.REFUSED, str(error), f"the logs of all services are in `{kept}`")
    except SystemExit:
        progress(f"hint: the logs of all services are in `{_keep_logs(state, output.parent)}`")
        raise
    finally:
        shutil.rmtree(state, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    progress(f"\nwritten to {output}")
    return result


def _keep_logs(state: Path, folder: Path) -> Path:
    kept = folder / "demo-logs"
    shutil.rmtree(kept, ignore_errors=True)
    if (state / "logs").is_dir():
        shutil.copytree(state / "logs", kept, dirs_exist_ok=True)
    return kept


async def _demo(machine: str) -> DemoResult:
    say = _Steps()
    say.step("the stack comes up: NATS server, HSM token, verifier, signer, deployer, reconfigurer")
    async with running_stack(), open_bus() as bus:
        demo = scenario.Demo(bus=bus, machine=machine)
        try:
            return await _scenario(demo, say)
        finally:
            await guests.delete(bus, scenario.GUEST, wait=True, timeout=scenario.WAIT_SECONDS)


async def _scenario(demo: scenario.Demo, say: "_Steps") -> DemoResult:
    say.step(f"version 1 of the firewall is pushed: UDP port {demo.closed_port} is closed")
    first = await scenario.release_first(demo)
    say.note(f"verified {first.verified_ms:.0f} ms, signed {first.signed_ms:.0f} ms after the publish")

    say.step("a guest boots with it")
    guest = await scenario.boot_guest(demo)
    host = await scenario.accelerator(demo)
    say.note(f"the host was probed once: {host.accel}, because {host.accel_reason}")
    boot = f"{guest.boot_ms:.0f} ms from libvirt starting QEMU to ready"
    say.note(f"{guest.machine} under {guest.accel}: {boot}, pid {guest.pid}")

    say.step(f"{scenario.RATE} packets/s flow, and version 2 is pushed: port {demo.new_port} is closed as well")
    before, at_first = await scenario.rule_hits(demo), await scenario.read_losses(demo)
    traffic = await scenario.start_traffic(demo)
    await asyncio.sleep(SETTLE_SECONDS)
    running = await scenario.rule_hits(demo)
    say.note(
        f"passed so far {running[scenario.DEFAULT_RULE]}, dropped {running[scenario.CLOSED_RULE]} (read from the guest)"
    )
    second = await scenario.release_second(demo)
    event = second.elements[0]
    say.note(f"active {second.active_ms:.0f} ms after the publish; the swap itself took {event.swap_ns / 1000:.1f} µs")

    say.step("bad updates are refused while packets flow")
    unsafe, refusal = await scenario.try_unsafe(demo)
    refused = [refusal, await scenario.try_replayed(demo), await scenario.try_tampered(demo)]
    if unsafe.report is not None:
        say.text(format_finding(unsafe.report.findings[0]))
    for one in refused[1:]:
        say.note(f"{one.what}: refused by the {one.by}, rule `{one.rule}`")
    if any(one.rule == "accepted" for one in refused):
        raise scenario.DemoError("a bad update was accepted")

    await asyncio.sleep(SETTLE_SECONDS)
    report = await traffic.stop()
    after, at_last = await scenario.rule_hits(demo), await scenario.read_losses(demo)
    stall = scenario.check_counts(report, demo, (before, after), (at_first, at_last))
    sent = sum(one.sent for one in report.classes)
    say.step("the generator's own count")
    say.note(
        f"{sent} packets sent, {report.port(scenario.OPEN_PORT).lost} lost; port {demo.new_port} passed "
        f"{report.port(demo.new_port).received}, then none: one clean cut"
    )
    say.note(
        f"rule hits kept across the swap: {running[scenario.CLOSED_RULE]} then, {after[scenario.CLOSED_RULE]} now, "
        f"equal to what was sent"
    )
    if stall is not None:
        say.note(f"stall: {losses.sentence(stall)}")

    say.step(f"one trace of it all: unibpf trace {second.trace_id}")
    spans = await scenario.read_trace(demo, second.trace_id)
    say.text("\n".join(tree_lines(spans)))
    return scenario.summarise(demo, report=report, hits=(running, after), refused=refused, spans=spans)


class _Steps:
    """Numbered progress on stderr, with the time since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._number = 0

    def step(self, text: str) -> None:
        self._number += 1
        progress(f"\n{self._number}  {text}  [{self._clock() - self._started:.1f} s]")

    def note(self, text: str) -> None:
        progress(f"   {text}")

    def text(self, block: str) -> None:
        progress("\n".join("   " + line for line in block.splitlines()))
