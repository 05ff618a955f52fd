"""The load balancer: scapy's packets through the guest's engines and Linux, which choose the same backends."""

import re
import struct
from collections import Counter
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from unibpf.vnf import maglev
from unibpf.vnf.filling import fill

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("connections", "fragments")
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
VIP, VIP6, CLIENT, CLIENT6 = "192.0.2.10", "2001:db8::10", "198.51.100.9", "2001:db8:1::9"
SYN = TCP(sport=1000, dport=80, flags="S")


def settings(*health: str, affinity: str = "connection", config: str = "") -> list[Preset]:
    """Backend N has the link address 02::N+1; `health` is theirs."""
    rows = ", ".join(
        f'{{number = {number}, link = "02:00:00:00:01:{number + 1:02x}", health = "{state}"}}'
        for number, state in enumerate(health)
    )
    services = [
        (VIP, 80, "tcp"),
        (VIP6, 80, "tcp"),
        (VIP, 53, "udp"),
        (VIP6, 0, "udp"),
        (VIP, 0, 1),
        (VIP6, 0, "icmpv6"),
    ]
    text = "".join(
        f'[[service]]\naddress = "{address}"\nport = {port}\nprotocol = {protocol!r}\n'
        f'affinity = "{affinity}"\nbackends = [{rows}]\n'
        for address, port, protocol in services
    )
    rows_by_map = fill("loadbalancer", f"{text}[config]\n{config}\n".encode())
    return [(name, key, value) for name, rows in rows_by_map.items() for key, value in rows]


THREE = settings("up", "up", "up")


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", kind="rewriter")


def balance(runner: Runner, bundle: bytes, packets: list[Packet | bytes], presets: list[Preset] | None = None) -> Run:
    return run_alike(runner, bundle, packets, presets or THREE, clocked=CLOCKED)


def backend(frame: bytes) -> int:
    assert frame[:5] == bytes([2, 0, 0, 0, 1])
    return frame[5] - 1


def test_sizes_here_are_those_of_the_tool() -> None:
    text = (FOLDER / "state.h").read_text()
    sizes = {name: int(value) for name, value in re.findall(r"#define (SERVICES|BACKENDS|SLOTS) (\d+)", text)}
    assert sizes == {"SERVICES": maglev.MOST_SERVICES, "BACKENDS": maglev.MOST_BACKENDS, "SLOTS": maglev.SLOTS}


@pytest.mark.parametrize("version", [4, 6])
def test_connections_spread_and_nothing_but_the_frames_address_changes(
    version: int, runner: Runner, bundle: bytes
) -> None:
    head = LINK / (IP(src=CLIENT, dst=VIP) if version == 4 else IPv6(src=CLIENT6, dst=VIP6))
    packets = [head / TCP(sport=port, dport=80, flags="S") / b"x" for port in range(1000, 1090)]
    run = balance(runner, bundle, packets)
    assert run.codes == [PASS] * 90
    assert [frame[6:] for frame in run.frames] == [bytes(packet)[6:] for packet in packets]
    counts = Counter(map(backend, run.frames))
    assert counts.keys() == {0, 1, 2}
    assert min(counts.values()) > 15
    assert run.counters(REASONS) == {"CHOSEN": 90}
    loads = {number: struct.unpack("<QQQ", run.maps["loads"][struct.pack("<I", number)]) for number in counts}
    assert {number: load[:2] for number, load in loads.items()} == {n: (count, count) for n, count in counts.items()}


def test_a_connection_stays_where_it_is_also_tagged_and_with_options(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / Dot1Q(vlan=5) / IP(src=CLIENT, dst=VIP, options=options) / TCP(sport=1000, dport=80, flags=flags)
        for options, flags in (([], "S"), ([], "A"), ([IPOption_Router_Alert()], "PA"), ([], "FA"))
    ]
    run = balance(runner, bundle, packets)
    assert len({backend(frame) for frame in run.frames}) == 1
    assert run.counters(REASONS) == {"CHOSEN": 1, "KNOWN": 3}


def known_at(flow: Packet, runner: Runner, bundle: bytes, number: int, presets: list[Preset]) -> Run:
    """A packet of a connection that is already at a backend."""
    first = balance(runner, bundle, [flow])
    (key,) = first.maps["connections"]
    later = struct.pack("<QII", 2**63, number, 0)
    return balance(runner, bundle, [flow], [*presets, ("connections", key, later)])


@pytest.mark.parametrize(
    ("health", "flags", "reason", "stays"),
    [
        ("up", "A", "KNOWN", True),
        ("draining", "A", "KNOWN", True),
        ("draining", "S", "CHOSEN", False),
        ("down", "A", "MOVED", False),
    ],
)
def test_what_becomes_of_a_connection_when_its_backends_health_changes(
    health: str, flags: str, reason: str, stays: bool, runner: Runner, bundle: bytes
) -> None:
    flow = LINK / IP(src=CLIENT, dst=VIP) / TCP(sport=1, dport=80, flags=flags)
    run = known_at(flow, runner, bundle, 1, settings("up", health, "up"))
    assert (backend(run.frames[0]) == 1) is stays
    assert run.counters(REASONS) == {reason: 1}


def test_a_backend_that_is_down_gets_nothing_before_its_table_is_made_anew(runner: Runner, bundle: bytes) -> None:
    row = next(preset for preset in settings("up", "down", "up") if preset[:2] == ("backends", struct.pack("<I", 1)))
    packets = [LINK / IP(src=CLIENT, dst=VIP) / TCP(sport=port, dport=80, flags="S") for port in range(1000, 1050)]
    run = balance(runner, bundle, packets, [*THREE, row])
    before = balance(runner, bundle, packets)
    assert {backend(frame) for frame in run.frames} == {0, 2}
    pairs = [(backend(old), backend(new)) for old, new in zip(before.frames, run.frames, strict=True)]
    assert all(old == new for old, new in pairs if old != 1)


def test_with_no_backend_packets_are_dropped_and_counted(runner: Runner, bundle: bytes) -> None:
    run = balance(runner, bundle, [LINK / IP(src=CLIENT, dst=VIP) / SYN], settings("down", "draining"))
    assert run.codes == [DROP]
    assert run.counters(REASONS) == {"NO_BACKEND": 1}


def test_all_connections_of_a_client_go_to_one_backend_if_the_service_says_so(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=f"198.51.100.{client}", dst=VIP) / TCP(sport=port, dport=80, flags="S")
        for client in range(10)
        for port in (1, 2, 3)
    ]
    run = balance(runner, bundle, packets, settings("up", "up", "up", affinity="client"))
    chosen = [backend(frame) for frame in run.frames]
    assert chosen[::3] == chosen[1::3] == chosen[2::3]
    assert len(set(chosen)) > 1


def test_what_is_to_no_service_ends_here_and_ping_is_a_service_of_its_own(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=CLIENT, dst=VIP) / TCP(dport=81),
        LINK / IP(src=CLIENT, dst="192.0.2.11") / TCP(dport=80),
        LINK / IP(src=CLIENT, dst=VIP, proto=47) / b"payload",
        LINK / ARP(),
        LINK / IP(src=CLIENT, dst=VIP) / ICMP(type=8, id=7),
        LINK / IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoRequest(id=7),
        LINK / IPv6(src=CLIENT6, dst=VIP6) / UDP(dport=4433),
    ]
    run = balance(runner, bundle, packets)
    assert run.codes == [DROP] * 4 + [PASS] * 3
    assert run.counters(REASONS) == {"NOT_SERVICE": 3, "NOT_IP": 1, "CHOSEN": 3}


def test_an_error_goes_to_the_backend_whose_packet_it_quotes(runner: Runner, bundle: bytes) -> None:
    there = [LINK / IP(src=CLIENT, dst=VIP) / TCP(sport=port, dport=80, flags="S") for port in range(1000, 1012)]
    there += [LINK / IPv6(src=CLIENT6, dst=VIP6) / TCP(sport=port, dport=80, flags="S") for port in range(1000, 1012)]
    too_big = ICMP(type=3, code=4, nexthopmtu=1400)
    errors = [
        LINK
        / IP(src="203.0.113.1", dst=VIP)
        / too_big
        / Raw(bytes(IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=p))[:28])
        for p in range(1000, 1012)
    ]
    errors += [
        LINK
        / IPv6(src="2001:db8::ff", dst=VIP6)
        / ICMPv6PacketTooBig()
        / IPv6(src=VIP6, dst=CLIENT6)
        / TCP(sport=80, dport=p)
        for p in range(1000, 1012)
    ]
    nobodys = LINK / IP(src=CLIENT, dst=VIP) / too_big / IP(src=VIP, dst=CLIENT) / TCP(sport=81)
    run = balance(runner, bundle, [*there, *errors, nobodys])
    chosen = [backend(frame) for frame in run.frames[:-1]]
    assert chosen[:24] == chosen[24:]
    assert run.counters(REASONS) == {"CHOSEN": 24, "ERROR_SENT": 24, "NOT_SERVICE": 1}


@pytest.mark.parametrize("version", [4, 6])
def test_later_fragments_go_where_the_first_one_went(version: int, runner: Runner, bundle: bytes) -> None:
    def fragments(number: int) -> tuple[Packet, Packet]:
        first, last = bytes(UDP(sport=number, dport=53) / bytes(16)), bytes(16)
        if version == 4:
            head = IP(src=CLIENT, dst=VIP, id=number, proto=17)
            return tuple(LINK / (head.copy() / Raw(part)) for part in (first, last))  # type: ignore[return-value]
        return tuple(
            LINK / IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrFragment(nh=17, id=number, m=m, offset=at) / Raw(part)
            for m, at, part in ((1, 0, first), (0, 3, last))
        )  # type: ignore[return-value]

    pairs = [fragments(number) for number in range(1, 9)]
    if version == 4:
        for first, last in pairs:
            first[IP].flags, last[IP].frag = "MF", 3
    run = balance(runner, bundle, [pairs[0][1], *(frame for pair in pairs for frame in pair)])
    assert run.codes == [DROP] + [PASS] * 16
    chosen = [backend(frame) for frame in run.frames[1:]]
    assert chosen[::2] == chosen[1::2]
    assert run.counters(REASONS) == {"CHOSEN": 8, "FRAGMENT_SENT": 8, "FRAGMENT_EARLY": 1}


def test_frames_leave_from_the_balancers_own_address_if_it_has_one(runner: Runner, bundle: bytes) -> None:
    presets = settings("up", config='ours = "02:00:00:00:00:99"')
    assert (
        balance(runner, bundle, [LINK / IP(src=CLIENT, dst=VIP) / SYN], presets).frames[0][6:12].hex() == "020000000099"
    )


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    short = cut_short(
        [
            LINK / IP(src=CLIENT, dst=VIP) / TCP(dport=80),
            LINK / Dot1Q(vlan=3) / IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrDestOpt() / UDP(dport=53),
        ]
    )
    lying = [LINK / IP(src=CLIENT, dst=VIP, len=27) / UDP(dport=53) / bytes(9)]
    strange = [
        LINK / IP(src=CLIENT, dst=VIP, ihl=4) / UDP(),
        LINK / IP(src=CLIENT, dst=VIP, version=5) / UDP(),
        LINK / IPv6(src=CLIENT6, dst=VIP6, version=7) / UDP(),
        LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP(),
    ]
    run = balance(runner, bundle, [*short, *lying, *strange])
    assert run.codes == [DROP] * (len(short) + 5)
    assert run.counters(REASONS) == {"TRUNCATED": len(short) + 1, "BAD_HEADER": 4}
