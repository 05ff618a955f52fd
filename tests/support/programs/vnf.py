"""A network function under test: compiled from its folder and run on packets in the guest's engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.verifier.frontend import frontend
from tests.support.programs.bundles import Runner
from unibpf.messages.base import Kind
from unibpf.push.compile import compile_c

Maps = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """Verdict codes in the order of the packets, and the maps afterwards: {map: {key: value}}, hex."""

    codes: list[int]
    maps: Maps


def bundle_of(source: Path, *defines: str, kind: Kind | None = None) -> bytes:
    """The bundle of a program of the catalogue; one that writes packets by pointers alone has to say that it is a rewriter."""
    return frontend.translate(compile_c(source, defines=list(defines)), frontend.Options(kind=kind)).bundle


def in_guest(runner: Runner, bundle: bytes, packets: Sequence[bytes], engine: str = "checking") -> Outcome:
    """Run in the guest's own engine; a trap fails the test."""
    reports = runner.run(bundle, packets, engine=engine)
    assert [report["trap"] for report in reports] == [None] * len(packets)
    maps = {name: {row["key"]: row["value"] for row in table["entries"]} for name, table in reports[-1]["maps"].items()}
    return Outcome([report["verdict_code"] for report in reports], maps)


def ipv4(*, protocol: int, port: int, source: int = 0x0A000002, options: int = 0, payload: int = 24) -> bytes:
    """An Ethernet frame with IPv4 (`options` words after the header) and eight bytes of ports and length."""
    header = 20 + 4 * options
    total = header + 8 + payload
    ip = bytes([0x45 + options, 0]) + total.to_bytes(2, "big") + bytes(4) + bytes([64, protocol, 0, 0])
    ip += source.to_bytes(4, "big") + bytes([10, 0, 1, 2]) + bytes(4 * options)
    return bytes(12) + b"\x08\x00" + ip + (40000).to_bytes(2, "big") + port.to_bytes(2, "big") + bytes(4 + payload)
