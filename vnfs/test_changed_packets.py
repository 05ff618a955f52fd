"""Packets of many kinds with bytes changed, cut or added: every engine and Linux do the same with each, and none traps.

UNIBPF_SEED begins another series.
"""

import os
import random
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet

from tests.support.kernel.function_runs import LEAST_BYTES, Preset, run_alike
from tests.support.programs.bundles import Runner
from tests.support.programs.vnf import bundle_of
from unibpf.vnf.filling import fill

FOLDER = Path(__file__).parent
MANY = 150
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
ENDS = [
    ("10.0.0.7", "198.51.100.9"),
    ("198.51.100.9", "192.0.2.1"),
    ("198.51.100.9", "10.0.0.7"),
    ("10.0.0.7", "192.0.2.10"),
]
ENDS6 = [("2001:db8:1::7", "2001:db8:2::9"), ("2001:db8:2::9", "2001:db8:1::7")]
NAT: list[Preset] = [
    ("config", bytes(4), IPv4Address("192.0.2.1").packed + bytes(28)),
    ("networks", b"\x08\0\0\0\x0a\0\0\0", b"\1\0\0\0"),
]
# The program, its settings, maps that hold times, what it is compiled with.
CASES: dict[str, tuple[str, str | list[Preset], set[str], list[str]]] = {
    "nat": ("nat/program.c", NAT, {"bindings", "fragments"}, ["PORTS=64"]),
    "loadbalancer": ("loadbalancer/program.c", "loadbalancer/settings.toml", {"connections", "fragments"}, []),
    "firewall": ("firewall/stateful.c", "firewall/rules.toml", {"connections", "attempts", "fragments"}, []),
    "ddos": (
        "ddos/program.c",
        "ddos/settings.toml",
        {"connections", "buckets", "servers"},
        ["COOKIE_SECONDS=1000000000"],
    ),
    "ids": ("ids/program.c", "ids/rules.toml", {"alerts"}, ["STATES=128"]),
    "ips": ("ips/program.c", "ids/rules.toml", {"alerts", "blocked"}, ["STATES=128"]),
}


def originals() -> list[bytes]:
    found: list[Packet] = []
    for source, destination in ENDS:
        there, back = IP(src=source, dst=destination), IP(src=destination, dst=source)
        for carried in (
            TCP(sport=1000, dport=80, flags="S", options=[("MSS", 1400)]),
            TCP(sport=80, dport=32769, flags="A") / b"GET /bin/sh",
            TCP(sport=1001, dport=80, flags="A") / b"GET /bin/sh",
            UDP(sport=53, dport=32768) / b"payload",
            ICMP(id=5),
            ICMP(type=3) / back / UDP(sport=32768, dport=53) / b"quoted",
            ICMP(type=11) / back / TCP(sport=80, dport=1000),
        ):
            found += [LINK / there / carried, LINK / Dot1Q(vlan=3) / there.copy() / carried]
            found[-1][IP].options = [IPOption_NOP()] * 4
        found += [LINK / there / UDP(sport=1, dport=53) / bytes(8), LINK / there / bytes(8)]
        found[-2][IP].flags, found[-1][IP].frag, found[-1][IP].proto = "MF", 2, 17
    for source, destination in ENDS6:
        there, back = IPv6(src=source, dst=destination), IPv6(src=destination, dst=source)
        fragment = IPv6ExtHdrFragment(m=1, id=3) / UDP() / bytes(8)
        error = ICMPv6DestUnreach() / back / TCP(sport=80, dport=1000)
        for carried in (
            TCP(dport=80, flags="S"),
            ICMPv6EchoRequest(),
            error,
            ICMPv6ND_NS(),
            IPv6ExtHdrDestOpt() / UDP(),
            fragment,
        ):
            found.append(LINK / there / carried)
    return [bytes(packet) for packet in found]


def changed(rng: random.Random, frame: bytes) -> bytes:
    found = bytearray(frame)
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        found[rng.randrange(12, len(found))] = rng.choice((0, 1, 255, rng.randrange(256)))
    if rng.random() < 0.2:
        found = found[: rng.randrange(LEAST_BYTES, len(found) + 1)]
    if rng.random() < 0.1:
        found += bytes(rng.randrange(20))
    return bytes(found)


@pytest.mark.parametrize("name", CASES)
def test_changed_packets_end_alike_everywhere(name: str, runner: Runner) -> None:
    source, settings, clocked, defines = CASES[name]
    rng = random.Random(int(os.environ.get("UNIBPF_SEED", "1")))
    known = originals()
    packets = [changed(rng, rng.choice(known)) for _ in range(MANY)]
    presets = settings
    if isinstance(presets, str):
        rows = fill(name, (FOLDER / presets).read_bytes().replace(b'"above-rate"', b'"always"'))
        presets = [(table, key, value) for table, entries in rows.items() for key, value in entries]
    writes = name in {"nat", "loadbalancer", "ddos"}
    bundle = bundle_of(FOLDER / source, *defines, kind="rewriter" if writes else None)
    run = run_alike(runner, bundle, packets, presets, clocked=clocked)
    assert sum(any(value) for value in run.maps["counters"].values()) >= 5
