"""Monitoring: flows, records, talkers and totals of scapy's packets; the records as IPFIX, read back by scapy."""

import json
import struct
import subprocess
import sys
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.netflow import NetflowDataflowsetV9, NetflowHeader, netflowv9_defragment
from scapy.packet import Packet, Raw

from tests.support.kernel.function_runs import PASS, Preset, Run, cut_short, reasons, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from vnfs.monitoring import ipfix

FOLDER = Path(__file__).parent
REASONS = reasons(FOLDER / "program.c")
CLOCKED = ("flows", "records")
END_IDLE, END_ACTIVE, END_SEEN, END_FORCED, END_NO_ROOM = range(1, 6)
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FIELDS = [
    "source",
    "destination",
    "sport",
    "dport",
    "vlan",
    "protocol",
    "version",
    "start",
    "last",
    "packets",
    "bytes",
    "flags",
    "tos",
    "end",
    "used",
]


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return bundle_of(FOLDER / "program.c", "BUCKETS=16", "TOP_BUCKETS=1")


@pytest.fixture(scope="module")
def crowded() -> bytes:
    """One bucket: whoever comes fifth pushes somebody out."""
    return bundle_of(FOLDER / "program.c", "BUCKETS=1", "TOP_BUCKETS=1")


def run(runner: Runner, bundle: bytes, packets: list[Packet | bytes], *presets: Preset) -> Run:
    done = run_alike(runner, bundle, packets, presets, clocked=CLOCKED)
    assert set(done.codes) == {PASS}
    return done


def config(*, active: int = 0, idle: int = 0, sampling: int = 0, off: int = 0) -> Preset:
    return ("config", bytes(4), struct.pack("<4I", active, idle, sampling, off))


def read(record: bytes) -> dict[str, object]:
    values = dict(zip(FIELDS, struct.unpack("<16s16s2s2sHBBQQQQBBBBI", record), strict=False))
    for name in ("sport", "dport"):
        values[name] = int.from_bytes(values[name], "big")
    for name in ("source", "destination"):
        address = IPv6Address(values[name])
        values[name] = str(address.ipv4_mapped or address)
    return values


def flows(done: Run) -> list[dict[str, object]]:
    kept = [read(value) for value in done.maps["flows"].values()]
    return sorted((flow for flow in kept if flow["used"]), key=lambda flow: int(str(flow["sport"])))


def said(flow: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(flow[name] for name in names)


def test_flows_are_counted_apart_by_addresses_ports_protocol_and_vlan(runner: Runner, bundle: bytes) -> None:
    packets = [
        LINK / IP(src="10.0.0.1", dst="10.0.0.2", tos=4) / UDP(sport=1, dport=9) / Raw(bytes(10)),
        LINK / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=9) / Raw(bytes(20)),
        LINK / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=2, dport=9, flags="S"),
        LINK / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=2, dport=9, flags="PA"),
        LINK / Dot1Q(vlan=7) / IPv6(src="fd00::1", dst="fd00::2", tc=5) / UDP(sport=3, dport=9),
        LINK / IP(src="10.0.0.1", dst="10.0.0.2", frag=7, proto=17) / Raw(bytes(30)),
    ]
    done = run(runner, bundle, packets)
    found = flows(done)
    assert [
        said(flow, "source", "sport", "protocol", "vlan", "packets", "bytes", "flags", "tos") for flow in found
    ] == [
        ("10.0.0.1", 0, 17, 0, 1, 50, 0, 0),
        ("10.0.0.1", 1, 17, 0, 2, 86, 0, 4),
        ("10.0.0.1", 2, 6, 0, 2, 80, 0x1A, 0),
        ("fd00::1", 3, 17, 7, 1, 48, 0, 5),
    ]
    totals = {key[0]: struct.unpack("<2Q", value) for key, value in done.maps["protocols"].items() if any(value)}
    assert totals == {17: (4, 184), 6: (2, 80)}
    assert done.counters(REASONS) == {"SEEN": 6}


def test_a_connection_that_ends_is_told_at_once(runner: Runner, bundle: bytes) -> None:
    flags = ["S", "A", "FA", "A"]
    done = run(runner, bundle, [LINK / IP() / TCP(sport=5, dport=9, flags=flag) for flag in flags])
    (record,) = map(read, done.records["records"])
    assert said(record, "sport", "packets", "bytes", "flags", "end") == (5, 3, 120, 0x13, END_SEEN)
    assert int(str(record["last"])) >= int(str(record["start"])) > 0
    assert [flow["packets"] for flow in flows(done)] == [1]


def test_who_is_pushed_out_is_told_so_that_nothing_is_lost(runner: Runner, crowded: bytes) -> None:
    packets = [LINK / IP() / UDP(sport=port, dport=9) for port in [*range(1, 12), 11, 11]]
    done = run(runner, crowded, packets)
    records = [read(record) for record in done.records["records"]]
    assert [said(record, "sport", "end") for record in records] == [(port, END_NO_ROOM) for port in range(1, 8)]
    everything = records + flows(done)
    assert sum(int(str(flow["packets"])) for flow in everything) == len(packets)
    assert done.counters(REASONS) == {"SEEN": len(packets), "TOLD": 7}


def silent(sport: int, *, last: int = 1) -> Preset:
    """A flow in the table of one bucket, at place 3, that was seen when the machine began."""
    flow = bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]) + bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 2])
    flow += sport.to_bytes(2, "big") + bytes(4) + bytes([17, 4])
    return ("flows", bytes([3, 0, 0, 0]), flow + struct.pack("<QQQQBBBBI", last, last, 7, 700, 0, 0, 0, 1, 0))


def test_silent_flows_are_told_as_long_as_anything_comes_by(runner: Runner, crowded: bytes) -> None:
    done = run(runner, crowded, [LINK / ARP()] * 3, config(idle=1), silent(77))
    assert done.records["records"] == []
    done = run(runner, crowded, [LINK / ARP()] * 4, config(idle=1), silent(77))
    (record,) = map(read, done.records["records"])
    assert said(record, "sport", "packets", "bytes", "end") == (77, 7, 700, END_IDLE)
    assert flows(done) == []


def test_a_flow_that_goes_on_is_told_in_between(runner: Runner, crowded: bytes) -> None:
    packet = LINK / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=77, dport=0)
    done = run(runner, crowded, [packet], config(active=1), silent(77))
    (record,) = map(read, done.records["records"])
    assert said(record, "packets", "end") == (8, END_ACTIVE)


def test_one_packet_of_so_many_is_looked_at(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [LINK / IP() / UDP(sport=5, dport=9)] * 10, config(sampling=4))
    assert [flow["packets"] for flow in flows(done)] == [3]
    assert done.counters(REASONS) == {"SEEN": 3, "NOT_SAMPLED": 7}
    assert run(runner, bundle, [LINK / IP() / UDP()], config(off=1)).counters(REASONS) == {}


def test_the_largest_talkers_stay_and_say_how_much_too_high_they_may_be(runner: Runner, bundle: bytes) -> None:
    sizes = {1: 900, 2: 800, 3: 700, 4: 600, 5: 10, 6: 20}
    packets = [LINK / IP(src=f"10.0.0.{n}") / UDP() / Raw(bytes(size)) for n, size in sizes.items() for _ in range(3)]
    done = run(runner, bundle, packets)
    talkers = {value[15]: struct.unpack("<QQQ", value[16:40]) for value in done.maps["talkers"].values()}
    assert set(talkers) >= {1, 2, 3}
    for number in (1, 2, 3):
        assert talkers[number] == (3 * (sizes[number] + 28), 3, 0)
    for number in set(talkers) - {1, 2, 3}:
        assert talkers[number][0] - talkers[number][2] <= 3 * (sizes[number] + 28)


def test_what_is_not_ip_or_broken_passes_and_is_counted(runner: Runner, bundle: bytes) -> None:
    short = cut_short([LINK / IP() / TCP(), LINK / Dot1Q() / IPv6() / UDP()])
    done = run(runner, bundle, [*short, LINK / ARP(), LINK / IP(ihl=2), LINK / IP() / ICMP()])
    assert done.counters(REASONS) == {"SEEN": 1, "TRUNCATED": len(short), "NOT_IP": 1, "BAD_HEADER": 1}


def test_records_become_ipfix_that_others_can_read(runner: Runner, bundle: bytes) -> None:
    packets = [LINK / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=n, dport=9, flags="F") for n in range(1, 40)]
    packets += [LINK / IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=7, dport=9, flags="R")]
    made = list(ipfix.messages(run(runner, bundle, packets).records["records"]))
    assert max(map(len, made)) <= 1400
    assert sum(len(one) for one in made) == sum(int.from_bytes(one[2:4], "big") for one in made)
    rows = read_ipfix(made)
    assert len(rows) == 40
    octets, duration, flags, end = 1, 161, 6, 136
    assert [rows[0][element] for element in (octets, duration, flags, end)] == [40, 0, 1, END_SEEN]
    read_back = netflowv9_defragment([IP() / UDP(dport=2055) / NetflowHeader(one) for one in made])
    assert sum(len(_rows(one)) for one in read_back) == 40
    first, last = _rows(read_back[1])[0], _rows(read_back[-1])[-1]
    assert (first.IPV4_SRC_ADDR, first.L4_SRC_PORT, first.PROTOCOL) == ("10.0.0.1", 1, 6)
    assert (last.IPV6_SRC_ADDR, last.L4_DST_PORT, last.PROTOCOL) == ("fd00::1", 9, 6)


def test_the_tool_reads_what_drain_prints(runner: Runner, bundle: bytes) -> None:
    done = run(runner, bundle, [LINK / IP() / TCP(sport=n, flags="F") for n in (1, 2)])
    drained = "".join(json.dumps({"record": record.hex()}) + "\n" for record in done.records["records"])
    tool = subprocess.run(
        [sys.executable, FOLDER / "ipfix.py"], input=drained.encode(), capture_output=True, check=True
    )
    assert tool.stdout == b"".join(ipfix.messages(done.records["records"]))


def read_ipfix(messages: list[bytes]) -> list[dict[int, int]]:
    """Data records by information element, as the templates in the messages say (RFC 7011 3)."""
    templates: dict[int, list[tuple[int, int]]] = {}
    rows = []
    for message in messages:
        at = 16
        while at < len(message):
            number, length = struct.unpack_from(">HH", message, at)
            body = message[at + 4 : at + length]
            at += length
            while body:
                if number == 2:
                    template, count = struct.unpack_from(">HH", body)
                    templates[template] = [struct.unpack_from(">HH", body, 4 + 4 * n) for n in range(count)]
                    body = body[4 + 4 * count :]
                    continue
                row = {}
                for element, size in templates[number]:
                    row[element], body = int.from_bytes(body[:size], "big"), body[size:]
                rows.append(row)
    return rows


def _rows(packet: Packet) -> list[Packet]:
    found, layer = [], packet.getlayer(NetflowDataflowsetV9)
    while isinstance(layer, NetflowDataflowsetV9):
        found += layer.records
        layer = layer.payload
    return found
