"""A ring of a real guest through reconfigurer and command line: what packets leave there is read once, in order."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.guests.guests import Bench, spec
from tests.support.programs.programs import bundle_of_source
from unibpf import subjects
from unibpf.messages.guests import GuestObserved
from unibpf.messages.maps import MapDump, MapQuery

ROOM = 4096 // 16  # records of eight bytes with their headers
SOURCE = """
typedef unsigned int u32; typedef unsigned long long u64;
struct xdp_md { u32 data, data_end; };
#define SEC(name) __attribute__((section(name), used))
struct { int (*type)[27]; int (*max_entries)[4096]; } events SEC(".maps");
struct { int (*type)[2]; int (*max_entries)[1]; u32 *key; u64 *value; } count SEC(".maps");
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;

SEC("xdp") int firewall(struct xdp_md *ctx)
{
    u32 key = 0;
    u64 *number = lookup(&count, &key);
    if (!number)
        return 1;
    ++*number;
    output(&events, number, sizeof *number, 0);
    return 2;
}
"""


@pytest.fixture
async def guest(nats, bin_directory, tmp_path):
    """A running guest with that program, its services, and the state directory of a user."""
    async with Bench.with_services(nats, bin_directory, tmp_path) as bench:
        await bench.release(bundle_of_source(SOURCE, name="firewall"))
        await bench.apply(spec(machine="process"))
        yield await bench.running("g1")


async def send(nats, guest: GuestObserved, bin_directory: Path, *, rate: int, seconds: float) -> int:
    """Packets from the generator; how many the program has seen so far, by its own count."""
    inside, outside = (guest.networks[nic].removeprefix("unix:") for nic in ("in0", "out0"))
    words = ["--tx", inside, "--rx", outside, "--port", "53", "--rate", str(rate), "--seconds", str(seconds)]
    process = await asyncio.create_subprocess_exec(bin_directory / "unibpf-pktgen", *words, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0
    ((_, value),) = (await dump(nats, "count")).entries
    return int.from_bytes(bytes.fromhex(value), "little")


async def dump(nats, name: str) -> MapDump:
    async with nats.buses("cli") as (cli,):
        return await cli.request(subjects.map_dump("local"), MapQuery(guest="g1", element="fw", map=name), MapDump)


async def drain(nats) -> tuple[list[int], str]:
    """`unibpf map drain` of the ring: the numbers in its records, and what it said on stderr."""
    words = [sys.executable, "-m", "unibpf.cli", "map", "drain", "g1", "fw", "events", "--json"]
    environment = {**os.environ, **nats.environment()}
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    records = [bytes.fromhex(json.loads(line)["record"]) for line in out.splitlines()]
    return [int.from_bytes(record, "little") for record in records], err.decode()


async def test_every_record_is_read_once_and_in_order_and_what_found_the_ring_full_is_counted(
    nats, guest, bin_directory
):
    seen = await send(nats, guest, bin_directory, rate=200, seconds=0.4)
    assert 0 < seen < ROOM
    assert await drain(nats) == (list(range(1, seen + 1)), "")
    assert await drain(nats) == ([], "")

    more = await send(nats, guest, bin_directory, rate=2000, seconds=0.5)
    numbers, said = await drain(nats)
    assert numbers == list(range(seen + 1, seen + 1 + len(numbers)))
    assert 0 < len(numbers) <= ROOM < more - seen
    assert f"{more - seen - len(numbers)} records were lost" in said


async def test_a_dump_of_a_ring_takes_nothing_out_of_it(nats, guest, bin_directory):
    seen = await send(nats, guest, bin_directory, rate=200, seconds=0.2)
    for _ in range(2):
        ring = await dump(nats, "events")
        assert (len(ring.entries), ring.next, ring.lost) == (seen, 0, 0)
