"""Congestion: RED and CoDel on virtual queues. A queue of one byte a second drains nothing within a test, so all is exact."""

import itertools
import struct
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "queues.h")
OFF, RED, CODEL = range(3)
NOT_ECT, ECT1, ECT0, CE = range(4)
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
CERTAIN = 65536
STILL = 1 << 63  # a queue that was drained until then drains nothing now


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c")


def run(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, presets, clocked=("queues",))


def config(mode: int, *, queue: int = 0, rate: int = 1, limit: int = 0, no_ecn: int = 0, **more: int) -> Preset:
    names = ("least", "most", "chance", "weight", "target_us", "interval_us")
    value = struct.pack("<QQII6I", rate, limit, mode, no_ecn, *(more.get(name, 0) for name in names))
    return ("config", struct.pack("<I", queue), value)


def packet(ecn: int, *, size: int = 1000, dscp: int = 0, version: int = 4) -> Packet:
    """A frame of `size` bytes."""
    head = IP(tos=dscp << 2 | ecn) if version == 4 else IPv6(tc=dscp << 2 | ecn)
    frame = LINK / head / UDP()
    return frame / Raw(bytes(size - len(frame)))


def ecn_of(frame: bytes) -> int:
    found = Ether(frame)
    return int(found[IP].tos & 3 if IP in found else found[IPv6].tc & 3)


def rechecked(frame: bytes) -> bytes:
    found = Ether(frame)
    del found[IP].chksum
    return bytes(found)


def test_without_configuration_everything_passes_as_it_came(runner: Runner, bundle: bytes) -> None:
    packets = [packet(ecn) for ecn in range(4)] + [LINK / ARP()]
    done = run(runner, bundle, packets)
    assert done.codes == [PASS] * 5
    assert done.frames == [bytes(one) for one in packets]


def test_red_marks_no_packet_below_the_least_and_every_one_far_above_the_most(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [packet(ECT0)] * 20, config(RED, least=4000, most=6000, chance=CERTAIN // 10))
    marks = [ecn_of(frame) == CE for frame in done.frames]
    assert marks[:5] == [False] * 5  # the mean is the backlog before the packet: 0 to 4,000
    assert marks[12:] == [True] * 8  # twice 6,000
    assert done.codes == [PASS] * 20
    assert all(rechecked(frame) == frame for frame in done.frames)


@pytest.mark.parametrize("chance", [CERTAIN // 50, CERTAIN // 5])
def test_red_marks_about_as_many_as_the_chance_says_and_spreads_them(
    chance: int, runner: Runner, bundle: bytes
) -> None:
    many = 600
    small = [packet(ECT1, size=64)] * many
    # The queue stands nearly still between least and most, at most of its way: 64 bytes of 10 million.
    full = [("queues", bytes(4), struct.pack("<QQQ", 9_990_000, STILL, 9_990_000 << 8) + bytes(64))]
    setting = config(RED, least=1_000_000, most=10_000_000, chance=chance, weight=15)
    done = run(runner, bundle, small, setting, *full)
    marks = [at for at, frame in enumerate(done.frames) if ecn_of(frame) == CE]
    # Even spread: gaps of 1 to 1/p, so 2p of them are marked (Floyd, Jacobson, section 7).
    expected = 2 * many * chance / CERTAIN
    assert 0.6 * expected < len(marks) < 1.4 * expected
    assert max(b - a for a, b in itertools.pairwise(marks)) <= CERTAIN // chance + 1


def test_the_mean_follows_slowly_as_its_weight_says(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [packet(ECT0)] * 3, config(RED, least=1, most=10**9, weight=2))
    mean = struct.unpack_from("<Q", done.maps["queues"][bytes(4)], 16)[0]
    assert mean == int((1000 * 256) / 4) + (2000 * 256 - int((1000 * 256) / 4)) // 4


@pytest.mark.parametrize("version", [4, 6])
def test_who_understands_ecn_is_told_and_who_does_not_loses_packets(
    version: int, runner: Runner, bundle: bytes
) -> None:
    first = packet(ECT0, size=1400)
    packets = [first, *(packet(ecn, version=version) for ecn in (NOT_ECT, ECT0, ECT1, CE))]
    done = run(runner, bundle, packets, config(RED, least=1, most=2))
    assert done.codes == [PASS, DROP, PASS, PASS, PASS]
    assert [ecn_of(frame) for frame in done.frames[2:]] == [CE] * 3
    assert done.counters(REASONS) == {"PASSED": 1, "MARKED": 2, "MARKED_BEFORE": 1, "DROPPED_EARLY": 1}
    again = run(runner, bundle, packets, config(RED, least=1, most=2, no_ecn=1))
    assert again.codes == [PASS, DROP, DROP, DROP, PASS]


def test_a_full_queue_drops_whatever_comes_and_does_not_grow(runner: Runner, bundle: bytes) -> None:
    packets = [*[packet(ECT0)] * 5, LINK / ARP(), LINK / ARP()]
    done = run(runner, bundle, packets, config(OFF, limit=3050))
    assert done.codes == [PASS] * 3 + [DROP] * 2 + [PASS, DROP]
    assert done.counters(REASONS) == {"PASSED": 3, "DROPPED_FULL": 3, "NOT_IP": 1}
    assert struct.unpack_from("<Q", done.maps["queues"][bytes(4)])[0] == 3042


def test_a_queue_that_drains_fast_enough_is_never_long(runner: Runner, bundle: bytes) -> None:
    for mode, rate in ((RED, 9 * 10**9), (RED, 10**12), (CODEL, 9 * 10**9)):
        setting = config(mode, rate=rate, least=3000, most=6000, chance=CERTAIN, limit=10**6, interval_us=1)
        done = run(runner, bundle, [packet(ECT0)] * 50, setting)
        assert done.counters(REASONS) == {"PASSED": 50}, rate


def test_codel_waits_for_an_interval_and_then_tells_ever_more_often(runner: Runner, bundle: bytes) -> None:
    hour = config(CODEL, target_us=1, interval_us=3_600_000_000)
    assert run(runner, bundle, [packet(ECT0)] * 50, hour).counters(REASONS) == {"PASSED": 50}
    # With an interval of 1 us that is over by the next packet, each packet after it is late.
    done = run(runner, bundle, [packet(ECT0)] * 10, config(CODEL, target_us=1, interval_us=1))
    assert [ecn_of(frame) for frame in done.frames[:3]] == [ECT0] * 3  # none, one packet, two: the interval begins
    state = done.maps["queues"][bytes(4)]
    count, last_count, is_marking = struct.unpack_from("<III", state, 72)
    assert (is_marking, last_count) == (1, 1)
    assert count == done.counters(REASONS)["MARKED"] > 3


@pytest.mark.parametrize("count", [1, 2, 16, 100, 12345])
def test_codel_spaces_by_the_root_of_its_count(count: int, runner: Runner, bundle: bytes) -> None:
    now, interval = 1, 10**6
    queue = struct.pack("<QQQQQQIIQQIIII", 10**6, STILL, 0, 0, 0, 0, 0, 0, now, now, count - 1, 1, 1, 0)
    setting = config(CODEL, target_us=1, interval_us=interval // 1000)
    done = run(runner, bundle, [packet(ECT0)], setting, ("queues", bytes(4), queue))
    state = done.maps["queues"][bytes(4)]
    after, counted = struct.unpack_from("<Q", state, 64)[0], struct.unpack_from("<I", state, 72)[0]
    assert counted == count
    assert after - now == pytest.approx(interval / count**0.5, rel=0.01)


def test_classes_have_queues_of_their_own(runner: Runner, bundle: bytes) -> None:
    classes = ("classes", struct.pack("<I", 46), struct.pack("<I", 3))
    tagged = LINK / Dot1Q(vlan=3) / packet(ECT0, dscp=46).payload
    packets = [packet(ECT0), packet(ECT0, dscp=46), packet(ECT0, dscp=46, version=6), tagged]
    done = run(runner, bundle, packets, classes, config(RED, least=1, most=2), config(RED, queue=3, least=1, most=2))
    assert [ecn_of(frame) for frame in done.frames] == [ECT0, ECT0, CE, CE]


def test_broken_packets_pass_and_fill_the_queue(runner: Runner, bundle: bytes) -> None:
    short = cut_short([LINK / IP() / UDP() / b"x", LINK / IPv6() / UDP() / b"x"])
    done = run(runner, bundle, [*short, LINK / IP(ihl=1)], config(RED, least=1, most=2))
    assert done.codes == [PASS] * (len(short) + 1)
    assert done.counters(REASONS) == {"TRUNCATED": len(short), "BAD_HEADER": 1}
    backlog = struct.unpack_from("<Q", done.maps["queues"][bytes(4)])[0]
    assert backlog == sum(map(len, short)) + 34
