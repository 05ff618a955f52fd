"""Map entries that are asked for: they are in a real guest's maps before it is called running, and are counted and shown."""

import os
import signal

import pytest

from tests.support.guests.guests import Bench, filter_bundle, spec
from tests.support.services.services import eventually
from unibpf import subjects
from unibpf.bus.topology import MAPS
from unibpf.client import guests
from unibpf.client.maps import view
from unibpf.formats import bundle
from unibpf.formats.bpf import MapType
from unibpf.formats.envelope import MapPolicy
from unibpf.messages.desired_maps import DesiredMap
from unibpf.messages.guests import GuestEvent

WEIGHT = "struct{u32 weight;u32 hits;}"
RESET = (MapPolicy(map="weights", policy="reset"),)


def program(*, weight: str = WEIGHT, entries: int = 8, verdict: int = 2) -> bytes:
    """A filter with three maps that it leaves alone."""
    code = bytes([0xB7, 0, 0, 0, verdict, 0, 0, 0]) + bytes([0x95, 0, 0, 0, 0, 0, 0, 0])
    size = weight.count("u32") * 4
    maps = (
        bundle.BundleMap(name="nets", type=MapType.LPM_TRIE, key_size=8, value_size=4, max_entries=8, flags=1),
        bundle.BundleMap(name="places", type=MapType.ARRAY, key_size=4, value_size=4, max_entries=4),
        bundle.BundleMap(
            name="weights", type=MapType.HASH, key_size=4, value_size=size, max_entries=entries, layout=f"u32=>{weight}"
        ),
    )
    made = bundle.Bundle(name="firewall", kind="filter", code=code, maps=maps, outputs=2)
    return bundle.encode(made)


def desired(name: str, *entries, element: str = "fw") -> DesiredMap:
    return DesiredMap(element=element, map=name, entries=list(entries))


class Maps(Bench):
    """The same, with hands in maps."""

    async def entries(self, name):
        dump = await (await view(self.cli, "g1", "fw", name)).dump()
        return {str(one.key_fields): one.fields or one.value for one in dump.entries}

    async def weights(self):
        return {key: value["weight"] for key, value in (await self.entries("weights")).items()}

    async def set(self, key, value, name="weights", **options):
        return await (await view(self.cli, "g1", "fw", name)).change([(key, value)], "any", **options)

    async def whole(self, count, *, other_than=None):
        """The guest runs and has so many entries."""
        return await self.when(
            "g1",
            lambda it: it.state == "running" and it.pid != other_than and it.maps and it.maps.put_back == count,
            f"a guest with {count} entries put back",
        )

    async def crash(self):
        seen = await self.observed("g1")
        os.kill(seen.pid, signal.SIGKILL)
        return seen.pid


@pytest.fixture
async def bench(nats, bin_directory, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIBPF_LOOK", "1")
    async with Maps.with_services(nats, bin_directory, tmp_path) as made:
        yield made


def process(**changes):
    return spec(machine="process", **changes)


async def test_entries_of_the_guest_file_are_there_before_it_runs_and_after_every_boot(bench):
    await bench.release(program())
    async with await bench.cli.follow(
        [subjects.guest_state(state, "g1") for state in ("booting", "running", "degraded")]
    ) as follower:
        wanted = [desired("weights", (1, {"weight": 7}), (2, {"weight": 9})), desired("nets", ("10.0.0.0/8", 5))]
        seen = await guests.apply(bench.cli, process(maps=wanted), wait=True, timeout=20)
        assert (seen.state, seen.maps.desired, seen.maps.put_back, seen.maps.problems) == ("running", 3, 3, [])
        told = [(await follower.next()).decode(GuestEvent) for _ in range(2)]
    assert [(one.state, one.maps and one.maps.put_back) for one in told] == [("booting", None), ("running", 3)]
    assert await bench.weights() == {"1": 7, "2": 9}
    assert await bench.entries("nets") == {"10.0.0.0/8": "05000000"}

    pid = await bench.crash()
    await bench.when("g1", lambda it: it.state == "running" and it.pid != pid, "another boot")
    assert await bench.weights() == {"1": 7, "2": 9}

    second = await bench.observed("g1")
    await bench.set(1, {"weight": 70})  # by hand, not kept: it stays until the next boot
    changed = process(maps=[desired("weights", (1, {"weight": 7}), (3, {"weight": 1}))])
    assert (await guests.apply(bench.cli, changed, wait=True, timeout=20)).pid == second.pid
    assert await bench.weights() == {"1": 70, "3": 1}
    await bench.apply(process(maps=[]))
    await eventually(lambda: emptied(bench), what="an empty map")
    assert (await bench.observed("g1")).pid == second.pid, "other entries boot nothing anew"


async def emptied(bench):
    return True if await bench.weights() == {} else None


async def test_what_is_set_to_be_kept_comes_back_and_what_is_deleted_so_does_not(bench, nats):
    await bench.release(program())
    await guests.apply(bench.cli, process(maps=[desired("weights", (1, {"weight": 7}))]), wait=True, timeout=20)
    assert (await bench.set(1, {"weight": 8, "hits": 1}, keep=True)).kept == 1
    assert (await bench.set("hex:02000000", "hex:0900000000000000", keep=True)).kept == 2
    await bench.set(3, {"weight": 3})  # not kept
    assert (await bench.set("10.1.0.0/16", 6, name="nets", keep=True)).kept == 1
    assert (await bench.set(2, 5, name="places", keep=True)).kept == 1
    await bench.whole(4, other_than=await bench.crash())
    assert await bench.weights() == {"1": 8, "2": 9}
    assert await bench.entries("nets") == {"10.1.0.0/16": "06000000"}
    assert (await bench.entries("places"))["2"] == "05000000"

    assert (await bench.set(2, None, keep=True)).kept == 1
    assert (await bench.set(1, None, keep=True)).kept == 0, "the file's is taken back too"
    await bench.whole(2, other_than=await bench.crash())
    assert await bench.weights() == {}

    async with nats.buses("operator") as (operator,):
        await operator.jetstream.purge_stream(f"KV_{MAPS}")
    await bench.whole(2, other_than=await bench.crash())
    assert await bench.entries("nets") == {"10.1.0.0/16": "06000000"}, "a lost record is no command"
    assert await guests.delete(bench.cli, "g1", wait=True, timeout=20)
    await guests.apply(bench.cli, process(), wait=True, timeout=20)
    assert await bench.entries("nets") == {}, "a deleted guest leaves none"


async def test_a_swap_that_empties_a_map_has_its_entries_put_back_by_the_fields_of_its_new_layout(bench):
    await bench.release(program())
    await guests.apply(bench.cli, process(maps=[desired("weights", (1, {"weight": 7}))]), wait=True, timeout=20)
    assert (await bench.set(2, {"weight": 9}, keep=True)).kept == 1
    await bench.whole(2)
    await bench.set(1, {"weight": 70})
    kept = await bench.release(program(verdict=1))
    assert (await bench.event("g1", "active", number=1)).envelope == kept.envelope
    assert await bench.weights() == {"1": 70, "2": 9}, "a map that is kept is left alone"
    await bench.release(program(weight="struct{u32 hits;u32 more;u32 weight;}"), maps=RESET)
    await bench.event("g1", "active", number=2)
    assert await bench.weights() == {"1": 7, "2": 9}, "there when its activation is told"


async def test_entries_that_no_map_takes_degrade_the_guest_and_say_why_until_one_does(bench):
    await bench.release(program(entries=1))
    wanted = [
        desired("weights", (1, {"weight": 7}), (2, {"weight": 9})),
        desired("absent", (1, 1)),
        desired("places", (1, {"weight": 7})),
        desired("weights", (1, 1), element="nobody"),
    ]
    seen = await guests.apply(bench.cli, process(maps=wanted), wait=True, timeout=20)
    assert seen.state == "degraded"
    for text in ("E2BIG", "no map `absent`", "has no layout here", "no such element"):
        assert text in seen.reason, seen.reason
    assert (seen.maps.desired, seen.maps.put_back, len(seen.maps.problems)) == (5, 1, 4)
    await bench.apply(process(maps=wanted[:1]))
    await bench.when("g1", lambda it: it.state == "degraded" and "absent" not in it.reason, "one reason less")
    await bench.release(program(entries=4), maps=RESET)
    await bench.whole(2)


async def test_entries_wait_for_the_first_program(bench):
    await bench.apply(process(maps=[desired("weights", (1, {"weight": 7}))]))
    seen = await bench.when("g1", lambda it: it.state == "degraded", "a guest without a program")
    assert "was never pushed" in seen.reason and "no program yet" in seen.reason
    await bench.release(program())
    await bench.whole(1)
    assert await bench.weights() == {"1": 7}
    await bench.release(filter_bundle(1))
    seen = await bench.when("g1", lambda it: it.state == "degraded", "a program without the map")
    assert "has no map `weights`" in seen.reason
