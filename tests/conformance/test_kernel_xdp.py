"""Compiled XDP programs end alike in guest and kernel: verdict, packet and maps, over a stream of random packets."""

import random
import subprocess
from pathlib import Path

import pytest

from services.verifier import frontend
from tests.support import kernel_oracle
from tests.support.bundles import ENGINES, Runner
from tests.support.packets import random_packets
from unibpf.bundle import decode

PROGRAMS = sorted((Path(__file__).parent / "xdp").glob("*.c"))
PACKETS = 2000
# Entries that are there before the first packet: index 2 leads to port 1, which is the kernel's loopback device.
PRESETS = {
    "devices": [
        ("ports", bytes([2, 0, 0, 0]), bytes([1, 0, 0, 0])),
        ("sparse", bytes([3, 0, 0, 0]), bytes([1, 0, 0, 0, 0, 0, 0, 0])),
    ],
}
RINGBUF, REFERRING = 27, (3, 4, 12, 13)  # what programs and maps are to the kernel differs from what they are here

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")


def compiled(source: Path, directory: Path) -> bytes:
    """Return the bundle of a C program."""
    target = directory / "program.o"
    include = "/usr/include/x86_64-linux-gnu"
    command = [
        "clang-19",
        "-target",
        "bpf",
        "-mcpu=v4",
        "-O2",
        "-g",
        "-Wall",
        "-Werror",
        "-I",
        include,
        "-c",
        source,
        "-o",
        target,
    ]
    subprocess.run(command, check=True)
    return frontend.translate(target.read_bytes(), frontend.Options(function=source.stem)).bundle


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_guest_and_kernel_end_alike(source: Path, engine: str, tmp_path: Path, runner: Runner) -> None:
    data = compiled(source, tmp_path)
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
            if spec.type == RINGBUF:
                assert [entry["value"] for entry in entries] == [record.hex() for record in kernel.records(spec.name)]
            elif spec.type not in REFERRING:
                assert {entry["key"]: entry["value"] for entry in entries} == kernel.entries(spec.name), spec.name


def test_every_program_gives_more_than_one_verdict(tmp_path: Path, runner: Runner) -> None:
    for source in PROGRAMS:
        reports = runner.run(compiled(source, tmp_path), random_packets(random.Random(source.stem), PACKETS))
        assert len({report["verdict_code"] for report in reports}) > 1, source.stem
