"""A guest that does not answer is named, restarted where its file says so, and holds up nobody else."""

import os
import signal
import time

import pytest

from tests.support.guests.guests import Bench, filter_bundle, is_alive, spec


@pytest.fixture
async def bench(nats, bin_directory, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIBPF_LOOK", "1")
    monkeypatch.setenv("UNIBPF_COAP_TIMEOUT", "1")
    async with Bench.with_services(nats, bin_directory, tmp_path) as made:
        await made.release(filter_bundle(2))
        yield made


async def test_a_guest_that_hangs_is_unresponsive_until_it_answers_again(bench):
    await bench.apply(spec(guest="g1", machine="process"))
    await bench.apply(spec(guest="g2", machine="process"))
    hung, well = await bench.running("g1"), await bench.running("g2")
    await bench.when("g1", lambda _: bench.paths.guests.joinpath("g1", "liveness.json").exists(), "a first answer")
    os.kill(hung.pid, signal.SIGSTOP)
    seen = await bench.when("g1", lambda it: it.state == "unresponsive", "a guest that hangs")
    assert "does not answer" in seen.reason and seen.pid == hung.pid and is_alive(hung.pid)

    started = time.monotonic()
    release = await bench.release(filter_bundle(1))
    event = await bench.event("g2", "active")
    assert event.envelope == release.envelope and time.monotonic() - started < 2.0
    assert (await bench.observed("g2")).pid == well.pid

    os.kill(hung.pid, signal.SIGCONT)
    await bench.when("g1", lambda it: it.state == "running" and it.pid == hung.pid, "the same guest, well again")
    assert (await bench.event("g1", "active")).envelope == release.envelope


async def test_a_guest_that_hangs_is_restarted_where_its_file_says_so(bench):
    await bench.apply(spec(guest="g1", machine="process", on_hang="restart"))
    hung = await bench.running("g1")
    await bench.when("g1", lambda _: bench.paths.guests.joinpath("g1", "liveness.json").exists(), "a first answer")
    os.kill(hung.pid, signal.SIGSTOP)
    await bench.when("g1", lambda it: it.state == "running" and it.pid != hung.pid, "another boot")
    assert not is_alive(hung.pid)
