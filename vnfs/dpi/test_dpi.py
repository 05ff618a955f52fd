"""DPI: a real TLS hello from Python's OpenSSL, HTTP, and the rest as scapy or its RFC makes them; in all engines and Linux."""

import ssl
import struct
from pathlib import Path

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.ntp import NTP
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, REDIRECT, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from vnfs.dpi import names

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
APPLICATIONS = [
    "UNKNOWN", "TLS", "HTTP", "SSH", "SMTP", "IMAP", "POP3", "FTP", "DNS", "QUIC", "NTP", "DHCP", "STUN", "SIP", "MQTT",
    "RDP", "BITTORRENT", "WIREGUARD",
]  # fmt: skip
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def hello(name: str) -> bytes:
    """What a real client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def request(name: str, *, field: str = "Host: ", before: str = "") -> bytes:
    return f"GET /index.html HTTP/1.1\r\n{before}{field}{name}\r\nAccept: */*\r\n\r\n".encode()


# Payloads by what they are; ports say nothing.
TCP_PAYLOADS = {
    "TLS": hello("www.example.com"),
    "HTTP": request("www.example.org"),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SMTP": b"EHLO client.example\r\n",
    "IMAP": b"* OK IMAP4rev1 ready\r\n",
    "POP3": b"+OK ready\r\n",
    "FTP": b"USER anonymous\r\n",
    "RDP": bytes.fromhex("0300002b26e00000000000") + b"Cookie: mstshash=a\r\n",
    "MQTT": b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06client",
    "BITTORRENT": b"\x13BitTorrent protocol" + bytes(48),
    "SIP": b"SIP/2.0 200 OK\r\n",
    "DNS": struct.pack(">H", len(bytes(DNS(qd=DNSQR(qname="a.example"))))) + bytes(DNS(qd=DNSQR(qname="a.example"))),
}
UDP_PAYLOADS = {
    "DNS": bytes(DNS(rd=1, qd=DNSQR(qname="www.example.com"))),
    "NTP": bytes(NTP(version=4, mode=3)),
    "DHCP": bytes(BOOTP(op=1) / DHCP(options=[("message-type", "discover"), "end"])),
    "STUN": bytes.fromhex("000100002112a442") + bytes(range(12)),
    "QUIC": bytes.fromhex("c00000000108") + bytes(range(8)) + bytes(1200),
    "WIREGUARD": b"\1\0\0\0" + bytes(144),
    "SIP": b"INVITE sip:bob@example.com SIP/2.0\r\n",
}
NOISE = [b"", b"\x00", b"GET", b"\x16\x03", b"GETTING ", b"HTTPS://", b"\xff" * 700, b"SSH", b"\x13Bit", bytes(48)]


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "FLOWS=128", "NAMES=8")


def run(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, presets, clocked=("scratch",))


def sightings(done: Run) -> list[tuple[str, str]]:
    """(application, name), in the order in which they were told."""
    return [
        (APPLICATIONS[int.from_bytes(record[40:44], "little")], record[48:112].rstrip(b"\0").decode())
        for record in done.records["sightings"]
    ]


def rule(action: str, name: str) -> Preset:
    return ("names", names.key_of(name), names.value_of(action))


def policy(application: str, action: int) -> Preset:
    return ("policy", struct.pack("<I", APPLICATIONS.index(application)), struct.pack("<I", action))


def test_protocols_are_known_by_what_they_say(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP() / TCP(sport=1000 + n) / Raw(data) for n, data in enumerate(TCP_PAYLOADS.values())]
    packets += [
        LINK / IPv6() / UDP(sport=1000 + n, dport=9) / Raw(data) for n, data in enumerate(UDP_PAYLOADS.values())
    ]
    packets += [LINK / IP() / TCP(sport=2000 + n) / Raw(data) for n, data in enumerate(NOISE)]
    packets += [LINK / IP() / UDP(sport=2000 + n, dport=9) / Raw(data) for n, data in enumerate(NOISE)]
    done = run(runner, bundle, packets)
    assert set(done.codes) == {PASS}
    assert [application for application, _ in sightings(done)] == [*TCP_PAYLOADS, *UDP_PAYLOADS]
    assert done.counters(REASONS)["IDENTIFIED"] == len(TCP_PAYLOADS) + len(UDP_PAYLOADS)


def test_host_names_of_tls_and_http_are_told(runner: Runner, bundle: bytes) -> None:
    payloads = [
        (hello("www.Example.COM"), ("TLS", "www.example.com")),
        (hello("a" * 60 + ".example"), ("TLS", "a" * 60 + ".ex")),
        (request("Shop.example:8080"), ("HTTP", "shop.example")),
        (request("x.example", field="hOsT:"), ("HTTP", "x.example")),
        (request("x.example", before="User-Agent: ghost: no\r\n"), ("HTTP", "x.example")),
        (request("x.example", before="X: " + "y" * 500 + "\r\n"), ("HTTP", "")),
        (b"\x16\x03\x01\x00\x40\x01" + bytes(59), ("TLS", "")),
        (b"\x16\x03\x01\x00\x40\x01" + b"\xff" * 600, ("TLS", "")),
        (b"\x16\x03\x01\x00\x40\x02" + bytes(59), ("TLS", "")),
    ]
    packets = [LINK / IP() / TCP(sport=n) / Raw(data) for n, (data, _) in enumerate(payloads, 1)]
    assert sightings(run(runner, bundle, packets)) == [told for _, told in payloads]


def test_a_hello_cut_anywhere_names_its_server_or_none(runner: Runner, bundle: bytes) -> None:
    whole = hello("www.example.com")
    sizes = range(6, len(whole), 7)
    done = run(runner, bundle, [LINK / IP() / TCP(sport=n + 1) / Raw(whole[:size]) for n, size in enumerate(sizes)])
    told = {name for _, name in sightings(done)}
    assert told >= {"", "www.example.com"}
    assert all("www.example.com".startswith(name) for name in told)


def test_a_name_is_dropped_with_all_below_it_and_both_ways(runner: Runner, bundle: bytes) -> None:
    hosts = ["example.com", "www.example.com", "badexample.com", "example.com.evil", "fine.example.com"]
    packets: list[Packet] = [LINK / IP(src="10.0.0.1", dst="10.9.9.9") / TCP(sport=n + 1) for n in range(5)]
    packets = [packet / Raw(request(host)) for packet, host in zip(packets, hosts, strict=True)]
    packets += [
        LINK / IP(src="10.9.9.9", dst="10.0.0.1") / TCP(sport=80, dport=n + 1, flags="A") / b"more" for n in range(5)
    ]
    for packet in packets[:5]:
        packet[TCP].dport = 80
    done = run(runner, bundle, packets, rule("drop", "example.com"), rule("pass", "fine.example.com"))
    assert done.codes == [DROP, DROP, PASS, PASS, PASS] * 2
    assert done.maps["names"][names.key_of("example.com")] == struct.pack("<II", 1, 2)
    assert done.counters(REASONS)["DROPPED"] == 4


def test_protocols_are_dropped_or_sent_elsewhere(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP() / TCP(sport=n) / Raw(TCP_PAYLOADS[name]) for n, name in enumerate(("SSH", "TLS", "BITTORRENT"), 1)
    ]
    done = run(runner, bundle, packets, policy("BITTORRENT", 1), policy("SSH", 3))
    assert done.codes == [REDIRECT, PASS, DROP]
    assert done.ports[0] == 3


def test_a_flow_is_looked_at_until_it_is_known_or_given_up(runner: Runner, bundle: bytes) -> None:
    link = LINK / Dot1Q(vlan=4)
    late = [
        link / IP() / TCP(sport=1, flags="A") / Raw(data) for data in (b"", b"?", b"??", TCP_PAYLOADS["SSH"], b"GET / ")
    ]
    never = [link / IP() / TCP(sport=2, flags="A") / Raw(b"?")] * 9 + [link / IP() / TCP(sport=2) / TCP_PAYLOADS["SSH"]]
    again = [link / IP() / TCP(sport=2, flags=flags) / Raw(data) for flags, data in (("S", b""), ("A", request("a.b")))]
    never[-1][TCP].flags = "A"
    done = run(runner, bundle, [*late, *never, *again])
    assert sightings(done) == [("SSH", ""), ("HTTP", "a.b")]
    counters = done.counters(REASONS)
    assert (counters["GIVEN_UP"], counters["LOOKED_AT"]) == (1, 3 + 8 + 1)


def test_totals_are_kept_by_application(runner: Runner, bundle: bytes) -> None:
    packet = LINK / IP() / UDP(sport=9, dport=9) / Raw(UDP_PAYLOADS["DNS"])
    done = run(runner, bundle, [packet, packet])
    total = done.maps["totals"][struct.pack("<I", APPLICATIONS.index("DNS"))]
    assert struct.unpack("<3Q", total) == (1, 2, 2 * (len(packet) - 14))


def test_what_is_no_payload_passes_and_is_counted(runner: Runner, bundle: bytes) -> None:
    short = cut_short([LINK / IP() / TCP() / b"SSH-", LINK / Dot1Q() / IPv6() / UDP() / b"x"])
    others = [LINK / ARP(), LINK / IP(ihl=3), LINK / IP(frag=3, proto=6) / b"SSH-2.0", LINK / IP() / ICMP()]
    others += [LINK / IPv6() / IPv6ExtHdrFragment(offset=9, nh=6) / b"SSH-2.0", LINK / IP() / TCP(dataofs=15) / b"SSH-"]
    done = run(runner, bundle, [*short, *others])
    assert set(done.codes) == {PASS}
    assert sightings(done) == []
    assert done.counters(REASONS) == {"TRUNCATED": len(short), "NOT_IP": 1, "BAD_HEADER": 1, "FRAGMENTS": 2}


def test_names_that_do_not_fit_are_refused() -> None:
    for name in ("", ".", "a" * 63):
        with pytest.raises(ValueError, match="characters"):
            names.key_of(name)
