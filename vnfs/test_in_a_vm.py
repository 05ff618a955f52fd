"""Functions of the catalogue in a VM, as their folders describe them: settings by control, packets by their NICs."""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from tests.support.guests.function_guest import FunctionGuest, running_function
from tests.support.programs.scapy_frames import anew
from tests.support.programs.vnf import bundle_of
from unibpf.host.settings import REPOSITORY
from unibpf.vnf.filling import fill

FOLDERS = REPOSITORY / "vnfs"
INSIDE, OUTSIDE = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
HOST, SERVER = "10.0.0.7", "198.51.100.9"


def settle(guest: FunctionGuest, element: str, function: str, text: str) -> None:
    for name, rows in fill(function, text.encode()).items():
        for key, value in rows:
            guest.set(element, name, key, value)


def through(guest: FunctionGuest, there: str, packet: Packet, back: str) -> Packet | None:
    """What leaves by one NIC after a packet came in by another."""
    guest.send(there, packet)
    frame = guest.receive(back)
    return None if frame is None else Ether(frame)


def link(source: str = INSIDE, destination: str = OUTSIDE) -> Packet:
    return Ether(src=source, dst=destination)


def passes(guest: FunctionGuest, ways: Iterable[tuple[str, str, Packet]]) -> list[bool]:
    return [through(guest, there, packet, back) is not None for there, back, packet in ways]


def test_nat_shares_its_address_and_finds_the_way_home(bin_directory: Path) -> None:
    public = "192.0.2.1"
    with running_function(FOLDERS / "nat", "microvm", bin_directory) as guest:
        guest.set("translator", "config", bytes(4), IPv4Address(public).packed + bytes(28))
        guest.set("translator", "networks", struct.pack("<I", 16) + bytes([10, 0, 0, 0]), struct.pack("<I", 1))
        for protocol in (TCP(sport=5001, dport=80, flags="S"), UDP(sport=5001, dport=53) / b"question"):
            out = through(guest, "inside", link() / IP(src=HOST, dst=SERVER) / protocol, "outside")
            assert out is not None and anew(bytes(out)) == bytes(out)
            assert out[IP].src == public
            kind = type(protocol)
            back = kind(sport=protocol.dport, dport=out[kind].sport) / b"answer"
            home = through(guest, "outside", link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=public) / back, "inside")
            assert home is not None and anew(bytes(home)) == bytes(home)
            assert (home[IP].dst, home[kind].dport) == (HOST, 5001)
        quoted = IP(src=public, dst=SERVER) / UDP(sport=out[UDP].sport, dport=53) / b"question"
        error = link(OUTSIDE, INSIDE) / IP(src="198.51.100.1", dst=public) / ICMP(type=3, code=1) / quoted
        told = through(guest, "outside", error, "inside")
        assert told is not None and told[IP].dst == HOST
        who = ARP(op=1, psrc=SERVER, pdst=public, hwsrc=OUTSIDE)
        answer = through(guest, "outside", Ether(src=OUTSIDE, dst="ff:ff:ff:ff:ff:ff") / who, "outside")
        assert answer is not None and answer[ARP].op == 2


def test_the_load_balancer_spreads_and_moves_what_a_backend_leaves(bin_directory: Path) -> None:
    text = '[[service]]\naddress = "192.0.2.10"\nport = 80\nbackends = ['
    text += ", ".join(f'{{number = {n}, link = "02:00:00:00:01:0{n}"}}' for n in range(3)) + "]"
    with running_function(FOLDERS / "loadbalancer", "microvm", bin_directory) as guest:
        settle(guest, "balancer", "loadbalancer", text)

        def backends() -> list[str]:
            found = []
            for port in range(1000, 1020):
                packet = link(OUTSIDE, INSIDE) / IP(src=SERVER, dst="192.0.2.10") / TCP(sport=port, dport=80, flags="S")
                out = through(guest, "outside", packet, "servers")
                assert out is not None and bytes(out)[6:] == bytes(packet)[6:]
                found.append(out.dst[-1])
            return found

        before = backends()
        assert set(before) == {"0", "1", "2"}
        assert backends() == before
        guest.set(
            "balancer", "backends", struct.pack("<I", 1), struct.pack("<II", 0, 1) + bytes([2, 0, 0, 0, 1, 1, 0, 0])
        )
        after = backends()
        assert all(new == old if old != "1" else new != "1" for old, new in zip(before, after, strict=True))


def test_the_stateful_firewall_lets_answers_in(bin_directory: Path) -> None:
    programs = {"firewall": bundle_of(FOLDERS / "firewall/stateful.c")}
    syn = TCP(sport=5, dport=80, flags="S")
    answer = TCP(sport=80, dport=5, flags="SA")
    ways = [
        ("outside", "inside", link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST) / answer),
        ("inside", "outside", link() / IP(src=HOST, dst=SERVER) / syn),
        ("outside", "inside", link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST) / answer),
        ("outside", "inside", link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST) / syn),
    ]
    with running_function(
        FOLDERS / "firewall", "microvm", bin_directory, others=programs, guest="stateful.toml"
    ) as guest:
        settle(guest, "fw", "firewall", '[[rule]]\nsource = "10.0.0.0/16"\naction = "accept"')
        assert passes(guest, ways) == [False, True, True, False]


def test_the_guard_shakes_hands_for_the_server(bin_directory: Path) -> None:
    text = 'secret = "00112233445566778899aabbccddeeff"\n[[server]]\nprefix = "10.0.0.0/16"'
    there = link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST)
    home = link() / IP(src=HOST, dst=SERVER)
    with running_function(FOLDERS / "ddos", "microvm", bin_directory) as guest:
        settle(guest, "guard", "ddos", text)
        syn = there / TCP(sport=5, dport=80, seq=7, flags="S", options=[("MSS", 1460)])
        cookie = through(guest, "outside", syn, "outside")
        assert cookie is not None and str(cookie[TCP].flags) == "SA"
        number = (cookie[TCP].seq + 1) % 2**32
        begin = through(guest, "outside", there / TCP(sport=5, dport=80, seq=8, ack=number, flags="A"), "servers")
        assert begin is not None and (str(begin[TCP].flags), begin[TCP].seq) == ("S", 7)
        done = through(guest, "servers", home / TCP(sport=80, dport=5, seq=100, ack=8, flags="SA"), "servers")
        assert done is not None and (str(done[TCP].flags), done[TCP].ack) == ("A", 101)
        data = home / TCP(sport=80, dport=5, seq=101, ack=8, flags="PA") / Raw(b"hello")
        arrived = through(guest, "servers", data, "outside")
        assert arrived is not None and arrived[TCP].seq == number
        assert anew(bytes(arrived)) == bytes(arrived)
        forged = there / TCP(sport=6, dport=80, seq=8, ack=number, flags="A")
        assert through(guest, "outside", forged, "servers") is None


RULES = '[[rule]]\nid = 1\ncontents = ["attack"]\naction = "drop"\nblock = "source"\nblock_seconds = 600'


def test_detection_passes_what_prevention_stops(bin_directory: Path) -> None:
    attack = link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST) / UDP(sport=1, dport=2) / b"an attack"
    plain = link(OUTSIDE, INSIDE) / IP(src=SERVER, dst=HOST) / UDP(sport=1, dport=2) / b"nothing"
    ways = [("outside", "inside", packet) for packet in (plain, attack, plain)]
    for function, expected in (("ids", [True, True, True]), ("ips", [True, False, False])):
        with running_function(FOLDERS / function, "microvm", bin_directory) as guest:
            settle(guest, function, function, RULES)
            assert passes(guest, ways) == expected
