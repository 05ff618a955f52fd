"""The firewall: packets, the verdict and the rule that each hits, in the guest's engine and in Linux."""

from pathlib import Path

import pytest

from tests.support.kernel import kernel_oracle
from tests.support.kernel.kernel_functions import in_kernel
from tests.support.programs.bundles import ENGINES, Runner
from tests.support.programs.vnf import bundle_of, in_guest, ipv4

FOLDER = Path(__file__).parent
PASS, DROP = 2, 1
TCP, UDP = 6, 17

# (what, packet, verdict and rule under version 1, the same under version 2)
PACKETS = [
    ("telnet", ipv4(protocol=TCP, port=23), (DROP, 1), (DROP, 1)),
    ("UDP port 23", ipv4(protocol=UDP, port=23), (PASS, 0), (PASS, 0)),
    ("the closed UDP port", ipv4(protocol=UDP, port=4321), (DROP, 2), (DROP, 2)),
    ("TCP to the closed UDP port", ipv4(protocol=TCP, port=4321), (PASS, 0), (PASS, 0)),
    ("the port that version 2 closes", ipv4(protocol=UDP, port=5432), (PASS, 0), (DROP, 3)),
    ("telnet after IP options", ipv4(protocol=TCP, port=23, options=5), (DROP, 1), (DROP, 1)),
    ("web", ipv4(protocol=TCP, port=443), (PASS, 0), (PASS, 0)),
    ("ICMP", ipv4(protocol=1, port=0), (PASS, 0), (PASS, 0)),
    ("ARP", bytes(12) + b"\x08\x06" + bytes(46), (PASS, 0), (PASS, 0)),
    ("an IPv4 header cut short", ipv4(protocol=TCP, port=23)[:30], (PASS, 0), (PASS, 0)),
    ("ports cut short", ipv4(protocol=TCP, port=23)[:36], (PASS, 0), (PASS, 0)),
    (
        "an impossible header",
        ipv4(protocol=TCP, port=23).replace(b"\x08\x00\x45", b"\x08\x00\x42"),
        (PASS, 0),
        (PASS, 0),
    ),
]
VERSIONS = [("program.c", 2), ("program_v2.c", 3)]


def bundle(source: str) -> bytes:
    return bundle_of(FOLDER / source, "CLOSED_PORT=4321", "NEW_CLOSED_PORT=5432")


def expected_hits(column: int) -> dict[int, tuple[int, int]]:
    hits = dict.fromkeys(range(16), (0, 0))
    for row in PACKETS:
        rule = row[column][1]
        hits[rule] = (hits[rule][0] + 1, hits[rule][1] + len(row[1]))
    return hits


def rule_hits(table: dict[str, str]) -> dict[int, tuple[int, int]]:
    def number(text: str) -> int:
        return int.from_bytes(bytes.fromhex(text), "little")

    return {number(key): (number(value[:16]), number(value[16:])) for key, value in table.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("source", "column"), VERSIONS)
def test_each_packet_hits_its_rule(source: str, column: int, engine: str, runner: Runner) -> None:
    outcome = in_guest(runner, bundle(source), [row[1] for row in PACKETS], engine)
    assert dict(zip([row[0] for row in PACKETS], outcome.codes, strict=True)) == {
        row[0]: row[column][0] for row in PACKETS
    }
    assert rule_hits(outcome.maps["rule_hits"]) == expected_hits(column)


@pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")
@pytest.mark.parametrize(("source", "column"), VERSIONS)
def test_linux_agrees(source: str, column: int) -> None:
    outcome = in_kernel(bundle(source), [row[1] for row in PACKETS])
    assert outcome.codes == [row[column][0] for row in PACKETS]
    assert rule_hits(outcome.maps["rule_hits"]) == expected_hits(column)
