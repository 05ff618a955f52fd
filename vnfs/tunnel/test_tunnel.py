"""Tunnels: what goes in is what scapy would have built, what comes out is what went in; in the guest's engines and Linux."""

import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import DROP, PASS, TX, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
IPIP, GRE_IP, TAP, VXLAN_KIND = 1, 2, 3, 4
NO_KEY = 256
LOCAL4, REMOTE4, LOCAL6, REMOTE6 = "192.0.2.1", "198.51.100.2", "2001:db8::1", "2001:db8:f::2"
OURS, GATEWAY, INSIDE, HOST = (f"02:00:00:00:00:0{number}" for number in (1, 2, 3, 4))
LINK = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb")
PAYLOAD = Raw(b"what is inside")
INNER = {
    "IPv4": IP(src="10.0.0.1", dst="10.1.2.3", ttl=9, tos=0xB9) / UDP(sport=1, dport=2) / PAYLOAD,
    "IPv6": IPv6(src="fd00::1", dst="fd01::2", hlim=9, tc=0xB9) / TCP(sport=1, dport=2) / PAYLOAD,
}


def packed(address: str) -> bytes:
    made = ip_address(address)
    return made.packed if isinstance(made, IPv6Address) else bytes(10) + b"\xff\xff" + made.packed


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def tunnel(kind: int, version: int, *, key: int | None = None, vlan: int = 0, dscp: int = 255, mtu: int = 0) -> Preset:
    ends = (LOCAL4, REMOTE4) if version == 4 else (LOCAL6, REMOTE6)
    value = struct.pack("<BBHI", kind, version, vlan, key or 0) + b"".join(map(packed, ends))
    value += mac(OURS) + mac(GATEWAY) + mac(INSIDE) + mac(HOST)
    value += struct.pack("<BBHB11x4Q", 0, dscp, mtu, key is not None, 0, 0, 0, 0)
    return ("tunnels", struct.pack("<I", 5), value)


def endpoint(kind: int, version: int, *, key: int | None = None, anybody: bool = False) -> Preset:
    local, remote = (LOCAL4, REMOTE4) if version == 4 else (LOCAL6, REMOTE6)
    keyless = NO_KEY if kind in (GRE_IP, TAP) and key is None else 0
    value = packed(local) + (bytes(16) if anybody else packed(remote)) + struct.pack("<II", key or 0, kind + keyless)
    return ("endpoints", value, struct.pack("<I", 5))


def bridge(vlan: int) -> Preset:
    return ("bridged", struct.pack("<I", vlan), struct.pack("<I", 6))


def route(prefix: str) -> Preset:
    network = IPv4Network(prefix) if "." in prefix else IPv6Network(prefix)
    name = "routes4" if isinstance(network, IPv4Network) else "routes6"
    return (name, struct.pack("<I", network.prefixlen) + network.network_address.packed, struct.pack("<I", 5))


ROUTES = [route("10.1.0.0/16"), route("fd01::/32")]


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "TUNNELS=8", "ROUTES=8", "VLANS=16")


def run(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    return run_alike(runner, bundle, packets, presets)


def outer(version: int, *, tos: int = 0xB9, **fields: int) -> Packet:
    if version == 4:
        return Ether(src=OURS, dst=GATEWAY) / IP(src=LOCAL4, dst=REMOTE4, tos=tos, flags="DF", id=0, **fields)
    return Ether(src=OURS, dst=GATEWAY) / IPv6(src=LOCAL6, dst=REMOTE6, hlim=64, tc=tos)


def back(version: int, *, tos: int = 0) -> Packet:
    if version == 4:
        return LINK / IP(src=REMOTE4, dst=LOCAL4, tos=tos)
    return LINK / IPv6(src=REMOTE6, dst=LOCAL6, tc=tos)


def after_a_hop(packet: Packet) -> Packet:
    hopped = packet.copy()
    if IP in hopped:
        hopped.ttl -= 1
    else:
        hopped.hlim -= 1
    return hopped


SHIMS = {
    "IPIP": (IPIP, None, lambda: None),
    "GRE": (GRE_IP, None, GRE),
    "GRE with a key": (GRE_IP, 0xABCD1234, lambda: GRE(key_present=1, key=0xABCD1234)),
}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("name", SHIMS)
def test_ip_goes_in_and_comes_out(name: str, version: int, runner: Runner, bundle: bytes) -> None:
    kind, key, shim = SHIMS[name]
    presets = [tunnel(kind, version, key=key), endpoint(kind, version, key=key), *ROUTES]
    packets = [LINK / inner for inner in INNER.values()]
    packets.append(LINK / Dot1Q(vlan=3) / INNER["IPv4"])
    packets += [back(version) / shim() / inner if shim() else back(version) / inner for inner in INNER.values()]
    done = run(runner, bundle, packets, *presets)
    assert done.codes == [TX] * 3 + [PASS] * 2
    for frame, inner in zip(done.frames, [*INNER.values(), INNER["IPv4"]], strict=False):
        wrapped = outer(version) / shim() / after_a_hop(inner) if shim() else outer(version) / after_a_hop(inner)
        assert frame == bytes(wrapped)
    assert done.frames[3:] == [bytes(Ether(src=INSIDE, dst=HOST) / inner) for inner in INNER.values()]
    assert done.counters(REASONS) == {"ENCAPSULATED": 3, "DECAPSULATED": 2}
    size = [len(inner) for inner in INNER.values()]
    assert struct.unpack_from("<4Q", done.maps["tunnels"][struct.pack("<I", 5)], 80) == (
        2, sum(size), 3, sum(size) + size[0]
    )  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", [TAP, VXLAN_KIND], ids=["GRE", "VXLAN"])
@pytest.mark.parametrize("vlan", [0, 7])
def test_frames_of_a_vlan_go_in_and_come_out(vlan: int, kind: int, version: int, runner: Runner, bundle: bytes) -> None:
    key = 0xABCDEF
    presets = [tunnel(kind, version, key=key, vlan=vlan), endpoint(kind, version, key=key, anybody=True), bridge(vlan)]
    frames = [LINK / INNER["IPv4"], LINK / INNER["IPv6"], LINK / ARP()]
    tagged = [LINK / Dot1Q(vlan=vlan) / frame.payload if vlan else frame for frame in frames]
    shim = (
        UDP(sport=5, dport=4789, chksum=0) / VXLAN(flags=8, vni=key)
        if kind == VXLAN_KIND
        else GRE(key_present=1, key=key)
    )
    shim = shim if kind == VXLAN_KIND else GRE(proto=0x6558, key_present=1, key=key)
    done = run(runner, bundle, [*tagged, *(back(version) / shim / frame for frame in frames)], *presets)
    assert done.codes == [TX] * 3 + [PASS] * 3
    for frame, inner, tos in zip(done.frames, frames, (0xB9, 0xB9, 0), strict=False):
        shim = shim.copy()
        if kind == VXLAN_KIND:
            shim.sport = Ether(frame)[UDP].sport
            assert shim.sport >= 49152
        assert frame == bytes(outer(version, tos=tos) / shim / inner)
    assert done.frames[3:] == [bytes(frame) for frame in tagged]


def test_flows_are_spread_over_source_ports_of_vxlan(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(dst="10.1.2.3") / UDP(sport=port, dport=1) for port in (1, 2, 3, 4, 1)]
    done = run(runner, bundle, packets, tunnel(VXLAN_KIND, 4, key=1), bridge(0))
    ports = [Ether(frame)[UDP].sport for frame in done.frames]
    assert len(set(ports)) == 4
    assert ports[0] == ports[4]


def test_what_gre_may_have_besides_is_passed_over(runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(GRE_IP, 4), endpoint(GRE_IP, 4), endpoint(GRE_IP, 4, key=9)]
    shims = [
        GRE(chksum_present=1, seqnum_present=1, sequence_number=7),
        GRE(chksum_present=1, key_present=1, key=9, seqnum_present=1),
        GRE(routing_present=1),
        GRE(version=1),
        GRE(key_present=1, key=8),
    ]
    done = run(runner, bundle, [back(4) / shim / INNER["IPv4"] for shim in shims], *presets)
    assert done.codes == [PASS, PASS, DROP, DROP, DROP]
    assert done.frames[0] == done.frames[1] == bytes(Ether(src=INSIDE, dst=HOST) / INNER["IPv4"])
    assert done.counters(REASONS) == {"DECAPSULATED": 2, "BAD_HEADER": 2, "UNKNOWN_TUNNEL": 1}


@pytest.mark.parametrize("inner", INNER)
def test_a_mark_on_the_way_is_told_inside(inner: str, runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(IPIP, 4), endpoint(IPIP, 4)]
    packets = []
    for ecn in range(4):
        one = INNER[inner].copy()
        if inner == "IPv4":
            one.tos = ecn
        else:
            one.tc = ecn
        packets.append(one)
    done = run(runner, bundle, [back(4, tos=3) / one for one in packets], *presets)
    assert done.codes == [DROP, PASS, PASS, PASS]
    for one, frame in zip(packets[1:], done.frames[1:], strict=True):
        marked = one.copy()
        if inner == "IPv4":
            marked.tos = 3
        else:
            marked.tc = 3
        assert frame == bytes(Ether(src=INSIDE, dst=HOST) / marked)
    assert done.counters(REASONS) == {"DECAPSULATED": 3, "BAD_ECN": 1}


def test_the_outer_header_has_a_dscp_of_its_own_if_asked(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [LINK / INNER["IPv4"]], tunnel(IPIP, 4, dscp=10), *ROUTES)
    assert Ether(done.frames[0])[IP].tos == 10 << 2 | 1


def test_what_does_not_fit_or_has_no_way_is_dropped_and_counted(runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(IPIP, 4, mtu=600), endpoint(IPIP, 4), *ROUTES]
    packets = [
        LINK / IP(dst="10.1.2.3") / UDP() / bytes(573),
        LINK / IP(dst="10.1.2.3") / UDP() / bytes(572),
        LINK / IP(dst="10.1.2.3", ttl=1) / UDP(),
        LINK / IPv6(dst="fd01::2", hlim=1) / UDP(),
        LINK / IP(dst="10.2.2.3") / UDP(),
        LINK / ARP(),
        LINK / IP(src=REMOTE4, dst=LOCAL4, flags="MF") / INNER["IPv4"],
        LINK / IP(src=REMOTE4, dst=LOCAL4, proto=4) / INNER["IPv6"],
        LINK / IP(src="1.2.3.4", dst=LOCAL4) / INNER["IPv4"],
    ]
    done = run(runner, bundle, packets, *presets)
    assert done.codes == [DROP, TX, DROP, DROP, DROP, DROP, DROP, DROP, DROP]
    assert done.counters(REASONS) == {
        "ENCAPSULATED": 1, "TOO_BIG": 1, "HOP_LIMIT": 2, "NOT_OURS": 2, "FRAGMENT": 1, "WRONG_INNER": 1,
        "UNKNOWN_TUNNEL": 1,
    }  # fmt: skip


def test_an_entry_that_makes_no_sense_is_counted(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / INNER["IPv4"]]
    assert run(runner, bundle, packets, *ROUTES).counters(REASONS) == {"BAD_TUNNEL": 1}
    assert run(runner, bundle, packets, tunnel(VXLAN_KIND, 4), *ROUTES).counters(REASONS) == {"BAD_TUNNEL": 1}


def test_padding_stays_outside(runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(IPIP, 4), endpoint(IPIP, 4), *ROUTES]
    short = IP(src="10.0.0.1", dst="10.1.2.3") / ICMP()
    packets = [bytes(LINK / short) + bytes(18), bytes(back(4) / short) + bytes(9)]
    done = run(runner, bundle, packets, *presets)
    assert [len(frame) for frame in done.frames] == [14 + 20 + 28, 14 + 28]


def test_what_is_cut_short_is_dropped(runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(IPIP, 4), *ROUTES]
    presets += [endpoint(IPIP, 4), endpoint(GRE_IP, 4), endpoint(VXLAN_KIND, 4, key=1), endpoint(TAP, 4)]
    whole = [
        LINK / INNER["IPv4"],
        LINK / INNER["IPv6"],
        back(4) / INNER["IPv6"],
        back(4) / GRE(key_present=1) / INNER["IPv4"],
        back(4) / GRE(proto=0x6558) / LINK / INNER["IPv4"],
        back(4) / UDP(dport=4789) / VXLAN(vni=1) / LINK / INNER["IPv4"],
    ]
    packets = cut_short(whole)
    done = run(runner, bundle, packets, *presets)
    assert done.codes == [DROP] * len(packets)
    assert done.counters(REASONS) == {"TRUNCATED": len(packets)}


def test_inner_headers_cut_short_within_a_whole_outer_one_are_dropped(runner: Runner, bundle: bytes) -> None:
    presets = [tunnel(IPIP, 4), endpoint(IPIP, 4), endpoint(GRE_IP, 4), endpoint(VXLAN_KIND, 4, key=1)]
    packets: list[Packet | bytes] = [back(4) / Raw(bytes(INNER["IPv4"])[:size]) for size in range(20)]
    for packet in packets:
        packet[IP].proto = 4
    gre = bytes(GRE(key_present=1) / INNER["IPv4"])
    packets += [LINK / IP(src=REMOTE4, dst=LOCAL4, proto=47) / Raw(gre[:size]) for size in range(8)]
    vxlan = bytes(VXLAN(vni=1) / LINK / INNER["IPv4"])
    packets += [back(4) / UDP(sport=9, dport=4789) / Raw(vxlan[:size]) for size in range(22)]
    done = run(runner, bundle, packets, *presets)
    assert done.codes == [DROP] * len(packets)
    assert done.counters(REASONS) == {"TRUNCATED": len(packets)}


def test_addresses_of_ipv4_are_mapped_ones() -> None:
    assert packed(LOCAL4) == IPv6Address(f"::ffff:{IPv4Address(LOCAL4)}").packed
