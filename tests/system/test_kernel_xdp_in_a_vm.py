"""Compiled XDP programs in a virtual machine and random ones end as in the Linux kernel: verdicts, packets, maps, both engines.

The kernel runs first; what is left of it is a hash over all verdicts and packets so far, at every fiftieth packet, and entries
of its maps. The image says the same of its own runs (tests/image/streams.cpp).
"""

import random
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cbor2
import pytest

from services.verifier.frontend import frontend
from tests.conformance.test_random_programs import program
from tests.support.folders import short_folder
from tests.support.guests.qemu import MACHINES, running_vm
from tests.support.kernel import kernel_oracle
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.programs.packets import random_packets
from tests.support.programs.programs import compiled as compiled_program
from tests.support.programs.vnf import bundle_of as bundle_of_source
from tests.support.programs.xdp_programs import PRESETS, PROGRAMS, REFERRING, compiled
from unibpf.formats.bpf import RINGS
from unibpf.formats.bundle import decode
from unibpf.host.settings import REPOSITORY

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")

PACKETS = random_packets(random.Random("vm"), 800)
SAID_EVERY = 50
RANDOM_PROGRAMS = range(100, 160)
ENGINES = ("interpreter", "jit")
CATALOGUE = [REPOSITORY / f"vnfs/{name}/program.c" for name in ("firewall", "ratelimit")]
LINKED = ("pass", "drop", "parse", "globals", "subprograms", "loops", "maps")
LINE = re.compile(r"^(?:stream|case) (\d+) (interpreter|jit) (.*)$", re.MULTILINE)
MOST_ENTRIES, MOST_HEX = 150, 12_000  # that the image takes, and that its line has room for

Preset = tuple[str, bytes, bytes]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A program, the entries that it begins with, and what the kernel made of it."""

    name: str
    bundle: bytes
    presets: Sequence[Preset]
    hashes: Sequence[str]
    values: dict[tuple[str, str], str]  # hex, by map and key

    def row(self) -> list[object]:
        wanted = [[name, bytes.fromhex(key)] for name, key in self.values]
        return [self.bundle, [list(preset) for preset in self.presets], wanted]

    def words(self) -> list[str]:
        return [str(len(PACKETS)), ",".join(self.hashes), *self.values.values()]


def bundles() -> Iterator[tuple[str, bytes]]:
    for source in PROGRAMS:
        yield source.stem, compiled(source)
    for source in CATALOGUE:
        if source.parent.name != "ratelimit":  # it looks at the clock
            yield source.parent.name, bundle_of_source(source)
    for name in LINKED:
        yield f"linked {name}", frontend.translate(compiled_program(name), frontend.Options()).bundle


def in_kernel(name: str, data: bytes) -> Stream:
    presets, bundle = PRESETS.get(name, []), decode(data)
    hashes, value = [], 0xCBF29CE484222325  # FNV-1a, as the image's
    with kernel_oracle.Oracle(bundle=bundle) as kernel:
        for preset in presets:
            kernel.set(*preset)
        for number, packet in enumerate(PACKETS, 1):
            run = kernel.run(packet)
            for byte in struct.pack("<IH", run.code, len(run.packet)) + run.packet:
                value = (value ^ byte) * 0x100000001B3 & 0xFFFF_FFFF_FFFF_FFFF
            if number % SAID_EVERY == 0:
                hashes.append(f"{value:x}")
        comparable = [spec.name for spec in bundle.maps if spec.type not in REFERRING | RINGS]
        found = {(map_, key): entry for map_ in comparable for key, entry in sorted(kernel.entries(map_).items())}
    values: dict[tuple[str, str], str] = {}
    for at, entry in list(found.items())[:MOST_ENTRIES]:
        if sum(map(len, values.values())) + len(entry) <= MOST_HEX:
            values[at] = entry
    return Stream(name=name, bundle=data, presets=presets, hashes=hashes, values=values)


def answers(order: list[object], last: str, bin_directory: Path) -> dict[tuple[int, str], list[str]]:
    """What the image says, in words, by number and engine."""
    image = cbor2.dumps(order, canonical=True)
    kernel = bin_directory / "unibpf-test-image.elf"
    with (
        short_folder() as folder,
        running_vm(machine=MACHINES["microvm-legacy"], kernel=kernel, image=image, folder=folder) as vm,
    ):
        said = vm.wait_for(last, seconds=180)
    return {(int(number), engine): words.split() for number, engine, words in LINE.findall(said)}


def test_every_stream_of_packets_ends_as_in_the_kernel(bin_directory: Path) -> None:
    streams = [in_kernel(name, data) for name, data in bundles()]
    found = answers([[stream.row() for stream in streams], PACKETS], "streams done", bin_directory)
    assert found.keys() == {(number, engine) for number in range(len(streams)) for engine in ENGINES}
    for (number, engine), words in found.items():
        stream, expected = streams[number], streams[number].words()
        assert words[0] == expected[0], (stream.name, engine, words)
        same = [ours == theirs for ours, theirs in zip(words[1].split(","), stream.hashes, strict=True)]
        assert all(same), (
            stream.name,
            engine,
            f"differs within {SAID_EVERY} packets from {SAID_EVERY * same.index(False)}",
        )
        assert dict(zip(stream.values, words[2:], strict=True)) == stream.values, (stream.name, engine)
    assert sum(len(stream.values) for stream in streams) > 200
    assert len(streams) * len(PACKETS) * len(ENGINES) > 30_000


def test_every_random_program_ends_as_in_the_kernel(bin_directory: Path) -> None:
    assembler = Assembler(bin_directory / "unibpf-run")
    data = [bundle_of(assembler.assemble(program(random.Random(seed), assembler.rows))[0]) for seed in RANDOM_PROGRAMS]
    codes = []
    for one in data:
        with kernel_oracle.Oracle(bundle=decode(one)) as kernel:
            codes.append(kernel.run(bytes(64)).code)
    found = answers([[[one, bytes(64), []] for one in data]], "cases done", bin_directory)
    assert found.keys() == {(number, engine) for number in range(len(data)) for engine in ENGINES}
    for (number, engine), words in found.items():
        assert (words[0], int(words[1], 16) & 0xFFFF_FFFF) == ("exit", codes[number]), (RANDOM_PROGRAMS[number], engine)
