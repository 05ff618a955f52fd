"""Compiled XDP programs end alike in guest and kernel: verdict, packet and maps, over a stream of random packets."""

import random
from pathlib import Path

import pytest

from tests.support.kernel import kernel_oracle
from tests.support.programs.bundles import ENGINES, Runner
from tests.support.programs.packets import random_packets
from tests.support.programs.xdp_programs import PER_CPU, PRESETS, PROGRAMS, REFERRING, compiled
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import decode

PACKETS = 2000

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_guest_and_kernel_end_alike(source: Path, engine: str, runner: Runner) -> None:
    data = compiled(source)
    packets = random_packets(random.Random(source.stem), PACKETS)
    presets = PRESETS.get(source.stem, [])
    reports = runner.run(data, packets, engine=engine, presets=presets)
    bundle = decode(data)
    with kernel_oracle.Oracle(bundle=bundle) as kernel:
        for name, key, value in presets:
            kernel.set(name, key, value)
        for number, (packet, report) in enumerate(zip(packets, reports, strict=True)):
            run = kernel.run(packet)
            assert report["trap"] is None, number
            assert (report["verdict_code"] & 0xFFFF_FFFF, report["packet"]) == (run.code, run.packet.hex()), number
        for spec in bundle.maps:
            entries = reports[-1]["maps"][spec.name]["entries"]
            if spec.type == MapType.RINGBUF:
                assert [entry["value"] for entry in entries] == [record.hex() for record in kernel.records(spec.name)]
            elif spec.type == MapType.PERF_EVENT_ARRAY:
                records = [bytes.fromhex(entry["value"]) for entry in entries]
                padded = [record.ljust((len(record) + 4 + 7) // 8 * 8 - 4, b"\0") for record in records]
                assert [
                    one[: len(ours)] for one, ours in zip(kernel.events(spec.name), records, strict=True)
                ] == records
                assert [len(one) for one in kernel.events(spec.name)] == [len(one) for one in padded]
            elif spec.type not in (*REFERRING, *PER_CPU):
                assert {entry["key"]: entry["value"] for entry in entries} == kernel.entries(spec.name), spec.name


def test_every_program_gives_more_than_one_verdict(runner: Runner) -> None:
    for source in PROGRAMS:
        reports = runner.run(compiled(source), random_packets(random.Random(source.stem), PACKETS))
        assert len({report["verdict_code"] for report in reports}) > 1, source.stem
