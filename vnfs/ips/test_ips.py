"""Prevention: what rules drop, who is blocked, for how long, in the guest's engines and in Linux."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from tests.support.kernel.detection import presets, told
from tests.support.kernel.function_runs import DROP, PASS, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER.parent / "ids" / "state.h")
CLOCKED = ("alerts", "blocked")
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
GOOD, BAD, SERVER = "198.51.100.1", "198.51.100.2", "10.0.0.7"
RULES = """
[[rule]]
id = 1
contents = ["attack"]
action = "drop"
block = "source"
block_seconds = 600
[[rule]]
id = 2
contents = ["infected"]
block = "destination"
block_seconds = 600
[[rule]]
id = 3
contents = ["rude"]
action = "drop"
"""


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "STATES=64")


def prevented(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *more: Preset, text: str = RULES) -> Run:
    return run_alike(runner, bundle, packets, [*presets(text), *more], clocked=CLOCKED)


def udp(source: str, payload: bytes = b"", destination: str = SERVER) -> Packet:
    return LINK / IP(src=source, dst=destination) / UDP(sport=1, dport=53) / payload


def mapped(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + IPv4Address(address).packed


def test_an_attack_is_dropped_and_its_source_blocked_and_nobody_else(runner: Runner, bundle: bytes) -> None:
    packets = [udp(BAD), udp(BAD, b"attack"), udp(BAD), udp(GOOD), udp(SERVER, destination=BAD)]
    run = prevented(runner, bundle, packets)
    assert run.codes == [PASS, DROP, DROP, PASS, PASS]
    assert run.counters(REASONS) == {"CLEAN": 3, "STOPPED": 1, "BLOCKED": 1, "BANNED": 1, "TOLD": 1}
    assert told(run) == [1]
    ((key, value),) = run.maps["blocked"].items()
    assert key == mapped(BAD)
    assert struct.unpack_from("<QI", value, 8) == (1, 1)


def test_a_rule_may_drop_alone_or_block_the_other_end_alone(runner: Runner, bundle: bytes) -> None:
    run = prevented(runner, bundle, [udp(BAD, b"rude"), udp(BAD), udp(GOOD, b"infected", BAD), udp(BAD), udp(GOOD)])
    assert run.codes == [DROP, PASS, PASS, DROP, PASS]
    assert told(run) == [3, 2]


def test_an_attack_across_segments_is_stopped_at_the_last(runner: Runner, bundle: bytes) -> None:
    head = LINK / IPv6(src="2001:db8::2", dst="2001:db8::7")
    packets = [head / TCP(seq=seq, flags="A") / data for seq, data in ((10, b"att"), (13, b"ack"), (16, b"x"))]
    run = prevented(runner, bundle, packets)
    assert run.codes == [PASS, DROP, DROP]
    assert run.counters(REASONS)["CONTINUED"] == 1


def test_who_is_exempt_is_never_blocked(runner: Runner, bundle: bytes) -> None:
    exempt = ("exempt", mapped(BAD), struct.pack("<I", 1))
    run = prevented(runner, bundle, [udp(BAD, b"attack"), udp(BAD)], exempt)
    assert run.codes == [DROP, PASS]
    assert not run.maps["blocked"]


def test_a_block_ends_and_an_operator_may_make_one(runner: Runner, bundle: bytes) -> None:
    def blocked(until: int) -> Preset:
        return ("blocked", mapped(BAD), struct.pack("<QQII", until, 0, 0, 0))

    assert prevented(runner, bundle, [udp(BAD)], blocked(1)).codes == [PASS]
    assert prevented(runner, bundle, [udp(BAD)], blocked(2**64 - 1), text="").codes == [DROP]
    briefly = RULES.replace("block_seconds = 600", "block_seconds = 0")
    assert prevented(runner, bundle, [udp(BAD, b"attack"), udp(BAD)], text=briefly).codes == [DROP, PASS]


def test_without_settings_all_that_is_whole_passes(runner: Runner, bundle: bytes) -> None:
    run = run_alike(runner, bundle, [udp(BAD, b"attack"), LINK / ARP()], clocked=CLOCKED)
    assert run.codes == [PASS, PASS]


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    short = cut_short([LINK / IP(src=GOOD) / TCP() / b"attack", LINK / Dot1Q() / IPv6() / UDP()])
    lying = [LINK / IP(src=GOOD) / TCP(dataofs=4), LINK / IP(src=GOOD, len=39) / TCP()]
    strange = [LINK / IP(version=5) / UDP(), LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP()]
    run = prevented(runner, bundle, [*short, *lying, *strange])
    assert set(run.codes) == {DROP}
    assert run.counters(REASONS) == {"TRUNCATED": len(short) + 2, "BAD_HEADER": 2}
