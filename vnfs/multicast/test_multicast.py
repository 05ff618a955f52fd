"""The switch that listens: reports of scapy's IGMP and MLD, where groups go afterwards; whole in a guest with three ports."""

import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.igmp import IGMP, IGMPv3_MR, IGMPv3_MR_Group
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet

from tests.support.guests.function_guest import FunctionGuest, running_function
from tests.support.kernel.function_runs import DROP, REDIRECT, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "state.h")
CLOCKED = ("groups", "routers", "stations")
FOREVER, NEVER = (1 << 64) - 1, 0
GROUP, GROUP6 = "239.1.2.3", "ff05::1:3"
OURS = 1  # the port that everything comes in by
HOST = "02:00:00:00:00:01"


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "PORTS=5", "GROUPS=4", "STATIONS=16")


def run(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    """The packets come in by port 1: the runner's interface is 0, the kernel's 1."""
    ports = [("ports", struct.pack("<I", interface), struct.pack("<I", OURS)) for interface in (0, 1)]
    return run_alike(runner, bundle, packets, [*ports, *presets], clocked=CLOCKED)


def sets(done: Run) -> list[set[int]]:
    """The ports that each packet goes to."""
    found = []
    for code, port in zip(done.codes, done.ports, strict=True):
        assert code == (DROP if port is None else REDIRECT)
        found.append({bit for bit in range(5) if port is not None and (port - 16) >> bit & 1})
    return found


def group_key(group: str, vlan: int = 0) -> bytes:
    address = ip_address(group)
    mapped = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
    return mapped + struct.pack("<I", vlan)


def until(*wanted: int) -> bytes:
    return struct.pack("<5Q", *(FOREVER if port in wanted else NEVER for port in range(5)))


def members(group: str, *wanted: int, vlan: int = 0) -> Preset:
    return ("groups", group_key(group, vlan), until(*wanted))


def routers(*there: int, vlan: int = 0) -> Preset:
    return ("routers", struct.pack("<I", vlan), until(*there))


def config(**values: int) -> Preset:
    names = ("member_seconds", "router_seconds", "leave_seconds", "router_ports", "flood_unknown", "fast_leave")
    return ("config", bytes(4), struct.pack("<6I", *(values.get(name, 0) for name in names)))


def joined(done: Run) -> dict[str, set[int]]:
    """The ports of each group that have not left, by its address and VLAN."""
    found = {}
    for key, value in done.maps["groups"].items():
        address = ip_address(key[:16])
        name = str(address.ipv4_mapped or address) + (f"%{key[16]}" if key[16] else "")
        found[name] = {port for port, time in enumerate(struct.unpack("<5Q", value)) if time}
    return found


def link(group: str) -> Ether:
    address = ip_address(group).packed
    tail = address[-4:] if len(address) == 16 else bytes([address[1] & 127, *address[2:]])
    return Ether(src=HOST, dst=(b"\x33\x33" + tail if len(address) == 16 else b"\x01\x00\x5e" + tail).hex(":"))


def igmp(kind: int, group: str, *, to: str | None = None) -> Packet:
    alert = [IPOption_Router_Alert()]
    return link(to or group) / IP(src="10.0.0.1", dst=to or group, ttl=1, options=alert) / IGMP(type=kind, gaddr=group)


def igmp3(*records: tuple[int, str, list[str]]) -> Packet:
    rows = [IGMPv3_MR_Group(rtype=kind, maddr=group, srcaddrs=sources) for kind, group, sources in records]
    head = IP(src="10.0.0.1", dst="224.0.0.22", ttl=1, options=[IPOption_Router_Alert()])
    return link("224.0.0.22") / head / IGMPv3_MR(records=rows)


def mld(message: Packet, group: str, source: str = "fe80::1") -> Packet:
    return link(group) / IPv6(src=source, dst=group, hlim=1) / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / message


def data(group: str) -> Packet:
    head = IPv6(dst=group) if ":" in group else IP(dst=group)
    return link(group) / head / UDP() / b"stream"


def test_a_group_goes_to_its_members_and_to_routers_but_not_back(runner: Runner, bundle: bytes) -> None:
    packets = [data(GROUP), data(GROUP6), data("239.9.9.9"), data("239.7.7.7")]
    presets = [members(GROUP, 1, 2), members(GROUP6, 3), members("239.7.7.7", 1), routers(4)]
    assert sets(run(runner, bundle, packets, *presets)) == [{2, 4}, {3, 4}, {4}, {4}]
    alone = run(runner, bundle, packets, *presets[:3])
    assert sets(alone) == [{2}, {3}, set(), set()]
    assert alone.counters(REASONS) == {"FORWARDED": 2, "NOBODY": 2, "UNKNOWN_GROUP": 1}


def test_unknown_groups_are_flooded_if_so_configured_and_local_ones_always(runner: Runner, bundle: bytes) -> None:
    packets = [data("239.9.9.9"), data("224.0.0.251"), data("ff02::fb"), Ether(dst="ff:ff:ff:ff:ff:ff") / ARP()]
    assert sets(run(runner, bundle, packets)) == [set(), {2, 3, 4}, {2, 3, 4}, {2, 3, 4}]
    assert sets(run(runner, bundle, packets, config(flood_unknown=1)))[0] == {2, 3, 4}
    assert sets(run(runner, bundle, packets, config(router_ports=8)))[0] == {3}


def test_vlans_have_groups_of_their_own(runner: Runner, bundle: bytes) -> None:
    tagged = link(GROUP) / Dot1Q(vlan=5) / data(GROUP).payload
    presets = [members(GROUP, 2), members(GROUP, 3, vlan=5), routers(4, vlan=5)]
    assert sets(run(runner, bundle, [data(GROUP), tagged], *presets)) == [{2}, {3, 4}]


@pytest.mark.parametrize(
    ("name", "packet"),
    [
        ("IGMPv1", igmp(0x12, GROUP)),
        ("IGMPv2", igmp(0x16, GROUP)),
        ("IGMPv3, all sources", igmp3((4, GROUP, []))),
        ("IGMPv3, some sources", igmp3((5, GROUP, ["10.9.9.9"]))),
        ("MLD", mld(ICMPv6MLReport(mladdr=GROUP6), GROUP6)),
        ("MLDv2", mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst=GROUP6)]), "ff02::16")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_report_joins_its_port_and_goes_to_the_routers_only(
    name: str, packet: Packet, runner: Runner, bundle: bytes
) -> None:
    done = run(runner, bundle, [packet], routers(2))
    assert sets(done) == [{2}], name
    assert joined(done) == {GROUP6 if "MLD" in name else GROUP: {OURS}}
    assert done.counters(REASONS) == {"JOINED": 1, "FORWARDED": 1}


LEAVES = [
    ("IGMPv2", igmp(0x17, GROUP, to="224.0.0.2"), GROUP),
    ("IGMPv3", igmp3((3, GROUP, [])), GROUP),
    ("MLD", mld(ICMPv6MLDone(mladdr=GROUP6), "ff02::2"), GROUP6),
    ("MLDv2", mld(ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=3, dst=GROUP6)]), "ff02::16"), GROUP6),
]


@pytest.mark.parametrize(("name", "packet", "group"), LEAVES, ids=[row[0] for row in LEAVES])
def test_who_leaves_has_two_more_seconds_or_none(
    name: str, packet: Packet, group: str, runner: Runner, bundle: bytes
) -> None:
    slow = run(runner, bundle, [packet, data(group)], members(group, OURS, 2))
    assert joined(slow) == {group: {OURS, 2}}
    assert struct.unpack("<5Q", slow.maps["groups"][group_key(group)])[OURS] < FOREVER
    fast = run(runner, bundle, [packet, data(group)], members(group, OURS, 2), config(fast_leave=1))
    assert joined(fast) == {group: {2}}, name
    last = run(runner, bundle, [packet], members(group, OURS), config(fast_leave=1))
    assert joined(last) == {}
    assert last.counters(REASONS) == {"LEFT": 1, "NOBODY": 1}


def test_a_report_of_many_records_is_read_to_its_end(runner: Runner, bundle: bytes) -> None:
    records = [
        (1, "239.0.0.1", ["10.0.0.1", "10.0.0.2"]), (2, "239.0.0.2", []), (3, "239.0.0.3", []),
        (6, "239.0.0.4", ["10.0.0.1"]), (4, "239.0.0.5", ["10.0.0.1"]), (5, "224.0.0.9", ["10.0.0.1"]),
        (1, "239.0.0.6", []),
    ]  # fmt: skip
    done = run(runner, bundle, [igmp3(*records)], members("239.0.0.3", OURS), config(fast_leave=1))
    assert joined(done) == {"239.0.0.1": {1}, "239.0.0.2": {1}, "239.0.0.5": {1}}


def test_a_full_table_is_told(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [igmp(0x16, f"239.0.0.{n}") for n in range(1, 7)])
    assert len(joined(done)) == 4
    assert done.counters(REASONS) == {"JOINED": 4, "TABLE_FULL": 2, "NOBODY": 6}


def test_a_query_shows_where_a_router_is_and_goes_everywhere(runner: Runner, bundle: bytes) -> None:
    queries = [igmp(0x11, "0.0.0.0", to="224.0.0.1"), mld(ICMPv6MLQuery(), "ff02::1")]
    for query in queries:
        done = run(runner, bundle, [query, data("239.9.9.9")])
        assert sets(done) == [{2, 3, 4}, set()]
        (times,) = (struct.unpack("<5Q", value) for value in done.maps["routers"].values())
        assert [port for port, time in enumerate(times) if time] == [OURS]
    nobody = igmp(0x11, "0.0.0.0", to="224.0.0.1")
    nobody[IP].src = "0.0.0.0"
    assert run(runner, bundle, [nobody]).maps["routers"] == {}


def test_stations_are_learned(runner: Runner, bundle: bytes) -> None:
    known = ("stations", bytes.fromhex("0200000000090000"), struct.pack("<QQ", FOREVER, 3))
    packets = [
        Ether(src=HOST, dst="02:00:00:00:00:09") / IP() / UDP(),
        Ether(src=HOST, dst="02:00:00:00:00:08") / IP() / UDP(),
        Ether(src=HOST, dst=HOST) / IP() / UDP(),
    ]
    done = run(runner, bundle, packets, known)
    assert sets(done) == [{3}, {2, 3, 4}, set()]
    assert struct.unpack("<QQ", done.maps["stations"][bytes.fromhex("0200000000010000")])[1] == OURS


def test_reports_that_are_broken_change_nothing(runner: Runner, bundle: bytes) -> None:
    wrong = bytearray(bytes(igmp(0x16, GROUP)))
    wrong[-1] ^= 1
    wrong6 = bytearray(bytes(mld(ICMPv6MLReport(mladdr=GROUP6), GROUP6)))
    wrong6[-1] ^= 1
    no_group = igmp(0x16, "10.1.1.1", to=GROUP)
    short = igmp3((4, GROUP, []))
    short[IGMPv3_MR].numgrp = 2
    long = igmp3((4, "239.9.9.9", ["10.0.0.1"]))
    long[IGMPv3_MR].records[0].numsrc = 60000
    done = run(runner, bundle, [bytes(wrong), bytes(wrong6), no_group])
    assert joined(done) == {}
    assert done.counters(REASONS) == {"BAD_CHECKSUM": 2, "BAD_REPORT": 1, "NOBODY": 1}
    done = run(runner, bundle, [short, long])
    assert done.counters(REASONS) == {"JOINED": 2, "BAD_REPORT": 1, "NOBODY": 1}


def test_what_is_cut_short_is_dropped(runner: Runner, bundle: bytes) -> None:
    short = cut_short([igmp3((4, GROUP, ["10.0.0.1"])), mld(ICMPv6MLReport(mladdr=GROUP6), GROUP6), data(GROUP)])
    broken = link(GROUP) / IP(dst=GROUP, ihl=2)
    done = run(runner, bundle, [*short, broken])
    assert set(done.codes) == {DROP}
    assert done.counters(REASONS) == {"TRUNCATED": len(short), "BAD_HEADER": 1}


def test_an_interface_that_is_no_port_is_not_switched(runner: Runner, bundle: bytes) -> None:
    ports = [("ports", struct.pack("<I", interface), struct.pack("<I", 9)) for interface in (0, 1)]
    assert run(runner, bundle, [data(GROUP)], *ports).counters(REASONS) == {"NO_PORT": 1}


def heard(guest: FunctionGuest, *expected: str) -> bool:
    """Whether one frame leaves by these ports and none by others."""
    others = {"port1", "port2", "port3"} - set(expected)
    return all(guest.receive(nic) for nic in expected) and not any(guest.receive(nic, 0.2) for nic in others)


def test_in_a_guest_a_group_goes_where_it_was_asked_for(bin_directory: Path) -> None:
    with running_function(FOLDER, "process", bin_directory) as guest:
        guest.send("port1", igmp(0x11, "0.0.0.0", to="224.0.0.1"))
        assert heard(guest, "port2", "port3")
        guest.send("port3", data(GROUP))
        assert heard(guest, "port1")  # the router
        guest.send("port2", igmp(0x16, GROUP))
        assert heard(guest, "port1")
        guest.send("port3", data(GROUP))
        assert heard(guest, "port1", "port2")
        guest.send("port3", data("239.200.0.1"))
        assert heard(guest, "port1")
