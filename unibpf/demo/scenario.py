"""The demo's steps against a running stack; each is a function that does one thing and returns what it measured."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from unibpf import subjects
from unibpf.bus import Bus
from unibpf.client import guests
from unibpf.client.push import Push, push_and_wait
from unibpf.client.traces import load_trace
from unibpf.client.waiting import Outcome
from unibpf.demo import losses
from unibpf.demo.attacks import AttackError, stage_raw, tampered
from unibpf.demo.losses import Passed, Reading
from unibpf.demo.result import DemoResult, GuestResult, Refusal, SpanResult, StallResult, TraceResult, UpdateResult
from unibpf.demo.traffic import Traffic, TrafficReport
from unibpf.host.settings import REPOSITORY
from unibpf.messages.guests import GuestObserved, HostStatus
from unibpf.messages.maps import MapDump, MapQuery
from unibpf.messages.operations import SpanRecord
from unibpf.push.compile import compile_c
from unibpf.tracing import FLUSH_SECONDS

FIREWALL: Final = REPOSITORY / "vnfs" / "firewall"
GUEST: Final = "firewall-demo"
PROGRAM: Final = "firewall"
ELEMENT: Final = "fw"
AUDIENCE: Final = "edge"
RATE: Final = 20_000  # packets a second
WAIT_SECONDS: Final = 30.0
OPEN_PORT: Final = 443
RULE_HITS: Final = "rule_hits"
DEFAULT_RULE, CLOSED_RULE, NEW_RULE = 0, 2, 3

Hits = dict[int, int]  # {rule: packets}


class DemoError(Exception):
    """A promise of the demo did not hold; the message says which."""


@dataclass(kw_only=True)
class Demo:
    """What the steps hand on. The ports are random: they are compiled into the programs, so no result can be canned."""

    bus: Bus
    machine: str
    closed_port: int = field(default_factory=lambda: 1024 + secrets.randbelow(20_000))
    new_port: int = field(default_factory=lambda: 30_000 + secrets.randbelow(20_000))
    first: Outcome | None = None
    second: Outcome | None = None
    guest: GuestObserved | None = None
    stall: StallResult | None = None

    def sockets(self) -> tuple[Path, Path]:
        """Where the guest's NICs `inside` and `outside` are plugged in on this host."""
        networks = self.running.networks
        return unix_socket(networks["inside"]), unix_socket(networks["outside"])

    @property
    def running(self) -> GuestObserved:
        """The guest, once it runs."""
        if self.guest is None:
            raise DemoError("the guest does not run")
        return self.guest


def unix_socket(network: str) -> Path:
    """The path in `unix:/path`; DemoError for a network of another kind."""
    scheme, _, path = network.partition(":")
    if scheme != "unix":
        raise DemoError(f"got network `{network}`, expected one of kind `stream`")
    return Path(path)


async def push_program(demo: Demo, source: str) -> Outcome:
    """Compile a version of the firewall with this run's ports, and push it."""
    defines = [f"CLOSED_PORT={demo.closed_port}", f"NEW_CLOSED_PORT={demo.new_port}"]
    data = await asyncio.to_thread(compile_c, FIREWALL / source, defines=defines)
    push = Push(program=PROGRAM, data=data, audience=AUDIENCE)
    return await push_and_wait(demo.bus, push, wait=True, timeout=WAIT_SECONDS)


async def release_first(demo: Demo) -> Outcome:
    """Version 1: verified and signed before any guest runs."""
    demo.first = await push_program(demo, "program.c")
    if demo.first.signed is None:
        raise DemoError(f"version 1 was not signed: {json.dumps(msgspec.to_builtins(demo.first))}")
    return demo.first


async def boot_guest(demo: Demo) -> GuestObserved:
    """Boot the guest; it starts with version 1."""
    spec = guests.read_guest_file(FIREWALL / "guest.toml", name=GUEST, machine=demo.machine)
    seen = await guests.apply(demo.bus, spec, wait=True, timeout=WAIT_SECONDS)
    if seen is None or seen.state != "running":
        raise DemoError(f"the guest does not run: {seen.reason if seen else 'no answer'}")
    demo.guest = seen
    return seen


async def accelerator(demo: Demo) -> HostStatus:
    """What the deployer found out about KVM on this host."""
    return await demo.bus.request(subjects.deployer_status(demo.running.host), b"", HostStatus)


async def start_traffic(demo: Demo, seconds: float | None = None) -> Traffic:
    """Three kinds of packets in turn: to an open port, to the closed one, and to the one that version 2 closes."""
    inside, outside = demo.sockets()
    ports = (OPEN_PORT, demo.closed_port, demo.new_port)
    return await Traffic.start(tx=inside, rx=outside, ports=ports, rate=RATE, seconds=seconds)


async def rule_hits(demo: Demo) -> dict[int, int]:
    """{rule: packets} as the running program counts them, read from the guest."""
    query = MapQuery(guest=GUEST, element=ELEMENT, map=RULE_HITS)
    dump = await demo.bus.request(subjects.map_dump(demo.running.host), query, MapDump)
    return {_little(key): _little(value[:16]) for key, value in dump.entries}


def _little(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


async def release_second(demo: Demo) -> Outcome:
    """Version 2, while packets flow."""
    demo.second = await push_program(demo, "program_v2.c")
    if [event.state for event in demo.second.elements] != ["active"]:
        raise DemoError(f"version 2 is not active: {json.dumps(msgspec.to_builtins(demo.second))}")
    return demo.second


async def try_unsafe(demo: Demo) -> tuple[Outcome, Refusal]:
    """A program that reads past the packet: the verifier refuses it."""
    outcome = await push_program(demo, "unsafe.c")
    if outcome.report is None or not outcome.report.findings:
        raise DemoError("the unsafe program was not refused")
    return outcome, Refusal(what="unsafe program", by="verifier", rule=outcome.report.findings[0].rule)


async def try_replayed(demo: Demo) -> Refusal:
    """Version 1's envelope again, straight to the guest: older than what runs."""
    envelope, bundle = await signed_bytes(demo, demo.first)
    rule = await attack(demo, envelope, bundle)
    return Refusal(what="replayed envelope", by="guest", rule=rule)


async def try_tampered(demo: Demo) -> Refusal:
    """Version 2's envelope with one bit changed, straight to the guest."""
    envelope, bundle = await signed_bytes(demo, demo.second)
    changed = tampered(envelope, len(envelope) // 2)
    rule = await attack(demo, changed, bundle)
    return Refusal(what="tampered envelope", by="guest", rule=rule)


async def attack(demo: Demo, envelope: bytes, bundle: bytes) -> str:
    """The rule by which the guest refuses this; DemoError with what became of the guest where it does not answer."""
    try:
        return await stage_raw(str(demo.running.control), ELEMENT, envelope, bundle)
    except AttackError as error:
        seen = await guests.observed(demo.bus, GUEST)
        now = "is not known any more" if seen is None else f"is {seen.state} at {seen.control}, pid {seen.pid}"
        was = f"it was pid {demo.running.pid}; the guest {now}, {seen.restarts if seen else 0} restarts"
        raise DemoError(f"{error}; {was}") from error


async def signed_bytes(demo: Demo, outcome: Outcome | None) -> tuple[bytes, bytes]:
    """(envelope, bundle) of a release, as anyone who reads the bus can have them."""
    if outcome is None or outcome.signed is None:
        raise DemoError("there is no such release")
    return await demo.bus.get_object(outcome.signed.envelope), await demo.bus.get_object(outcome.signed.bundle)


async def read_trace(demo: Demo, trace_id: str) -> list[SpanRecord]:
    """The update's spans, once the guest's steps have arrived too."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            spans = await load_trace(demo.bus, trace_id)
            if any(span.service == f"guest/{GUEST}" for span in spans):
                await asyncio.sleep(2 * FLUSH_SECONDS)  # those of the update's end
                return await load_trace(demo.bus, trace_id)
            await asyncio.sleep(0.05)


async def read_losses(demo: Demo) -> Reading:
    """The guest's counters of lost packets, and QEMU's clock."""
    status = await guests.status(demo.bus, demo.running)
    return losses.read(status, element=ELEMENT, inside="inside", outside="outside", pid=demo.running.pid)


def check_counts(
    report: TrafficReport, demo: Demo, hits: tuple[Hits, Hits], readings: tuple[Reading, Reading]
) -> StallResult | None:
    """Compare the maps with what the generator itself counted; raises DemoError with the two numbers that differ.

    What a stall of the machine explains, packet by packet, is returned instead.
    """
    fault = differing(report, demo, *hits)
    if fault is None:
        return None
    opened, newly = (report.port(port) for port in (OPEN_PORT, demo.new_port))
    before, after = hits
    passed = after[DEFAULT_RULE] - before[DEFAULT_RULE]
    dropped = sum(after.values()) - sum(before.values()) - passed
    stall, unexplained = losses.explain(
        report,
        *readings,
        Passed(passed=passed, dropped=dropped, received=opened.received + newly.received),
        rate=RATE,
    )
    if unexplained is None and after[NEW_RULE] > newly.sent - newly.last_received - 1:
        unexplained = f"packets to port {demo.new_port} passed after the first was dropped"
    if unexplained is None and report.port(demo.closed_port).received:
        unexplained = "packets to the closed port came through"
    if unexplained is not None:
        raise DemoError(f"{fault}; no stall of the machine explains it: {unexplained} ({losses.sentence(stall)})")
    demo.stall = stall
    return stall


def differing(report: TrafficReport, demo: Demo, before: Hits, after: Hits) -> str | None:
    """The first of the demo's promises that the counts do not keep."""
    opened, closed, newly = (report.port(port) for port in (OPEN_PORT, demo.closed_port, demo.new_port))
    expected: dict[str, tuple[Any, Any]] = {
        "packets to the open port that were lost": (opened.lost, 0),
        "packets that the guest's socket did not take": (opened.refused_by_socket, 0),
        "packets to the closed port that came through": (closed.received, 0),
        "cuts in the stream to the newly closed port": (newly.changes, 1),
        "hits of no rule": (after[DEFAULT_RULE] - before[DEFAULT_RULE], opened.sent + newly.received),
        "hits of the closed port's rule": (after[CLOSED_RULE] - before[CLOSED_RULE], closed.sent),
        "hits of the new rule": (after[NEW_RULE], newly.sent - newly.received),
        "counters that went back": ([rule for rule in before if after[rule] < before[rule]], []),
    }
    for what, (got, wanted) in expected.items():
        if got != wanted:
            return f"{what}: got {got}, expected {wanted}"
    return None


def summarise(
    demo: Demo,
    *,
    report: TrafficReport,
    hits: tuple[Hits, Hits],
    refused: list[Refusal],
    spans: list[SpanRecord],
) -> DemoResult:
    """Everything in one result."""
    if demo.second is None or demo.second.active_ms is None:
        raise DemoError("there was no update")
    event, staged = demo.second.elements[0], demo.second.staged[0]
    kept = next(one for one in (*event.maps, *staged.maps) if one.name == RULE_HITS)
    before, after = hits
    return DemoResult(
        guest=GuestResult(machine=demo.running.machine, accel=demo.running.accel, boot_ms=demo.running.boot_ms or 0.0),
        update=UpdateResult(
            publish_to_active_ms=demo.second.active_ms,
            guest_stage_ms=round(sum(duration for _, _, duration in staged.steps) / 1e6, 3),
            longest_gap_us=round(event.longest_gap_ns / 1000, 1),
            packets_sent=sum(one.sent for one in report.classes),
            packets_lost=0 if demo.stall else report.port(OPEN_PORT).lost + event.packets_lost,
            stall=demo.stall,
            map_entries_before=len(before),
            map_entries_kept=kept.entries if kept.decision == "kept" else 0,
            hits_before={str(rule): count for rule, count in before.items() if count},
            hits_after={str(rule): count for rule, count in after.items() if count},
            first_dropped_number=report.port(demo.new_port).first_missing,
        ),
        refused=refused,
        trace=TraceResult(
            trace_id=demo.second.trace_id,
            spans=[
                SpanResult(name=span.name, service=span.service, ms=round((span.end_ns - span.start_ns) / 1e6, 3))
                for span in sorted(spans, key=lambda span: span.start_ns)
            ],
        ),
    )
