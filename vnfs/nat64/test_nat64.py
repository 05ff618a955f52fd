"""NAT64 and SIIT: scapy's packets through the guest's engines and Linux; scapy computes every checksum anew to compare."""

import struct
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, TX, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("bindings", "fragments")
HOST, OTHER, SERVER, POOL = "2001:db8::7", "2001:db8::8", "198.51.100.9", "192.0.2.1"
SERVER6, POOL6 = "64:ff9b::c633:6409", "64:ff9b::c000:201"
MAPPED6, MAPPED4 = "2001:db8::99", "203.0.113.5"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FIRST_PORT = 32768
PAYLOAD = Raw(b"the payload, odd bytes in it.")


def config(*, pool: str = POOL, mtu6: int = 0, mtu4: int = 0, gateway: bytes = bytes(6)) -> Preset:
    side = bytes([2, 0, 0, 0, 0, 9]) + gateway
    value = bytes(32) + IPv4Address(pool).packed + struct.pack("<HH", mtu6, mtu4) + side + side + bytes(4)
    return ("config", bytes(4), value)


STATELESS = config(pool="0.0.0.0")
MAPPED: list[Preset] = [
    ("hosts6", IPv6Address(MAPPED6).packed, IPv4Address(MAPPED4).packed),
    ("hosts4", IPv4Address(MAPPED4).packed, IPv6Address(MAPPED6).packed),
]


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "PORTS=8", "HOSTS=4")


def translate(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, presets or [config()], clocked=CLOCKED)


def built(packet: Packet) -> Packet:
    """As it comes out of the wire, with its own lengths and checksums."""
    return packet.__class__(bytes(packet))


def anew(frame: bytes) -> bytes:
    """The frame with every checksum and length computed by scapy instead."""
    packet = Ether(frame)
    layer = packet
    while layer:
        for field in ("chksum", "cksum", "len", "plen"):
            if field in layer.fields and not (isinstance(layer, UDP) and layer.fields.get("chksum") == 0):
                del layer.fields[field]
        layer = layer.payload
    return bytes(packet)


def port_of(run: Run, number: int = 0) -> int:
    packet = Ether(run.frames[number])
    return int(packet[ICMP].id if ICMP in packet else packet.getlayer(2).sport)


@pytest.mark.parametrize("protocol", [UDP, TCP])
@pytest.mark.parametrize("tagged", [False, True], ids=["plain", "VLAN"])
def test_a_host_reaches_a_server_and_is_answered(protocol: type, tagged: bool, runner: Runner, bundle: bytes) -> None:
    link = LINK / Dot1Q(vlan=7) if tagged else LINK
    there = link / IPv6(src=HOST, dst=SERVER6, hlim=9, tc=0x2E) / protocol(sport=5000, dport=80) / PAYLOAD
    first = translate(runner, bundle, [there])
    port = port_of(first) if not tagged else int(Ether(first.frames[0])[protocol].sport)
    assert FIRST_PORT <= port < FIRST_PORT + 8
    back = link / IP(src=SERVER, dst=POOL, ttl=30, tos=0x2E) / protocol(sport=80, dport=port) / PAYLOAD
    run = translate(runner, bundle, [there, back])
    assert run.codes == [PASS, PASS]
    out, home = map(Ether, run.frames)
    assert (out[IP].src, out[IP].dst, out[IP].ttl, out[IP].tos) == (POOL, SERVER, 8, 0x2E)
    assert (home[IPv6].src, home[IPv6].dst, home[IPv6].hlim, home[IPv6].tc) == (SERVER6, HOST, 29, 0x2E)
    assert (home[protocol].sport, home[protocol].dport) == (80, 5000)
    assert [anew(frame) for frame in run.frames] == run.frames
    assert [bytes(Ether(frame)[Raw]) for frame in run.frames] == [bytes(PAYLOAD)] * 2
    assert run.counters(REASONS) == {"TO_IP4": 1, "TO_IP6": 1, "BOUND": 1}
    assert Dot1Q not in out or out[Dot1Q].vlan == 7


def test_ping_goes_there_and_back(runner: Runner, bundle: bytes) -> None:
    there = LINK / IPv6(src=HOST, dst=SERVER6) / ICMPv6EchoRequest(id=77, seq=3, data=b"ping!")
    identifier = port_of(translate(runner, bundle, [there]))
    back = LINK / IP(src=SERVER, dst=POOL) / ICMP(type=0, id=identifier, seq=3) / b"ping!"
    run = translate(runner, bundle, [there, back])
    out, home = map(Ether, run.frames)
    assert (out[ICMP].type, out[ICMP].seq) == (8, 3)
    assert (home[ICMPv6EchoReply].id, home[ICMPv6EchoReply].data) == (77, b"ping!")
    assert [anew(frame) for frame in run.frames] == run.frames


def test_one_port_of_a_host_is_one_port_outside_whatever_it_talks_to(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IPv6(src=source, dst=destination) / UDP(sport=sport, dport=53)
        for source, destination, sport in [
            (HOST, SERVER6, 1), (HOST, "64:ff9b::1", 1), (HOST, SERVER6, 2), (OTHER, SERVER6, 1)
        ]
    ]  # fmt: skip
    run = translate(runner, bundle, packets)
    ports = [port_of(run, number) for number in range(4)]
    assert ports[0] == ports[1]
    assert len(set(ports)) == 3


def test_when_no_port_is_left_a_new_host_is_refused_and_old_ones_go_on(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IPv6(src=HOST, dst=SERVER6) / UDP(sport=port, dport=53) for port in [*range(1, 11), 1]]
    run = translate(runner, bundle, packets)
    assert run.codes == [PASS] * 8 + [DROP] * 2 + [PASS]
    assert run.counters(REASONS) == {"TO_IP4": 9, "BOUND": 8, "NO_PORT": 2}


def test_a_binding_whose_time_is_over_is_given_away(runner: Runner) -> None:
    hasty = bundle_of(FOLDER / "program.c", "PORTS=8", "UDP_SECONDS=0")
    run = translate(runner, hasty, [LINK / IPv6(src=HOST, dst=SERVER6) / UDP(sport=port) for port in range(1, 31)])
    assert run.codes == [PASS] * 30
    assert run.counters(REASONS) == {"TO_IP4": 30, "BOUND": 30}
    assert len(run.maps["bound"]) <= 8


def test_nobody_outside_reaches_a_port_that_is_not_bound(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src=SERVER, dst=POOL) / UDP(sport=1, dport=port) for port in (80, FIRST_PORT, FIRST_PORT + 8)]
    run = translate(runner, bundle, [*packets, LINK / IP(src=SERVER, dst="192.0.2.77") / UDP()])
    assert run.codes == [DROP] * 4
    assert run.counters(REASONS) == {"NO_BINDING": 3, "NOT_OURS": 1}


def test_mapped_hosts_keep_their_ports_both_ways_and_any_protocol(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IPv6(src=MAPPED6, dst=SERVER6) / TCP(sport=22, dport=9) / PAYLOAD,
        LINK / IP(src=SERVER, dst=MAPPED4) / TCP(sport=9, dport=22) / PAYLOAD,
        LINK / IPv6(src=MAPPED6, dst=SERVER6, nh=132) / PAYLOAD,
        LINK / IPv6(src=HOST, dst=SERVER6, nh=132) / PAYLOAD,
    ]
    run = translate(runner, bundle, packets, config(), *MAPPED)
    assert run.codes == [PASS, PASS, PASS, DROP]
    out, home, other = (Ether(frame) for frame in run.frames[:3])
    assert (out[IP].src, out[TCP].sport, out[IP].dst) == (MAPPED4, 22, SERVER)
    assert (home[IPv6].dst, home[TCP].dport, home[IPv6].src) == (MAPPED6, 22, SERVER6)
    assert (other[IP].proto, bytes(other[IP].payload)) == (132, bytes(PAYLOAD))
    assert [anew(frame) for frame in run.frames[:3]] == run.frames[:3]
    assert run.counters(REASONS) == {"TO_IP4": 2, "TO_IP6": 1, "NOT_TRANSLATED": 1}


def test_stateless_both_addresses_are_those_that_the_prefix_embeds(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IPv6(src=POOL6, dst=SERVER6) / UDP(sport=5, dport=6) / PAYLOAD,
        LINK / IP(src=SERVER, dst=POOL) / UDP(sport=6, dport=5) / PAYLOAD,
        LINK / IPv6(src=HOST, dst=SERVER6) / UDP(),
    ]
    run = translate(runner, bundle, packets, STATELESS)
    assert run.codes == [PASS, PASS, DROP]
    out, home = Ether(run.frames[0]), Ether(run.frames[1])
    assert (out[IP].src, out[IP].dst, home[IPv6].src, home[IPv6].dst) == (POOL, SERVER, SERVER6, POOL6)
    assert [anew(frame) for frame in run.frames[:2]] == run.frames[:2]


def test_frames_go_to_the_gateway_of_their_side_if_there_is_one(runner: Runner, bundle: bytes) -> None:
    gateway = bytes([2, 0, 0, 0, 0, 5])
    packets = [LINK / IPv6(src=HOST, dst=SERVER6) / UDP() / PAYLOAD]
    run = translate(runner, bundle, packets, config(gateway=gateway))
    assert run.frames[0][:12] == gateway + bytes([2, 0, 0, 0, 0, 9])


def test_udp_without_a_checksum_gets_one_in_ipv6(runner: Runner, bundle: bytes) -> None:
    head = LINK / IP(src=SERVER, dst=POOL) / UDP(sport=6, dport=5, chksum=0)
    run = translate(runner, bundle, [head / bytes(range(length)) for length in (0, 1, 2, 55, 56, 57, 200)], STATELESS)
    assert 0 not in [Ether(frame)[UDP].chksum for frame in run.frames]
    assert [anew(frame) for frame in run.frames] == run.frames


def test_fragments_of_ipv4_follow_their_first_one(runner: Runner, bundle: bytes) -> None:
    bound = LINK / IPv6(src=HOST, dst=SERVER6) / UDP(sport=5, dport=6)
    port = port_of(translate(runner, bundle, [bound]))
    whole = IP(bytes(IP(src=SERVER, dst=POOL, id=99) / UDP(sport=6, dport=port) / bytes(64)))
    first, last = (
        LINK / IP(src=SERVER, dst=POOL, id=99, proto=17, flags=flags, frag=offset) / Raw(bytes(whole.payload)[part])
        for flags, offset, part in (("MF", 0, slice(0, 40)), (0, 5, slice(40, None)))
    )
    run = translate(runner, bundle, [bound, last, first, last])
    assert run.codes == [PASS, DROP, PASS, PASS]
    parts = [IPv6(frame[14:]) for frame in run.frames[2:]]
    assert [(part[IPv6ExtHdrFragment].offset, part[IPv6ExtHdrFragment].m) for part in parts] == [(0, 1), (5, 0)]
    assert {part[IPv6ExtHdrFragment].id for part in parts} == {99}
    assert {(part.src, part.dst) for part in parts} == {(SERVER6, HOST)}
    together = b"".join(frame[14 + 48 :] for frame in run.frames[2:])
    assert bytes(built(IPv6(src=SERVER6, dst=HOST) / UDP(sport=6, dport=5) / bytes(64)).payload) == together
    assert run.counters(REASONS)["FRAGMENT_EARLY"] == 1


def test_fragments_of_ipv6_become_fragments_of_ipv4(runner: Runner, bundle: bytes) -> None:
    whole = bytes(built(IPv6(src=HOST, dst=SERVER6) / UDP(sport=5, dport=6) / bytes(64)).payload)
    packets = [
        LINK / IPv6(src=HOST, dst=SERVER6) / IPv6ExtHdrFragment(nh=17, id=0x1234ABCD, m=m, offset=offset) / Raw(part)
        for m, offset, part in ((1, 0, whole[:40]), (0, 5, whole[40:]))
    ]
    run = translate(runner, bundle, packets)
    parts = [Ether(frame)[IP] for frame in run.frames]
    assert [(part.flags.value, part.frag, part.id) for part in parts] == [(1, 0, 0xABCD), (0, 5, 0xABCD)]
    assert [part.src for part in parts] == [POOL] * 2
    port = int.from_bytes(run.frames[0][34:36], "big")
    together = b"".join(frame[34:] for frame in run.frames)
    assert bytes(built(IP(src=POOL, dst=SERVER) / UDP(sport=port, dport=6) / bytes(64)).payload) == together


def test_fragments_that_cannot_be_translated_are_counted(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=SERVER, dst=POOL, flags="MF") / ICMP(id=1) / bytes(40),
        LINK / IP(src=SERVER, dst=POOL, flags="MF") / UDP(sport=6, dport=5, chksum=0) / bytes(40),
        LINK / IPv6(src=POOL6, dst=SERVER6) / IPv6ExtHdrFragment(nh=58, m=1) / Raw(b"\x80\0" + bytes(46)),
    ]
    run = translate(runner, bundle, packets, STATELESS)
    assert run.counters(REASONS) == {"FRAGMENT_BAD": 3}


def test_extension_headers_go_and_a_source_route_is_refused(runner: Runner, bundle: bytes) -> None:
    head = LINK / IPv6(src=HOST, dst=SERVER6)
    packets = [
        head / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / UDP(sport=1, dport=2) / PAYLOAD,
        head / IPv6ExtHdrRouting(segleft=0) / UDP(sport=1, dport=2) / PAYLOAD,
        head / IPv6ExtHdrRouting(segleft=1, addresses=[HOST]) / UDP(sport=1, dport=2) / PAYLOAD,
    ]
    run = translate(runner, bundle, packets)
    assert run.codes == [PASS, PASS, DROP]
    assert [anew(frame) for frame in run.frames[:2]] == run.frames[:2]
    assert bytes(Ether(run.frames[0])[UDP].payload) == bytes(PAYLOAD)
    assert run.counters(REASONS)["SOURCE_ROUTE"] == 1


def test_options_of_ipv4_go_and_a_source_route_is_refused(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=SERVER, dst=POOL, options=options) / UDP(sport=6, dport=5) / PAYLOAD
        for options in (
            [IPOption_Router_Alert()],
            [IPOption_NOP(), IPOption_LSRR(routers=["1.1.1.1"])],
            [IPOption_LSRR(routers=["1.1.1.1"], pointer=8)],
        )
    ]
    run = translate(runner, bundle, packets, STATELESS)
    assert run.codes == [PASS, DROP, PASS]
    assert anew(run.frames[0]) == run.frames[0]
    assert run.counters(REASONS) == {"TO_IP6": 2, "SOURCE_ROUTE": 1}


# The error, and type, code and third word of what it becomes; None: it has no counterpart (RFC 7915 4.2).
ERRORS4 = [
    (ICMP(type=3, code=1), (1, 0, 0)),
    (ICMP(type=3, code=2), (4, 1, 6)),
    (ICMP(type=3, code=3), (1, 4, 0)),
    (ICMP(type=3, code=4, nexthopmtu=1400), (2, 0, 1420)),
    (ICMP(type=3, code=4, nexthopmtu=0), (2, 0, 1280)),
    (ICMP(type=3, code=10), (1, 1, 0)),
    (ICMP(type=3, code=14), None),
    (ICMP(type=11, code=0), (3, 0, 0)),
    (ICMP(type=12, code=0, ptr=9), (4, 0, 6)),
    (ICMP(type=12, code=0, ptr=6), None),
    (ICMP(type=12, code=1), None),
]
SENT = {
    "UDP": UDP(sport=5, dport=6) / b"sent",
    "TCP": TCP(sport=5, dport=6) / b"sent",
    "ping": ICMPv6EchoRequest(id=5, data=b"sent"),
}


@pytest.mark.parametrize("protocol", SENT)
def test_an_error_of_ipv4_reaches_the_host_with_what_it_quotes(protocol: str, runner: Runner, bundle: bytes) -> None:
    there = LINK / IPv6(src=HOST, dst=SERVER6, hlim=64) / SENT[protocol]
    out = Ether(translate(runner, bundle, [there]).frames[0])
    link = LINK / IP(src="198.51.100.1", dst=POOL)
    run = translate(runner, bundle, [there, *(link / told / out[IP] for told, _ in ERRORS4)])
    for (told, becomes), code, frame in zip(ERRORS4, run.codes[1:], run.frames[1:], strict=True):
        assert code == (PASS if becomes else DROP), told
        if becomes:
            home = IPv6(frame[14:])
            assert (home.src, home.dst) == ("64:ff9b::c633:6401", HOST)
            message = bytes(home.payload)
            assert (message[0], message[1], int.from_bytes(message[4:8], "big")) == becomes
            quoted = built(there[IPv6])
            quoted.hlim -= 1
            assert message[8:] == bytes(quoted)
            assert anew(frame) == frame
    assert run.counters(REASONS)["NOT_TRANSLATED"] == 3


# The same for IPv6 (RFC 7915 5.2).
ERRORS6 = [
    (ICMPv6DestUnreach(code=0), (3, 1, 0)),
    (ICMPv6DestUnreach(code=1), (3, 10, 0)),
    (ICMPv6DestUnreach(code=4), (3, 3, 0)),
    (ICMPv6PacketTooBig(mtu=1400), (3, 4, 1380)),
    (ICMPv6TimeExceeded(code=0), (11, 0, 0)),
    (ICMPv6ParamProblem(code=0, ptr=7), (12, 0, 8 << 24)),
    (ICMPv6ParamProblem(code=1, ptr=6), (3, 2, 0)),
    (ICMPv6ParamProblem(code=0, ptr=3), None),
    (ICMPv6ParamProblem(code=2), None),
]


def test_an_error_of_ipv6_reaches_the_server_with_what_it_quotes(runner: Runner, bundle: bytes) -> None:
    there = LINK / IPv6(src=HOST, dst=SERVER6) / UDP(sport=5, dport=6)
    port = port_of(translate(runner, bundle, [there]))
    back = LINK / IP(src=SERVER, dst=POOL, id=0) / UDP(sport=6, dport=port) / PAYLOAD
    home = Ether(translate(runner, bundle, [there, back]).frames[1])
    link = LINK / IPv6(src="2001:db8:ffff::1", dst=SERVER6)
    run = translate(runner, bundle, [there, back, *(link / told / home[IPv6] for told, _ in ERRORS6)])
    for (told, becomes), code, frame in zip(ERRORS6, run.codes[2:], run.frames[2:], strict=True):
        assert code == (PASS if becomes else DROP), told
        if becomes:
            out = IP(frame[14:])
            assert (out.src, out.dst) == (POOL, SERVER)
            message = bytes(out.payload)
            assert (message[0], message[1], int.from_bytes(message[4:8], "big")) == becomes
            quoted = IP(message[8:])
            assert (quoted.src, quoted.dst, quoted[UDP].sport, quoted[UDP].dport) == (SERVER, POOL, 6, port)
            assert bytes(quoted[UDP]) == bytes(built(back)[UDP])
            assert anew(frame) == frame
    assert run.counters(REASONS)["NOT_TRANSLATED"] == 2


def test_errors_with_a_wrong_checksum_or_about_nobodys_packet_are_dropped(runner: Runner, bundle: bytes) -> None:
    quoted = IP(src=POOL, dst=SERVER) / UDP(sport=FIRST_PORT, dport=6) / PAYLOAD
    error = bytearray(bytes(LINK / IP(src=SERVER, dst=POOL) / ICMP(type=3, code=1) / quoted))
    wrong = bytes(error[:36]) + bytes([error[36] ^ 1]) + bytes(error[37:])
    quoted6 = IPv6(src=SERVER6, dst=HOST) / UDP(sport=6, dport=9) / PAYLOAD
    error6 = LINK / IPv6(src=HOST, dst=SERVER6) / ICMPv6DestUnreach() / quoted6
    wrong6 = bytearray(bytes(error6))
    wrong6[56] ^= 1
    run = translate(runner, bundle, [bytes(error), wrong, error6, bytes(wrong6)])
    assert run.codes == [DROP] * 4
    assert run.counters(REASONS) == {"NO_BINDING": 2, "BAD_CHECKSUM": 2}


def test_the_translator_says_itself_when_a_hop_limit_is_over(runner: Runner, bundle: bytes) -> None:
    old6 = LINK / IPv6(src=HOST, dst=SERVER6, hlim=1) / UDP() / PAYLOAD
    old4 = LINK / IP(src=SERVER, dst=POOL, ttl=1) / UDP() / PAYLOAD
    run = translate(runner, bundle, [old6, old4])
    assert run.codes == [TX, TX]
    six, four = map(Ether, run.frames)
    assert (six.src, six.dst) == (LINK.dst, LINK.src)
    assert (six[IPv6].dst, six[IPv6].src) == (HOST, POOL6)
    assert six[ICMPv6TimeExceeded].code == 0
    assert bytes(run.frames[0][62:]) == bytes(old6[IPv6])
    assert (four[IP].src, four[IP].dst, four[ICMP].type, four[ICMP].code) == (POOL, SERVER, 11, 0)
    assert bytes(run.frames[1][42:]) == bytes(old4[IP])
    assert [anew(frame) for frame in run.frames] == run.frames
    assert run.counters(REASONS) == {"TOLD_HOP_LIMIT": 2}


def test_the_translator_says_itself_when_a_packet_is_too_big(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IPv6(src=HOST, dst=SERVER6) / UDP() / bytes(1300),
        LINK / IP(src=SERVER, dst=POOL, flags="DF") / UDP() / bytes(1300),
    ]
    run = translate(runner, bundle, packets, config(mtu6=1300, mtu4=1300))
    assert run.codes == [TX, TX]
    six, four = map(Ether, run.frames)
    assert six[ICMPv6PacketTooBig].mtu == 1320
    assert len(run.frames[0]) == 14 + 1280
    assert (four[ICMP].type, four[ICMP].code, four[ICMP].nexthopmtu) == (3, 4, 1272)
    assert len(run.frames[1]) == 14 + 576
    assert run.counters(REASONS) == {"TOLD_TOO_BIG": 2}


def test_padding_after_a_short_packet_does_not_go_along(runner: Runner, bundle: bytes) -> None:
    run = translate(runner, bundle, [bytes(LINK / IP(src=SERVER, dst=POOL) / UDP() / b"x") + bytes(17)], STATELESS)
    assert len(run.frames[0]) == 14 + 40 + 9
    assert anew(run.frames[0]) == run.frames[0]


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    quoted = IP(src=POOL, dst=SERVER) / UDP(sport=FIRST_PORT, dport=6) / PAYLOAD
    whole = [
        LINK / IPv6(src=POOL6, dst=SERVER6) / TCP() / b"payload",
        LINK / Dot1Q(vlan=3) / IPv6(src=POOL6, dst=SERVER6) / IPv6ExtHdrDestOpt() / UDP() / b"payload",
        LINK / IP(src=SERVER, dst=POOL, options=[IPOption_Router_Alert()]) / TCP() / b"payload",
        LINK / IP(src=SERVER, dst=POOL) / ICMP(type=3, code=1) / quoted,
    ]
    short = cut_short(whole)
    strange = [
        bytes(LINK / IP(src=SERVER, dst=POOL, ihl=4) / UDP()),
        bytes(LINK / IP(src=SERVER, dst=POOL, version=5) / UDP()),
        bytes(LINK / IP(src=SERVER, dst=POOL, len=10) / UDP()),
        bytes(LINK / IPv6(src=POOL6, dst=SERVER6, version=7) / UDP()),
        bytes(LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP()),
    ]
    run = translate(runner, bundle, [*short, *strange, LINK / ARP()], STATELESS)
    assert run.codes == [DROP] * (len(short) + len(strange) + 1)
    assert run.counters(REASONS) == {"TRUNCATED": len(short), "BAD_HEADER": len(strange), "NOT_IP": 1}


def test_a_source_that_nobody_has_is_dropped_and_told_nothing(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src=source, dst=POOL, ttl=1) / UDP() for source in ("0.0.0.0", "224.0.0.1", "255.255.255.255")]
    packets += [LINK / IPv6(src=source, dst=SERVER6, hlim=1) / UDP() for source in ("::", "ff02::1")]
    run = translate(runner, bundle, packets)
    assert run.codes == [DROP] * 5
    assert run.counters(REASONS) == {"BAD_HEADER": 5}
