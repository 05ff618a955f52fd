"""NAPT: scapy's packets through the guest's engines and Linux; scapy computes every checksum anew to compare."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.support.kernel import kernel_oracle
from tests.support.kernel.function_runs import DROP, PASS, Preset, Run, cut_short, in_linux, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.scapy_frames import anew
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("bindings", "fragments")
HOST, OTHER, SERVER, PUBLIC = "10.0.0.7", "10.0.0.8", "198.51.100.9", "192.0.2.1"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OUTSIDE = Ether(src="02:00:00:00:00:03", dst="02:00:00:00:00:04")
FIRST_PORT = 32768
PAYLOAD = Raw(b"the payload, odd bytes in it.")
INSIDE: Preset = ("networks", struct.pack("<I", 8) + bytes([10, 0, 0, 0]), struct.pack("<I", 1))


def config(*, public: str = PUBLIC, nic: int = 0, filtering: int = 0, links: bytes = bytes(18)) -> Preset:
    value = IPv4Address(public).packed + struct.pack("<II", nic, 0) + bytes([filtering]) + links + bytes(1)
    return ("config", bytes(4), value)


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "PORTS=8", kind="rewriter")


def translate(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, [INSIDE, *(presets or [config()])], clocked=CLOCKED)


def port_of(frame: bytes) -> int:
    packet = Ether(frame)
    return int(packet[ICMP].id if ICMP in packet else packet[TCP if TCP in packet else UDP].sport)


def first_port(runner: Runner, bundle: bytes, packet: Packet) -> int:
    return port_of(translate(runner, bundle, [packet]).frames[0])


@pytest.mark.parametrize("protocol", [UDP, TCP])
@pytest.mark.parametrize("tagged", [False, True], ids=["plain", "VLAN"])
def test_a_host_reaches_a_server_and_is_answered(protocol: type, tagged: bool, runner: Runner, bundle: bytes) -> None:
    link = LINK / Dot1Q(vlan=7) if tagged else LINK
    there = link / IP(src=HOST, dst=SERVER, ttl=9, tos=0x2E) / protocol(sport=5001, dport=80) / PAYLOAD
    port = first_port(runner, bundle, there)
    assert FIRST_PORT <= port < FIRST_PORT + 8
    assert port % 2 == 1
    back = (
        link / IP(src=SERVER, dst=PUBLIC, options=[IPOption_Router_Alert()]) / protocol(sport=80, dport=port) / PAYLOAD
    )
    run = translate(runner, bundle, [there, back])
    assert run.codes == [PASS, PASS]
    out, home = map(Ether, run.frames)
    assert (out[IP].src, out[IP].dst, out[IP].ttl, out[IP].tos, out[protocol].dport) == (PUBLIC, SERVER, 9, 0x2E, 80)
    assert (home[IP].src, home[IP].dst, home[protocol].sport, home[protocol].dport) == (SERVER, HOST, 80, 5001)
    assert [anew(frame) for frame in run.frames] == run.frames
    assert [bytes(Ether(frame)[Raw]) for frame in run.frames] == [bytes(PAYLOAD)] * 2
    assert run.counters(REASONS) == {"OUTBOUND": 1, "INBOUND": 1, "BOUND": 1}
    assert not tagged or out[Dot1Q].vlan == 7


def test_ping_goes_there_and_back_and_the_translator_answers_none(runner: Runner, bundle: bytes) -> None:
    there = LINK / IP(src=HOST, dst=SERVER) / ICMP(type=8, id=77, seq=3) / b"ping!"
    identifier = first_port(runner, bundle, there)
    back = [LINK / IP(src=SERVER, dst=PUBLIC) / ICMP(type=kind, id=identifier, seq=3) / b"ping!" for kind in (0, 8)]
    run = translate(runner, bundle, [there, *back])
    assert run.codes == [PASS, PASS, DROP]
    home = Ether(run.frames[1])
    assert (home[IP].dst, home[ICMP].id, home[ICMP].seq, bytes(home[Raw])) == (HOST, 77, 3, b"ping!")
    assert [anew(frame) for frame in run.frames] == run.frames
    assert run.counters(REASONS) == {"OUTBOUND": 1, "INBOUND": 1, "BOUND": 1, "NO_BINDING": 1}


def test_a_udp_checksum_of_zero_stays_and_one_that_would_be_zero_is_all_ones(runner: Runner, bundle: bytes) -> None:
    # Over all last words one of them makes the sum zero.
    head = LINK / IP(src=HOST, dst=SERVER)
    none = head / UDP(sport=1, dport=53, chksum=0) / PAYLOAD
    out = Ether(translate(runner, bundle, [head / UDP(sport=1, dport=53) / b"\0\0"]).frames[0])
    zero = head / UDP(sport=1, dport=53) / struct.pack(">H", out[UDP].chksum)
    run = translate(runner, bundle, [none, zero])
    assert [Ether(frame)[UDP].chksum for frame in run.frames] == [0, 0xFFFF]


def test_one_port_of_a_host_is_one_public_port_whatever_it_talks_to(runner: Runner, bundle: bytes) -> None:
    flows = [(HOST, SERVER, 1), (HOST, "198.51.100.1", 1), (HOST, SERVER, 3), (OTHER, SERVER, 1)]
    packets = [LINK / IP(src=source, dst=to) / UDP(sport=sport, dport=53) for source, to, sport in flows]
    ports = [port_of(frame) for frame in translate(runner, bundle, packets).frames]
    assert ports[0] == ports[1]
    assert len(set(ports)) == 3


def test_when_no_port_is_left_a_new_flow_is_refused_and_old_ones_go_on(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src=HOST, dst=SERVER) / UDP(sport=port, dport=53) for port in [*range(2, 14, 2), 2]]
    other_protocol = LINK / IP(src=HOST, dst=SERVER) / TCP(sport=2, flags="S")
    run = translate(runner, bundle, [*packets, other_protocol])
    assert run.codes == [PASS] * 4 + [DROP] * 2 + [PASS] * 2
    assert run.counters(REASONS) == {"OUTBOUND": 6, "BOUND": 5, "NO_PORT": 2}


def test_a_port_whose_time_is_over_is_given_away_with_all_that_belonged_to_it(runner: Runner) -> None:
    hasty = bundle_of(FOLDER / "program.c", "PORTS=8", "UDP_SECONDS=0", kind="rewriter")
    run = translate(runner, hasty, [LINK / IP(src=HOST, dst=SERVER) / UDP(sport=port) for port in range(1, 31)])
    assert run.codes == [PASS] * 30
    assert len(run.maps["bound"]) <= 8


def until(run: Run, port: int) -> int:
    """When a TCP port is free again."""
    return struct.unpack_from("<Q", run.maps["bindings"][struct.pack("<I", port - FIRST_PORT)], 24)[0]


def test_a_connection_has_its_port_for_long_while_it_is_open(runner: Runner, bundle: bytes) -> None:
    there, back = IP(src=HOST, dst=SERVER), IP(src=SERVER, dst=PUBLIC)
    port = first_port(runner, bundle, LINK / there / TCP(sport=5, dport=80, flags="S"))

    def conversation(*flags: str) -> int:
        packets = [
            LINK / there / TCP(sport=5, dport=80, flags=flag[1:])
            if flag[0] == ">"
            else LINK / back / TCP(sport=80, dport=port, flags=flag[1:])
            for flag in flags
        ]
        return until(translate(runner, bundle, packets), port)

    tried, opened = conversation(">S"), conversation(">S", "<SA", ">A")
    closed, two = conversation(">S", "<SA", ">A", "<FA"), conversation(">S", "<SA", ">A", "<R", ">S", "<SA", ">A")
    hour = 3600 * 10**9
    assert opened - tried > hour
    assert opened - closed > hour
    assert two - closed > hour


def test_filtering_lets_only_those_answer_who_were_spoken_to(runner: Runner, bundle: bytes) -> None:
    there = LINK / IP(src=HOST, dst=SERVER) / UDP(sport=5, dport=80)
    port = first_port(runner, bundle, there)
    back = [
        LINK / IP(src=source, dst=PUBLIC) / UDP(sport=sport, dport=port)
        for source, sport in ((SERVER, 80), (SERVER, 81), ("198.51.100.1", 80))
    ]
    assert translate(runner, bundle, [there, *back]).codes == [PASS] * 4
    strict = translate(runner, bundle, [there, *back], config(filtering=1))
    assert strict.codes == [PASS, PASS, DROP, DROP]
    assert strict.counters(REASONS)["FILTERED"] == 2


def test_what_is_nobodys_ends_here(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src=SERVER, dst=PUBLIC) / UDP(dport=80),
        LINK / IP(src=SERVER, dst=PUBLIC) / TCP(dport=FIRST_PORT + 8),
        LINK / IP(src=SERVER, dst=HOST) / UDP(),
        LINK / IP(src=SERVER, dst="203.0.113.1") / UDP(),
        LINK / IP(src=HOST, dst=OTHER) / UDP(),
        LINK / IP(src=HOST, dst=SERVER, proto=47) / PAYLOAD,
        LINK / IP(src=HOST, dst=SERVER) / ICMP(type=13),
        LINK / ARP(),
        LINK / IPv6() / UDP(),
    ]
    run = translate(runner, bundle, packets)
    assert run.codes == [DROP] * 9
    assert run.counters(REASONS) == {"NO_BINDING": 2, "FILTERED": 1, "NOT_OURS": 2, "NOT_TRANSLATED": 2, "NOT_IP4": 2}


def test_two_hosts_inside_talk_by_the_public_address(runner: Runner, bundle: bytes) -> None:
    served = LINK / IP(src=OTHER, dst=SERVER) / UDP(sport=8, dport=1)
    server = first_port(runner, bundle, served)
    there = LINK / IP(src=HOST, dst=PUBLIC) / UDP(sport=5, dport=server) / PAYLOAD
    arrived = Ether(translate(runner, bundle, [served, there]).frames[1])
    client = arrived[UDP].sport
    back = LINK / IP(src=OTHER, dst=PUBLIC) / UDP(sport=8, dport=client) / PAYLOAD
    for filtering in (0, 1):
        run = translate(runner, bundle, [served, there, back], config(filtering=filtering))
        assert run.codes == ([PASS, PASS, PASS] if not filtering else [PASS, DROP, PASS])
        assert [anew(frame) for frame in run.frames] == run.frames
    out, home = arrived, Ether(translate(runner, bundle, [served, there, back]).frames[2])
    assert (out[IP].src, out[IP].dst, out[UDP].dport) == (PUBLIC, OTHER, 8)
    assert (home[IP].src, home[IP].dst, home[UDP].sport, home[UDP].dport) == (PUBLIC, HOST, server, 5)
    assert run.counters(REASONS)["HAIRPIN"] == 1


SENT = {
    "UDP": UDP(sport=5, dport=6) / b"sent",
    "TCP": TCP(sport=5, dport=6) / b"sent",
    "ping": ICMP(type=8, id=5) / b"sent",
}


@pytest.mark.parametrize("protocol", SENT)
@pytest.mark.parametrize("quoted_bytes", [28, 100], ids=["cut short", "whole"])
def test_an_error_reaches_the_host_with_what_it_sent(
    protocol: str, quoted_bytes: int, runner: Runner, bundle: bytes
) -> None:
    there = LINK / IP(src=HOST, dst=SERVER) / SENT[protocol]
    out = bytes(Ether(translate(runner, bundle, [there]).frames[0])[IP])
    errors = [ICMP(type=3, code=4, nexthopmtu=1400), ICMP(type=11, code=0), ICMP(type=12, ptr=1)]
    head = LINK / IP(src="198.51.100.1", dst=PUBLIC)
    run = translate(runner, bundle, [there, *(head / error / Raw(out[:quoted_bytes]) for error in errors)])
    assert run.codes == [PASS] * 4
    for error, frame in zip(errors, run.frames[1:], strict=True):
        home = IP(frame[14:])
        assert (home.src, home.dst, home[ICMP].type, home[ICMP].code) == ("198.51.100.1", HOST, error.type, error.code)
        assert frame[42:] == bytes(there[IP])[:quoted_bytes]
        expected = home.copy()
        del expected[ICMP].chksum
        assert frame[36:38] == bytes(Raw(bytes(IP(src="0.0.0.0") / ICMP(bytes(expected[ICMP])))))[22:24]
    assert run.counters(REASONS)["ERROR_INBOUND"] == 3


def test_an_error_of_a_host_quotes_what_its_peer_sent(runner: Runner, bundle: bytes) -> None:
    there = LINK / IP(src=HOST, dst=SERVER) / UDP(sport=5, dport=6)
    port = first_port(runner, bundle, there)
    back = LINK / IP(src=SERVER, dst=PUBLIC) / UDP(sport=6, dport=port) / PAYLOAD
    home = Ether(translate(runner, bundle, [there, back]).frames[1])
    run = translate(runner, bundle, [there, back, LINK / IP(src=HOST, dst=SERVER) / ICMP(type=3, code=3) / home[IP]])
    error = IP(run.frames[2][14:])
    assert (error.src, error.dst) == (PUBLIC, SERVER)
    assert run.frames[2][42:] == bytes(back[IP])
    assert anew(run.frames[2]) == run.frames[2]
    assert run.counters(REASONS)["ERROR_OUTBOUND"] == 1


def test_errors_with_a_wrong_checksum_or_about_nobodys_packet_are_dropped(runner: Runner, bundle: bytes) -> None:
    quoted = IP(src=PUBLIC, dst=SERVER) / UDP(sport=FIRST_PORT, dport=6) / PAYLOAD
    error = LINK / IP(src=SERVER, dst=PUBLIC) / ICMP(type=3, code=1) / quoted
    wrong = bytearray(bytes(error))
    wrong[36] ^= 1
    about_an_error = LINK / IP(src=SERVER, dst=PUBLIC) / ICMP(type=3) / IP(src=PUBLIC) / ICMP(type=11) / quoted
    fragment = LINK / IP(src=SERVER, dst=PUBLIC, flags="MF") / ICMP(type=3) / quoted
    run = translate(runner, bundle, [error, bytes(wrong), about_an_error, fragment])
    assert run.codes == [DROP] * 4
    assert run.counters(REASONS) == {"NO_BINDING": 2, "BAD_CHECKSUM": 1, "FRAGMENT_BAD": 1}


@pytest.mark.parametrize("way", ["out", "home"])
def test_fragments_follow_their_first_one(way: str, runner: Runner, bundle: bytes) -> None:
    bound = LINK / IP(src=HOST, dst=SERVER) / UDP(sport=5, dport=6)
    port = first_port(runner, bundle, bound)
    ends = {
        "out": ((HOST, SERVER, 5, 6), (PUBLIC, SERVER, port, 6)),
        "home": ((SERVER, PUBLIC, 6, port), (SERVER, HOST, 6, 5)),
    }
    before, after = (
        bytes(IP(src=src, dst=dst, id=99) / UDP(sport=sport, dport=dport) / bytes(64))
        for src, dst, sport, dport in ends[way]
    )
    source, destination = ends[way][0][:2]
    first, last = (
        LINK / IP(src=source, dst=destination, id=99, proto=17, flags=flags, frag=offset) / Raw(before[20:][part])
        for flags, offset, part in (("MF", 0, slice(0, 40)), (0, 5, slice(40, None)))
    )
    run = translate(runner, bundle, [bound, last, first, last])
    assert run.codes == [PASS, DROP, PASS, PASS]
    assert b"".join(frame[34:] for frame in run.frames[2:]) == after[20:]
    assert {(IP(frame[14:]).src, IP(frame[14:]).dst) for frame in run.frames[2:]} == {ends[way][1][:2]}
    assert run.counters(REASONS)["FRAGMENT_EARLY"] == 1


def test_frames_go_to_the_gateway_and_to_where_the_host_sent_from(runner: Runner, bundle: bytes) -> None:
    links = bytes([2, 0, 0, 0, 0, 10, 2, 0, 0, 0, 0, 11, 2, 0, 0, 0, 0, 12])
    there = LINK / IP(src=HOST, dst=SERVER) / UDP(sport=5, dport=6)
    port = first_port(runner, bundle, there)
    back = OUTSIDE / IP(src=SERVER, dst=PUBLIC) / UDP(sport=6, dport=port)
    run = translate(runner, bundle, [there, back], config(links=links))
    assert run.frames[0][:12] == links[:12]
    assert run.frames[1][:12] == bytes(there)[6:12] + links[12:]


def test_without_an_address_nothing_passes(runner: Runner, bundle: bytes) -> None:
    packet = LINK / IP(src=HOST, dst=SERVER) / UDP()
    assert translate(runner, bundle, [packet], config(public="0.0.0.0")).counters(REASONS) == {"UNCONFIGURED": 1}


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
def test_a_source_inside_does_not_come_from_outside(bundle: bytes) -> None:
    # Test runs of Linux come in by NIC 1.
    packet = bytes(LINK / IP(src=HOST, dst=SERVER) / UDP())
    for nic, code, reason in ((0, PASS, "OUTBOUND"), (1, DROP, "SPOOFED"), (2, PASS, "OUTBOUND")):
        run = in_linux(bundle, [packet], [INSIDE, config(nic=nic)])
        assert run.codes == [code]
        assert reason in run.counters(REASONS)


def test_what_is_cut_short_or_contradicts_itself_ends_here(runner: Runner, bundle: bytes) -> None:
    quoted = IP(src=PUBLIC, dst=SERVER) / UDP(sport=FIRST_PORT, dport=6) / PAYLOAD
    short = cut_short(
        [
            LINK / IP(src=HOST, dst=SERVER) / TCP() / b"payload",
            LINK / Dot1Q(vlan=3) / IP(src=HOST, dst=SERVER, options=[IPOption_Router_Alert()]) / UDP() / b"payload",
            LINK / IP(src=SERVER, dst=PUBLIC) / ICMP(type=3, code=1) / quoted,
        ]
    )
    lying = [
        LINK / IP(src=HOST, dst=SERVER, len=20 + size, proto=protocol) / bytes(40)
        for protocol, size in ((6, 19), (17, 7), (1, 7), (6, 0))
    ]
    strange = [
        LINK / IP(src=HOST, dst=SERVER, ihl=4) / UDP(),
        LINK / IP(src=HOST, dst=SERVER, version=5) / UDP(),
        LINK / IP(src=HOST, dst=SERVER, len=10) / UDP(),
        LINK / Dot1Q() / Dot1Q() / Dot1Q() / IP() / UDP(),
    ]
    run = translate(runner, bundle, [*short, *lying, *strange])
    assert run.codes == [DROP] * (len(short) + len(lying) + len(strange))
    assert run.counters(REASONS) == {"TRUNCATED": len(short) + len(lying), "BAD_HEADER": len(strange)}
