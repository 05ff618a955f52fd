"""The rate limiter: bursts, sources, the full table. Time passes between packets, so figures here are bounds."""

from pathlib import Path

import pytest

from tests.support.kernel import kernel_oracle
from tests.support.kernel.kernel_functions import in_kernel
from tests.support.programs.bundles import ENGINES, Runner
from tests.support.programs.vnf import bundle_of, in_guest, ipv4

PROGRAM = Path(__file__).parent / "program.c"
PASS, DROP = 2, 1
SLOW = ("RATE=1", "BURST=10")  # one packet a second: within a test nothing is refilled


def packets(source: int, count: int) -> list[bytes]:
    return [ipv4(protocol=17, port=53, source=source)] * count


@pytest.mark.parametrize("engine", ENGINES)
def test_a_burst_passes_and_what_follows_is_dropped(engine: str, runner: Runner) -> None:
    outcome = in_guest(runner, bundle_of(PROGRAM, *SLOW), packets(1, 30), engine)
    assert outcome.codes == [PASS] * 10 + [DROP] * 20


def test_sources_are_limited_each_for_itself_and_counted(runner: Runner) -> None:
    outcome = in_guest(runner, bundle_of(PROGRAM, *SLOW), packets(1, 15) + packets(2, 5))
    assert outcome.codes == [PASS] * 10 + [DROP] * 5 + [PASS] * 5
    buckets = outcome.maps["buckets"]
    passed_and_dropped = {key: (value[32:48], value[48:64]) for key, value in buckets.items()}
    assert passed_and_dropped == {
        "00000001": ((10).to_bytes(8, "little").hex(), (5).to_bytes(8, "little").hex()),
        "00000002": ((5).to_bytes(8, "little").hex(), bytes(8).hex()),
    }


def test_tokens_come_back_with_time(runner: Runner) -> None:
    outcome = in_guest(runner, bundle_of(PROGRAM, "RATE=1000000", "BURST=1"), packets(1, 2000))
    assert DROP not in outcome.codes[:1]
    assert outcome.codes.count(PASS) > 100


def test_a_source_that_finds_the_table_full_passes_and_is_counted(runner: Runner) -> None:
    many = [packet for source in range(1, 8) for packet in packets(source, 1)]
    outcome = in_guest(runner, bundle_of(PROGRAM, "SOURCES=4", *SLOW), many)
    assert outcome.codes == [PASS] * 7
    assert len(outcome.maps["buckets"]) == 4
    assert outcome.maps["table_full"]["00000000"] == (3).to_bytes(8, "little").hex()


def test_what_is_not_ipv4_passes_and_is_not_counted(runner: Runner) -> None:
    outcome = in_guest(runner, bundle_of(PROGRAM, *SLOW), [bytes(12) + b"\x86\xdd" + bytes(60), bytes(20)])
    assert outcome.codes == [PASS, PASS]
    assert outcome.maps["buckets"] == {}


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
def test_linux_agrees() -> None:
    assert in_kernel(bundle_of(PROGRAM, *SLOW), packets(1, 30)).codes == [PASS] * 10 + [DROP] * 20
