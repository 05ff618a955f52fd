"""Functions of the catalogue in a VM, each with its graph and one exchange that shows that it does its job there."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.igmp import IGMP
from scapy.layers.inet import GRE, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.ppp import PPPoED, PPPoED_Tags, PPPoETag
from scapy.packet import Packet

from tests.support.guests.function_guest import FunctionGuest, running_function
from tests.support.programs.vnf import bundle_of
from unibpf.formats.bundle import decode, encode
from unibpf.host.settings import REPOSITORY

VNFS = REPOSITORY / "vnfs"
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def exchange(guest: FunctionGuest, sent: Packet, nic: str, other: str) -> Packet:
    guest.send(nic, sent)
    frame = guest.receive(other)
    assert frame, f"nothing left by {other}"
    return Ether(frame)


def nat64(guest: FunctionGuest) -> None:
    pool = bytes([192, 0, 2, 1])
    guest.set("translator", "config", bytes(4), bytes(32) + pool + bytes(32))
    out = exchange(guest, LINK / IPv6(src="2001:db8::7", dst="64:ff9b::c633:6409") / UDP(sport=5), "inside", "outside")
    assert (out[IP].src, out[IP].dst) == ("192.0.2.1", "198.51.100.9")
    back = LINK / IP(src="198.51.100.9", dst="192.0.2.1") / UDP(sport=53, dport=out[UDP].sport) / b"answer"
    home = exchange(guest, back, "outside", "inside")
    assert (home[IPv6].dst, home[UDP].dport, bytes(home[UDP].payload)) == ("2001:db8::7", 5, b"answer")


def tunnel(guest: FunctionGuest) -> None:
    local, remote = (bytes(10) + b"\xff\xff" + bytes([192, 0, 2, end]) for end in (1, 2))
    value = (
        struct.pack("<BBHI", 2, 4, 0, 7)
        + local
        + remote
        + bytes(24)
        + struct.pack("<BBHB11x4Q", 0, 255, 0, 1, *[0] * 4)
    )
    guest.set("tunnel", "tunnels", u32(3), value)
    guest.set("tunnel", "routes4", u32(8) + bytes([10, 0, 0, 0]), u32(3))
    guest.set("tunnel", "endpoints", local + remote + struct.pack("<II", 7, 2), u32(3))
    inner = IP(src="172.16.0.1", dst="10.9.9.9", ttl=9) / UDP() / b"inside"
    out = exchange(guest, LINK / inner, "inside", "outside")
    assert (out[IP].dst, out[GRE].key, out[GRE][IP].ttl) == ("192.0.2.2", 7, 8)
    wrapped = LINK / IP(src="192.0.2.2", dst="192.0.2.1") / GRE(key_present=1, key=7) / inner
    assert exchange(guest, wrapped, "outside", "inside")[IP] == Ether(bytes(LINK / inner))[IP]


def dpi(guest: FunctionGuest) -> None:
    guest.set("dpi", "policy", u32(8), u32(1))
    guest.send("inside", LINK / IP() / UDP(sport=99, dport=99) / DNS(rd=1, qd=DNSQR(qname="a.example")))
    request = LINK / IP() / TCP(sport=98, dport=99) / b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
    assert bytes(exchange(guest, request, "inside", "outside")) == bytes(request)  # what came before did not pass


def monitoring(guest: FunctionGuest) -> None:
    packet = LINK / IP() / TCP(sport=98, dport=99, flags="F")
    assert bytes(exchange(guest, packet, "outside", "inside")) == bytes(packet)
    (record,) = guest.entries("monitor", "records")
    assert record[1][32:36] == struct.pack(">HH", 98, 99)


def congestion(guest: FunctionGuest) -> None:
    guest.set("aqm", "config", bytes(4), struct.pack("<QQII6I", 1, 0, 1, 0, 1, 2, 0, 0, 0, 0))
    packets = [LINK / IP(tos=2) / UDP() / bytes(900) for _ in range(2)]
    assert [exchange(guest, packet, "inside", "outside")[IP].tos for packet in packets] == [2, 3]


def multicast(guest: FunctionGuest) -> None:
    report = Ether(src=LINK.src, dst="01:00:5e:01:02:03") / IP(src="10.0.0.1", dst="239.1.2.3", ttl=1)
    hello = Ether(src=LINK.src, dst="ff:ff:ff:ff:ff:ff") / ARP()
    guest.send("port2", report / IGMP(type=0x16, gaddr="239.1.2.3"))
    assert ARP in exchange(guest, hello, "port2", "port1")  # it came after the report, which reached nobody
    assert guest.receive("port3")
    data = Ether(dst="01:00:5e:01:02:03") / IP(dst="239.1.2.3") / UDP() / b"stream"
    assert bytes(exchange(guest, data, "port1", "port2")) == bytes(data)
    assert ARP in exchange(guest, hello, "port1", "port3")  # and the stream did not


def bras(guest: FunctionGuest) -> None:
    access = bytes([2, 0, 0, 0, 0, 10])
    value = access + bytes(14) + bytes([10, 255, 0, 1]) + bytes([10, 64, 0, 0]) + bytes(4) + bytes(range(16))
    guest.set("bras", "config", bytes(4), value)
    asked = (
        Ether(src=LINK.src, dst="ff:ff:ff:ff:ff:ff") / PPPoED(code=9) / PPPoED_Tags(tag_list=[PPPoETag(tag_type=0x101)])
    )
    offered = exchange(guest, asked, "access", "access")
    assert offered[PPPoED].code == 7
    again = LINK / PPPoED(code=0x19) / PPPoED_Tags(tag_list=offered[PPPoED_Tags].tag_list)
    opened = exchange(guest, again, "access", "access")
    assert (opened[PPPoED].code, opened[PPPoED].sessionid > 0) == (0x65, True)


@pytest.mark.parametrize(
    "exchanges", [nat64, tunnel, dpi, monitoring, congestion, multicast, bras], ids=lambda one: one.__name__
)
def test_a_function_does_its_job_in_a_vm(exchanges: Callable[[FunctionGuest], None], bin_directory: Path) -> None:
    others = {}
    if exchanges is bras:
        tunnels = bundle_of(VNFS / "tunnel/program.c", "FOREIGN=XDP_PASS", "TUNNELS=8", "ROUTES=8")
        others["tunnel-through"] = encode(replace(decode(tunnels), name="tunnel-through"))
    with running_function(VNFS / exchanges.__name__, "microvm", bin_directory, others=others) as guest:
        exchanges(guest)
