"""A network function on packets made by scapy: run by the guest's engines and by Linux, which have to agree on everything."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from scapy.packet import Packet

from tests.support.kernel import kernel_oracle
from tests.support.programs.bundles import Runner
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import decode

Preset = tuple[str, bytes, bytes]
ABORTED, DROP, PASS, TX, REDIRECT = range(5)
ENGINES = ("checking", "jit")
LEAST_BYTES = 14  # that Linux's test run takes


@dataclass(frozen=True, kw_only=True)
class Run:
    """Verdicts, packets and ports in the order of the packets; maps and records afterwards."""

    codes: list[int]
    frames: list[bytes]
    ports: list[int | None]
    maps: Mapping[str, Mapping[bytes, bytes]]
    records: Mapping[str, list[bytes]]

    def counters(self, names: Sequence[str]) -> dict[str, int]:
        """The counters that are not zero, by the names of their reasons."""
        values = {names[int.from_bytes(key, "little")]: value for key, value in self.maps["counters"].items()}
        return {name: int.from_bytes(value, "little") for name, value in values.items() if any(value)}


def reasons(source: Path) -> list[str]:
    """The names in `enum reason` of a C file, in their order."""
    found = re.search(r"enum reason \{(.*?)\};", source.read_text(), re.DOTALL)
    assert found
    plain = re.sub(r"/\*.*?\*/", "", found[1], flags=re.DOTALL)
    return [name.strip() for name in plain.split(",") if name.strip()]


def frame_of(packet: Packet | bytes) -> bytes:
    return bytes(packet)


def run_alike(
    runner: Runner,
    bundle: bytes,
    packets: Iterable[Packet | bytes],
    presets: Sequence[Preset] = (),
    *,
    clocked: Collection[str] = (),
) -> Run:
    """Run everywhere; what differs fails the test, but for the contents of maps that hold times (`clocked`)."""
    frames = [frame_of(packet) for packet in packets]
    runs = [in_engine(runner, bundle, frames, presets, engine) for engine in ENGINES]
    if kernel_oracle.available():
        runs.append(in_linux(bundle, frames, presets))
    first = runs[0]
    for other in runs[1:]:
        assert other.codes == first.codes
        assert other.frames == first.frames
        for name in first.maps.keys() - set(clocked):
            assert other.maps[name] == first.maps[name], name
        for name in first.records.keys() - set(clocked):
            assert other.records[name] == first.records[name], name
    return first


def in_engine(runner: Runner, bundle: bytes, frames: Sequence[bytes], presets: Sequence[Preset], engine: str) -> Run:
    reports = runner.run(bundle, frames, engine=engine, presets=presets)
    assert [report["trap"] for report in reports] == [None] * len(frames)
    rings = {spec.name for spec in decode(bundle).maps if spec.type == MapType.RINGBUF}
    tables = {name: table["entries"] for name, table in reports[-1]["maps"].items()}
    return Run(
        codes=[report["verdict_code"] for report in reports],
        frames=[bytes.fromhex(report["packet"]) for report in reports],
        ports=[report["redirect_port"] for report in reports],
        maps={
            name: {bytes.fromhex(row["key"]): bytes.fromhex(row["value"]) for row in rows}
            for name, rows in tables.items()
            if name not in rings
        },
        records={name: [bytes.fromhex(row["value"]) for row in tables[name]] for name in rings},
    )


def in_linux(bundle: bytes, frames: Sequence[bytes], presets: Sequence[Preset]) -> Run:
    loaded = Loaded.of(bundle)
    loaded.begin_anew()
    kernel = loaded.kernel
    for name, key, value in presets:
        kernel.set(name, key, value)
    done = [kernel.run(frame) for frame in frames]
    return Run(
        codes=[run.code for run in done],
        frames=[run.packet for run in done],
        ports=[None] * len(done),
        maps=loaded.tables(),
        records={name: kernel.records(name) for name in loaded.rings},
    )


@dataclass
class Loaded:
    """A program in the kernel, whose maps begin anew with each run: Linux takes a second to verify the larger ones."""

    bundle: bytes
    kernel: kernel_oracle.Oracle
    rings: list[str]
    first: dict[str, dict[bytes, bytes]]

    last: ClassVar["Loaded | None"] = None

    @classmethod
    def of(cls, bundle: bytes) -> "Loaded":
        """The same as before for the same bundle."""
        if cls.last and cls.last.bundle != bundle:
            cls.last.kernel.__exit__()
            cls.last = None
        if not cls.last:
            decoded = decode(bundle)
            rings = [spec.name for spec in decoded.maps if spec.type == MapType.RINGBUF]
            cls.last = cls(bundle, kernel_oracle.Oracle(bundle=decoded).__enter__(), rings, {})
            cls.last.first = cls.last.tables()
        return cls.last

    def tables(self) -> dict[str, dict[bytes, bytes]]:
        found = {}
        for spec in self.kernel.bundle.maps:
            if spec.name not in self.rings:
                rows = self.kernel.entries(spec.name)
                found[spec.name] = {bytes.fromhex(key): bytes.fromhex(value) for key, value in rows.items()}
        return found

    def begin_anew(self) -> None:
        for name in self.rings:
            self.kernel.forget_records(name)
        apart = {spec.name for spec in self.kernel.bundle.maps if spec.type in kernel_oracle.PER_CPU}
        for name, rows in self.tables().items():
            if name in apart:  # a program's own notes, which it does not read before it wrote them
                continue
            for key, value in rows.items():
                before = self.first[name].get(key)
                if before is None:
                    self.kernel.delete(name, key)
                elif before != value:
                    self.kernel.set(name, key, before)


def cut_short(frames: Iterable[Packet | bytes]) -> list[bytes]:
    """Every frame cut after each byte that Linux's test run takes."""
    return [frame[:size] for frame in map(frame_of, frames) for size in range(LEAST_BYTES, len(frame))]
