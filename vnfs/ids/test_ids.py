"""Detection: what packets carry, and which rules are told of, in the guest's engines and in Linux."""

import re
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel.detection import ALERT_BYTES, alerts, presets, told
from tests.support.kernel.function_runs import PASS, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from unibpf.vnf import automaton

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("alerts",)
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IN, OUT = "10.0.0.7", "198.51.100.9"
HEAD = LINK / IP(src=OUT, dst=IN)
RULES = """
[[rule]]
id = 11
contents = ["attack"]
[[rule]]
id = 12
contents = ["AtTaCk"]
case = "ignored"
[[rule]]
id = 13
contents = ["|00 ff|tack", "tack"]
[[rule]]
id = 14
contents = ["he", "she", "hers"]
[[rule]]
id = 15
contents = ["port"]
protocol = "udp"
destination_ports = "53"
source = "198.51.100.0/24"
"""


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "STATES=128")


def looked_at(runner: Runner, bundle: bytes, packets: list[Packet | bytes], text: str = RULES) -> Run:
    return run_alike(runner, bundle, packets, presets(text), clocked=CLOCKED)


def test_sizes_here_are_those_of_the_tool() -> None:
    text = (FOLDER / "state.h").read_text()
    sizes = {name: int(value) for name, value in re.findall(r"#define (STATES|RULES|CONTENTS) (\d+)", text)}
    assert sizes == {name: getattr(automaton, name) for name in ("STATES", "RULES", "CONTENTS")}


# What a UDP packet carries, and the rules that are told of.
PAYLOADS = [
    (b"attack", [11, 12]),
    (b"an ATTACK here", [12]),
    (b"atta" + b"attack", [11, 12]),
    (b"attac", []),
    (b"\x00\xfftack", [13]),
    (b"ushers", [14]),
    (b"he she", []),
    (b"port", [15]),
    (b"x" * 63 + b"attack", [11, 12]),
    (b"x" * 1400 + b"attack", [11, 12]),
    (b"", []),
]


@pytest.mark.parametrize(("payload", "rules"), PAYLOADS, ids=[str(payload[-12:]) for payload, _ in PAYLOADS])
def test_contents_are_found_wherever_they_are(payload: bytes, rules: list[int], runner: Runner, bundle: bytes) -> None:
    run = looked_at(runner, bundle, [HEAD / UDP(sport=1, dport=53) / payload])
    assert run.codes == [PASS]
    assert told(run) == rules


def test_what_is_told_is_whose_packet_it_was(runner: Runner, bundle: bytes) -> None:
    packet = (
        LINK / Dot1Q(vlan=5) / IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2)
    )
    run = looked_at(runner, bundle, [packet / b"ushers"])
    assert {len(record) for record in run.records["alerts"]} == {ALERT_BYTES}
    (alert,) = alerts(run)
    assert alert.flow == bytes(packet[IPv6])[8:40] + bytes([0, 1, 0, 2, 5, 0, 17, 6])
    assert (alert.rule, alert.action, alert.length) == (14, 1, len(packet) + 6)
    assert run.counters(REASONS) == {"SUSPECT": 1, "TOLD": 1}
    assert run.maps["hits"][(3).to_bytes(4, "little")] == (1).to_bytes(8, "little")


def test_contents_are_found_in_everything_that_carries_something(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=OUT, dst=IN, options=[IPOption_Router_Alert()]) / TCP(options=[("NOP", None)] * 4) / b"attack",
        HEAD / ICMP(type=8) / b"attack",
        LINK / IP(src=OUT, dst=IN, proto=47) / b"attack",
        LINK / IP(src=OUT, dst=IN, proto=17, frag=9) / b"attack",
    ]
    assert told(looked_at(runner, bundle, packets)) == [11, 12] * 4


def test_bytes_of_headers_and_padding_are_no_contents(runner: Runner, bundle: bytes) -> None:
    packets = [
        Ether(src="61:74:74:61:63:6b", dst="61:74:74:61:63:6b") / IP(src="97.116.116.97", dst="99.107.97.116") / UDP(),
        bytes(HEAD / UDP() / b"x") + b"attack",
    ]
    assert told(looked_at(runner, bundle, packets)) == []


def segments(*parts: tuple[int, bytes], sport: int = 5) -> list[Packet | bytes]:
    return [HEAD / TCP(sport=sport, dport=80, seq=seq % 2**32, flags="A") / Raw(data) for seq, data in parts]


STREAMS = [
    ([(100, b"att"), (103, b"ack")], [11, 12]),
    ([(2**32 - 2, b"att"), (1, b"ack")], [11, 12]),
    ([(100, b"att"), (104, b"ack")], []),
    ([(100, b"attack"), (106, b"attack")], [11, 12]),
    ([(100, b"he she"), (106, b"rs"), (108, b"hers")], [14]),
    ([(100, b"att"), (103, b""), (103, b"ack")], [11, 12]),
]


@pytest.mark.parametrize(("parts", "rules"), STREAMS, ids=[str(number) for number in range(len(STREAMS))])
def test_a_stream_is_read_on_where_it_goes_on(
    parts: list[tuple[int, bytes]], rules: list[int], runner: Runner, bundle: bytes
) -> None:
    assert told(looked_at(runner, bundle, segments(*parts))) == rules


def test_streams_are_read_each_for_itself_and_a_syn_counts_one(runner: Runner, bundle: bytes) -> None:
    apart = [segments((100, b"att"))[0], segments((103, b"ack"), sport=6)[0]]
    assert told(looked_at(runner, bundle, apart)) == []
    opened = HEAD / TCP(sport=5, dport=80, seq=99, flags="S") / b"att"
    assert told(looked_at(runner, bundle, [opened, *segments((103, b"ack"))])) == [11, 12]


@pytest.mark.parametrize(
    ("packet", "rules"),
    [
        (HEAD / UDP(dport=54) / b"port", []),
        (HEAD / TCP(dport=53) / b"port", []),
        (LINK / IP(src="203.0.113.1", dst=IN) / UDP(dport=53) / b"port", []),
        (HEAD / UDP(dport=53) / b"port", [15]),
    ],
)
def test_a_rule_is_about_the_ends_that_it_says(packet: Packet, rules: list[int], runner: Runner, bundle: bytes) -> None:
    assert told(looked_at(runner, bundle, [packet])) == rules


def test_a_rule_without_contents_is_about_every_packet(runner: Runner, bundle: bytes) -> None:
    text = '[[rule]]\nid = 3\nprotocol = "tcp"\ndestination_ports = "23"'
    assert told(
        looked_at(runner, bundle, [HEAD / TCP(dport=23), HEAD / TCP(dport=23), HEAD / UDP(dport=23)], text)
    ) == [3, 3]


def test_alerts_that_find_no_room_are_counted(runner: Runner) -> None:
    small = bundle_of(FOLDER / "program.c", "ALERT_BYTES=4096", "STATES=128")
    many = "".join(f'[[rule]]\nid = {number}\ncontents = ["attack"]\n' for number in range(1, 7))
    run = looked_at(runner, small, [HEAD / UDP() / b"attack"] * 20, many)
    counters = run.counters(REASONS)
    assert counters["TOLD"] == len(told(run)) <= 4096 // ALERT_BYTES
    assert counters["TOLD"] + counters["ALERT_LOST"] == 120
    assert counters["SUSPECT"] == 20


def test_without_rules_everything_passes_unread(runner: Runner, bundle: bytes) -> None:
    run = run_alike(runner, bundle, [HEAD / UDP() / b"attack"], clocked=CLOCKED)
    assert run.counters(REASONS) == {"CLEAN": 1}


def test_what_is_cut_short_or_contradicts_itself_passes_and_is_counted(runner: Runner, bundle: bytes) -> None:
    short = cut_short([HEAD / TCP() / b"attack", LINK / IPv6() / IPv6ExtHdrDestOpt() / UDP()])
    lying = [HEAD / TCP(dataofs=4), HEAD / TCP(dataofs=15), LINK / IP(src=OUT, len=39) / TCP()]
    strange = [LINK / IP(version=5) / UDP(), LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP(), LINK / ARP()]
    run = looked_at(runner, bundle, [*short, *lying, *strange])
    assert set(run.codes) == {PASS}
    assert run.counters(REASONS) == {"TRUNCATED": len(short) + 3, "BAD_HEADER": 2, "NOT_IP": 1}


def test_the_example_is_understood(runner: Runner, bundle: bytes) -> None:
    question = b"\0\1\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0\1"
    run = looked_at(runner, bundle, [HEAD / UDP(dport=53) / question], (FOLDER / "rules.toml").read_text())
    assert told(run) == [2]
