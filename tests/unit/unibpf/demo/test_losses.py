"""Losses of the demo by hop: what a stall explains is forgiven, what the swap or nobody's counter lost is not."""

import dataclasses
import os

import pytest

from unibpf.demo.losses import Passed, Reading, explain, waited_ns
from unibpf.demo.traffic import TrafficClass, TrafficReport

RATE = 20_000
BEFORE = Reading(packets=5, swapped_out=0, front={"slots": 1, "nic": 0}, rear={"queues": 2, "ring": 0}, waited_ns=10**9)
SENT, CLOSED = 3000, 1000


def report(*, refused: int = 0, stalled_ms: float = 0) -> TrafficReport:
    one = TrafficClass(
        port=443,
        sent=SENT,
        received=0,
        lost=0,
        refused_by_socket=refused,
        duplicates=0,
        first_missing=-1,
        last_received=0,
        changes=0,
    )
    return TrafficReport(
        started_ns=0,
        elapsed_ns=1,
        classes=[one],
        longest_pause_us=0,
        latency_us={},
        stalled_us=round(stalled_ms * 1000),
    )


def after(*, front: int = 0, queues: int = 0, refused: int = 0, waited_ms: float = 0) -> Reading:
    """What a guest says that lost so many at each hop, and nothing else."""
    return Reading(
        packets=BEFORE.packets + SENT - refused - front,
        swapped_out=0,
        front={"slots": 1 + front, "nic": 0},
        rear={"queues": 2 + queues, "ring": 0},
        waited_ns=BEFORE.waited_ns + round(waited_ms * 1e6),
    )


def passed(reading: Reading, *, later: int = 0) -> Passed:
    """`later`: packets that were lost after the program."""
    count = reading.packets - BEFORE.packets - CLOSED
    return Passed(passed=count, dropped=CLOSED, received=count - later)


def fault(reading: Reading, traffic: TrafficReport, *, queues: int = 0, missing: int = 0) -> str | None:
    return explain(traffic, BEFORE, reading, passed(reading, later=queues + missing), rate=RATE)[1]


@pytest.mark.parametrize(
    ("generator_ms", "qemu_ms"), [(30, 0), (0, 30), (15, 15)], ids=["generator", "QEMU", "each of them"]
)
def test_a_stall_explains_as_many_packets_as_it_lasted(generator_ms: float, qemu_ms: float) -> None:
    traffic = report(refused=100, stalled_ms=generator_ms)
    reading = after(refused=100, front=200, queues=300, waited_ms=qemu_ms)
    assert fault(reading, traffic, queues=300) is None
    stall, _ = explain(traffic, BEFORE, reading, passed(reading, later=300), rate=RATE)
    assert stall.lost_at == {"QEMU's socket": 100, "slots": 200, "queues": 300}
    assert (stall.generator_ms, stall.qemu_ms) == (generator_ms, qemu_ms)


def test_more_packets_than_the_stall_lasted_are_no_stall() -> None:
    assert fault(after(queues=601), report(stalled_ms=30), queues=601)


def test_losses_of_a_machine_that_did_not_stall_are_none_of_its() -> None:
    assert fault(after(queues=1), report(stalled_ms=9), queues=1)


def test_what_the_swap_lost_is_never_forgiven() -> None:
    reading = dataclasses.replace(after(), swapped_out=1)
    assert fault(reading, report(stalled_ms=500)) == "1 packets found no program"


@pytest.mark.parametrize(
    ("reading", "missing", "words"),
    [
        (dataclasses.replace(after(), packets=BEFORE.packets + SENT - 1), 0, "before the program at no known hop"),
        (after(), 1, "after the program at no known hop"),
    ],
)
def test_what_no_counter_knows_of_is_never_forgiven(reading: Reading, missing: int, words: str) -> None:
    found = fault(reading, report(stalled_ms=500), missing=missing)
    assert found is not None
    assert words in found


def test_a_process_that_worked_has_waited_and_one_that_is_gone_has_not() -> None:
    assert waited_ns(os.getpid()) > 0
    assert waited_ns(None) == waited_ns(2**22 + 1) == 0
