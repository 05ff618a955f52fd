"""The stateful firewall: scapy's packets, what each is counted as, in the guest's engines and in Linux."""

import re
import struct
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel import kernel_oracle
from tests.support.kernel.function_runs import DROP, PASS, Preset, Run, cut_short, in_linux, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from unibpf.vnf import rules
from unibpf.vnf.filling import fill

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "stateful.h")
CLOCKED = ("connections", "attempts", "fragments")
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
IN, OUT, IN6, OUT6 = "10.0.0.7", "198.51.100.9", "2001:db8:1::7", "2001:db8:2::9"
RULES = """
[[rule]]
source = "10.0.0.0/16"
action = "accept"
[[rule]]
source = "2001:db8:1::/48"
action = "accept"
[[rule]]
destination = "10.0.0.7/32"
protocol = "tcp"
destination_ports = "80-81"
action = "accept"
"""


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "stateful.c")


def presets(text: str = RULES) -> list[Preset]:
    return [(name, key, value) for name, rows in fill("firewall", text.encode()).items() for key, value in rows]


def filtered(runner: Runner, bundle: bytes, packets: list[Packet | bytes], text: str = RULES) -> Run:
    return run_alike(runner, bundle, packets, presets(text), clocked=CLOCKED)


def said(runner: Runner, bundle: bytes, packets: list[Packet | bytes], text: str = RULES) -> dict[str, int]:
    return filtered(runner, bundle, packets, text).counters(REASONS)


def out(version: int = 4) -> Packet:
    return LINK / (IP(src=IN, dst=OUT) if version == 4 else IPv6(src=IN6, dst=OUT6))


def back(version: int = 4) -> Packet:
    return LINK / (IP(src=OUT, dst=IN) if version == 4 else IPv6(src=OUT6, dst=IN6))


def test_sizes_here_are_those_of_the_tool() -> None:
    assert f"#define RULES {rules.RULES} " in (FOLDER / "stateful.h").read_text()


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tagged", [False, True], ids=["plain", "VLAN"])
def test_inside_begins_and_outside_answers(version: int, tagged: bool, runner: Runner, bundle: bytes) -> None:
    def framed(packet: Packet) -> Packet:
        return LINK / Dot1Q(vlan=7) / packet.payload if tagged else packet

    packets = [
        framed(packet)
        for packet in (
            back(version) / UDP(sport=53, dport=5000),
            out(version) / UDP(sport=5000, dport=53),
            back(version) / UDP(sport=53, dport=5000),
            out(version) / UDP(sport=5000, dport=53),
            back(version) / UDP(sport=54, dport=5000),
        )
    ]
    run = filtered(runner, bundle, packets)
    assert run.codes == [DROP, PASS, PASS, PASS, DROP]
    assert run.counters(REASONS) == {"DENIED": 2, "ACCEPTED": 1, "ATTEMPT": 1, "ESTABLISHED": 1}
    ((_, value),) = run.maps["connections"].items()
    assert struct.unpack_from("<QQ", value, 8) == (2, 1)
    assert not run.maps["attempts"]


def tcp(*steps: str, sport: int = 1000) -> list[Packet]:
    """`>S` goes out, `<SA` comes back."""
    return [
        out() / TCP(sport=sport, dport=443, flags=step[1:])
        if step[0] == ">"
        else back() / TCP(sport=443, dport=sport, flags=step[1:])
        for step in steps
    ]


CONVERSATIONS = [
    ((">S", "<SA", ">A", "<PA", ">FA", "<FA", ">A"), {"ACCEPTED": 1, "ATTEMPT": 1, "ESTABLISHED": 5}),
    ((">S", "<A"), {"ACCEPTED": 1, "ATTEMPT": 1}),
    ((">S", "<S"), {"ACCEPTED": 1, "NOT_BEGUN": 1}),
    ((">S", "<RA", "<SA"), {"ACCEPTED": 1, "ATTEMPT": 1, "NOT_BEGUN": 1}),
    ((">A", "<SA", ">PA", "<R"), {"NOT_BEGUN": 4}),
    (("<S",), {"DENIED": 1}),
    ((">SF", ">SR", ">", ">F", ">PU"), {"BAD_FLAGS": 5}),
    ((">S", ">S", "<SA"), {"ACCEPTED": 1, "ATTEMPT": 2}),
    ((">S", "<SA", ">RA", "<S"), {"ACCEPTED": 1, "ATTEMPT": 1, "ESTABLISHED": 1, "DENIED": 1}),
    ((">S", "<SA", ">FA", "<FA", ">S", "<SA"), {"ACCEPTED": 2, "ATTEMPT": 2, "ESTABLISHED": 2}),
]


@pytest.mark.parametrize(("steps", "expected"), CONVERSATIONS, ids=[" ".join(steps) for steps, _ in CONVERSATIONS])
def test_tcp_goes_its_way_or_not_at_all(
    steps: tuple[str, ...], expected: dict[str, int], runner: Runner, bundle: bytes
) -> None:
    assert said(runner, bundle, tcp(*steps)) == expected


def lives_until(run: Run) -> int:
    ((_, value),) = run.maps["connections"].items()
    return int(struct.unpack_from("<Q", value)[0])


def test_a_closed_connection_is_soon_forgotten(runner: Runner, bundle: bytes) -> None:
    opened = lives_until(filtered(runner, bundle, tcp(">S", "<SA", ">A")))
    half = lives_until(filtered(runner, bundle, tcp(">S", "<SA", ">FA")))
    closed = [lives_until(filtered(runner, bundle, tcp(">S", "<SA", *last))) for last in ((">FA", "<FA"), ("<R",))]
    hour = 3600 * 10**9
    assert abs(opened - half) < hour
    assert all(opened - one > hour for one in closed)


def test_after_its_time_nothing_is_known(runner: Runner) -> None:
    hasty = bundle_of(FOLDER / "stateful.c", "ATTEMPT_SECONDS=0", "UDP_SECONDS=0")
    packets = [out() / UDP(sport=1, dport=2), back() / UDP(sport=2, dport=1)]
    assert said(runner, hasty, packets) == {"ACCEPTED": 1, "DENIED": 1}


def test_a_restarted_firewall_may_take_up_what_it_does_not_know(runner: Runner, bundle: bytes) -> None:
    loose = f"[config]\nloose = 1\n{RULES}"
    assert said(runner, bundle, tcp(">A", "<PA"), loose) == {"ACCEPTED": 1, "ESTABLISHED": 1}
    assert said(runner, bundle, tcp("<PA", ">A"), loose) == {"DENIED": 1, "ACCEPTED": 1}


def test_ping_is_a_flow_and_its_answer_belongs_to_it(runner: Runner, bundle: bytes) -> None:
    packets = [
        back() / ICMP(type=8, id=1),
        out() / ICMP(type=8, id=1),
        back() / ICMP(type=0, id=1),
        back() / ICMP(type=0, id=2),
        out(6) / ICMPv6EchoRequest(id=1),
        back(6) / ICMPv6EchoReply(id=1),
    ]
    assert filtered(runner, bundle, packets).codes == [DROP, PASS, PASS, DROP, PASS, PASS]


def test_an_error_passes_with_the_flow_that_it_quotes(runner: Runner, bundle: bytes) -> None:
    sent, sent6 = IP(src=IN, dst=OUT) / UDP(sport=1, dport=2), IPv6(src=IN6, dst=OUT6) / UDP(sport=1, dport=2)
    head, head6 = LINK / IP(src="203.0.113.1", dst=IN), LINK / IPv6(src="2001:db8:9::1", dst=IN6)
    packets = [
        head / ICMP(type=3, code=3) / sent,
        LINK / sent,
        LINK / sent6,
        head / ICMP(type=3, code=3) / sent,
        head / ICMP(type=11) / Raw(bytes(sent)[:28]),
        head6 / ICMPv6DestUnreach() / sent6,
        head / ICMP(type=3) / IP(src=IN, dst=OUT) / UDP(sport=1, dport=3),
        head / ICMP(type=3) / IP(src=IN, dst=OUT) / ICMP(type=3) / sent,
        head / ICMP(type=3) / Raw(bytes(sent)[:27]),
    ]
    run = filtered(runner, bundle, packets)
    assert run.codes == [DROP, PASS, PASS, PASS, PASS, PASS, DROP, DROP, DROP]
    assert run.counters(REASONS) == {"ACCEPTED": 2, "RELATED": 3, "UNRELATED": 3, "TRUNCATED": 1}


# Rules, a packet, and whether it passes.
MATCHES = [
    ('source = "198.51.100.0/24"', back() / UDP(), True),
    ('source = "198.51.100.0/29"', back() / UDP(), False),
    ('destination = "10.0.0.7/32"', back() / UDP(), True),
    ('source = "0.0.0.0/0"', back(6) / UDP(), False),
    ('version = "6"', back(6) / UDP(), True),
    ('version = "6"', back() / UDP(), False),
    ('source = "2001:db8:2::/47"', back(6) / UDP(), True),
    ('source = "2001:db8:3::/48"', back(6) / UDP(), False),
    ('destination = "2001:db8:1::7/128"', back(6) / UDP(), True),
    ('destination = "2001:db8:1::6/128"', back(6) / UDP(), False),
    ('protocol = "tcp"', back() / UDP(), False),
    ("protocol = 47", LINK / IP(src=OUT, dst=IN, proto=47) / b"x", True),
    ('protocol = "udp"\ndestination_ports = "53"', back() / UDP(dport=53), True),
    ('protocol = "udp"\ndestination_ports = "54-60"', back() / UDP(dport=53), False),
    ('protocol = "udp"\ndestination_ports = "50-53"', back() / UDP(dport=53), True),
    ('protocol = "udp"\nsource_ports = "1024-65535"', back() / UDP(sport=53), False),
    ('protocol = "icmp"', back() / ICMP(id=9), True),
    ('protocol = "icmp"', back() / ICMP(type=13), True),
    ("", LINK / IP(src=OUT, dst=IN, options=[IPOption_Router_Alert()]) / UDP(), True),
    ("", LINK / IPv6(src=OUT6, dst=IN6) / IPv6ExtHdrDestOpt() / UDP(), True),
]


@pytest.mark.parametrize(("rule", "packet", "passes"), MATCHES, ids=[f"{number}" for number in range(len(MATCHES))])
def test_a_rule_matches_what_it_says(rule: str, packet: Packet, passes: bool, runner: Runner, bundle: bytes) -> None:
    run = filtered(runner, bundle, [packet], f'[[rule]]\naction = "accept"\n{rule}\n')
    assert run.codes == [PASS if passes else DROP]
    assert (struct.unpack("<QQ", run.maps["hits"][bytes(4)]) == (1, len(packet))) is passes


def test_the_first_rule_that_matches_decides_and_then_the_policy(runner: Runner, bundle: bytes) -> None:
    text = '[config]\npolicy = "accept"\n[[rule]]\nsource = "198.51.100.9/32"\naction = "deny"\n[[rule]]\naction = "accept"'
    assert filtered(runner, bundle, [back() / UDP(), LINK / IP(src="198.51.100.8", dst=IN) / UDP()], text).codes == [
        DROP,
        PASS,
    ]
    assert filtered(runner, bundle, [back() / UDP()], '[config]\npolicy = "accept"').codes == [PASS]
    assert filtered(runner, bundle, [back() / UDP()], "").codes == [DROP]


def test_the_last_of_all_rules_counts_and_the_other_bank_not(runner: Runner, bundle: bytes) -> None:
    never = '[[rule]]\nprotocol = "gre"\naction = "accept"\n'
    full = "[config]\nbank = 1\n" + never * 255 + '[[rule]]\naction = "accept"\n'
    assert filtered(runner, bundle, [back() / UDP()], full).codes == [PASS]
    other = [preset for preset in presets(full) if preset[0] == "rules"] + presets("")
    assert run_alike(runner, bundle, [back() / UDP()], other).codes == [DROP]


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
def test_a_rule_may_be_about_a_nic(bundle: bytes) -> None:
    # Test runs of Linux come in by NIC 1.
    codes = [
        in_linux(bundle, [bytes(back() / UDP())], presets(f'[[rule]]\nnic = {nic}\naction = "accept"')).codes
        for nic in (0, 1, 2)
    ]
    assert codes == [[PASS], [PASS], [DROP]]


@pytest.mark.parametrize("version", [4, 6])
def test_later_fragments_pass_with_their_first_one(version: int, runner: Runner, bundle: bytes) -> None:
    first, last = bytes(UDP(sport=1, dport=53) / bytes(16)), bytes(16)
    head4 = [
        LINK / IP(src=IN, dst=OUT, id=9, proto=17, flags=more, frag=place) / part
        for more, place, part in (("MF", 0, first), (0, 3, last))
    ]
    head6 = [
        out(6) / IPv6ExtHdrFragment(nh=17, id=9, m=m, offset=place) / Raw(part)
        for m, place, part in ((1, 0, first), (0, 3, last))
    ]
    packets = head4 if version == 4 else head6
    assert filtered(runner, bundle, [packets[1], *packets]).codes == [DROP, PASS, PASS]


def test_neighbours_of_ipv6_are_heard_only_from_the_same_link_and_arp_passes(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IPv6(src=OUT6, dst=IN6, hlim=255) / ICMPv6ND_NS(tgt=IN6),
        LINK / IPv6(src=OUT6, dst=IN6, hlim=254) / ICMPv6ND_NS(tgt=IN6),
        LINK / ARP(),
    ]
    assert said(runner, bundle, packets) == {"NEIGHBOUR": 1, "DENIED": 1, "NOT_IP": 1}


def test_without_any_setting_nothing_of_ip_passes(runner: Runner, bundle: bytes) -> None:
    assert run_alike(runner, bundle, [out() / UDP(), out(6) / TCP(flags="S")]).codes == [DROP, DROP]


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    short = cut_short([out() / TCP(flags="S"), LINK / Dot1Q() / IPv6(src=IN6, dst=OUT6) / IPv6ExtHdrDestOpt() / UDP()])
    lying = [
        LINK / IP(src=IN, dst=OUT, len=27) / UDP() / bytes(9),
        LINK / IP(src=IN, dst=OUT, len=39) / TCP() / bytes(9),
    ]
    strange = [
        LINK / IP(src=IN, ihl=4) / UDP(),
        LINK / IP(src=IN, version=5) / UDP(),
        LINK / IPv6(version=7) / UDP(),
        LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP(),
    ]
    run = filtered(runner, bundle, [*short, *lying, *strange])
    assert run.codes == [DROP] * (len(short) + 6)
    assert run.counters(REASONS) == {"TRUNCATED": len(short) + 2, "BAD_HEADER": 4}


def test_the_example_is_understood(runner: Runner, bundle: bytes) -> None:
    example = (FOLDER / "rules.toml").read_text()
    assert filtered(runner, bundle, [out() / UDP(), back() / UDP()], example).codes == [PASS, PASS]
    assert re.findall(r"^action", example, re.MULTILINE)
