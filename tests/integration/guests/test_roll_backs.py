"""Roll-backs of a real guest: after a reboot too, when it has no earlier program loaded; and the way forward again."""

import os
import signal

import pytest

from tests.support.guests.guests import Bench, filter_bundle, spec
from unibpf.bus.topology import SETBACKS
from unibpf.client import guests
from unibpf.client.rollbacks import roll_back
from unibpf.messages.programs import Probation


@pytest.fixture
async def bench(nats, bin_directory, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIBPF_LOOK", "1")
    async with Bench.with_services(nats, bin_directory, tmp_path) as made:
        yield made


async def element(bench):
    status = await guests.status(bench.cli, await bench.observed("g1"))
    return next(one for one in status.elements if one.name == "fw")


async def test_after_a_reboot_a_guest_goes_back_to_the_release_that_its_host_has(bench):
    good = await bench.release(filter_bundle(2))
    await bench.apply(spec(machine="process"))
    first = await bench.running("g1")
    (alone,) = (await roll_back(bench.cli, "g1", "fw")).elements
    assert "nothing-previous" in alone.problem and (await bench.observed("g1")).pid == first.pid, "no other was good"

    bad = await bench.release(filter_bundle(1))
    await bench.event("g1", "active")
    os.kill(first.pid, signal.SIGKILL)
    again = await bench.when("g1", lambda it: it.is_live and it.restarts == 1, "a reboot")
    assert (await element(bench)).previous is None and (await element(bench)).sequence == bad.sequence

    (done,) = (await roll_back(bench.cli, "g1", "fw")).elements
    assert (done.problem, done.already, done.sequence) == (None, False, good.sequence)
    assert (await element(bench)).sequence == good.sequence
    assert (await bench.observed("g1")).pid != again.pid
    told = await bench.event("g1", "rolled_back")
    assert (told.rule, told.sequence, told.push_id) == ("asked", good.sequence, bad.push_id)
    assert "booted anew" in told.reason
    assert await (await bench.cli.kv(SETBACKS)).get(bad.envelope) is not None

    (twice,) = (await roll_back(bench.cli, "g1", "fw")).elements
    assert twice.already and twice.sequence == good.sequence
    await bench.when("g1", lambda it: it.state == "running", "a guest that runs")
    newer = await bench.release(filter_bundle(1), probation=Probation(time_ms=50, packets=1, counts_aborted=True))
    assert (await bench.event("g1", "active", number=2)).envelope == newer.envelope
