"""A guest that hangs or crashes: named, restarted where it is to be, with what was good there; it holds up nobody else."""

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


async def test_what_a_guest_booted_with_is_what_it_boots_with_after_a_newer_release_was_refused(bench):
    good = await bench.release(filter_bundle(2))
    await bench.apply(spec(guest="g1", machine="process"))
    first = await bench.running("g1")
    outcomes = bench.paths.guests / "g1" / "outcomes.json"
    await bench.when(
        "g1", lambda _: outcomes.exists() and good.envelope in outcomes.read_text(), "the record of its boot"
    )
    await bench.release(b"this is no bundle")
    await bench.event("g1", "failed")
    os.kill(first.pid, signal.SIGKILL)
    await bench.when("g1", lambda it: it.state == "running" and it.pid != first.pid, "another boot")
    assert bench.boot("g1").programs["fw"].envelope == good.envelope
