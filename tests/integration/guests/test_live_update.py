"""Deployer and reconfigurer with the real guest: boots signed, is updated while it runs, comes back with the newest release."""

import os
import signal

import pytest

from tests.support.guests.guests import Bench, filter_bundle, spec
from unibpf import subjects
from unibpf.formats import boot_image
from unibpf.host.guest_folder import GuestFolder
from unibpf.messages.elements import ElementEvent, RollbackQuery
from unibpf.messages.status import GuestQuery, GuestStatus

HOST = "local"


@pytest.fixture
async def stack(nats, bin_directory, tmp_path):
    """Both services, a signer, hands; the guest is the one of the build."""
    async with Bench.with_services(nats, bin_directory, tmp_path) as bench:
        yield bench


async def status(stack) -> GuestStatus:
    return await stack.cli.request(subjects.guest_status(HOST), GuestQuery(guest="g1"), GuestStatus)


async def element(stack):
    return next(element for element in (await status(stack)).elements if element.name == "fw")


@pytest.mark.parametrize("machine", ["process", "microvm", "q35"])
async def test_a_guest_boots_with_its_release_and_takes_the_next_one_while_it_runs(stack, machine):
    first = await stack.release(filter_bundle(1))
    await stack.apply(spec(machine=machine))
    await stack.running("g1")
    assert (await element(stack)).envelope == first.envelope

    second = await stack.release(filter_bundle(2))
    active = await stack.event("g1", "active")
    assert (active.envelope, active.already, active.packets_lost) == (second.envelope, False, 0)
    assert {"signature", "load"} <= {name for name, _, _ in active.steps + (await stack.event("g1", "staged")).steps}
    now = await element(stack)
    assert (now.envelope, now.previous and now.previous.envelope) == (second.envelope, first.envelope)
    assert GuestFolder(stack.paths.guests, "g1").floors()["fw"] == second.sequence


async def test_a_killed_guest_comes_back_with_the_release_it_had(stack):
    await stack.release(filter_bundle(1))
    await stack.apply(spec(machine="microvm"))
    first = await stack.running("g1")
    second = await stack.release(filter_bundle(2))
    await stack.event("g1", "active")
    os.kill(first.pid, signal.SIGKILL)
    await stack.when("g1", lambda it: it.state == "running" and it.restarts == 1)
    assert (await element(stack)).envelope == second.envelope


async def test_rollback_brings_the_previous_program_back(stack):
    first = await stack.release(filter_bundle(1))
    await stack.apply(spec(machine="process"))
    await stack.running("g1")
    await stack.release(filter_bundle(2))
    await stack.event("g1", "active")
    ask = RollbackQuery(guest="g1", element="fw")
    back = await stack.cli.request(subjects.rollback(HOST), ask, ElementEvent)
    assert (back.state, back.envelope) == ("rolled_back", first.envelope)
    assert (await element(stack)).envelope == first.envelope


@pytest.mark.parametrize(
    ("fields", "rule"),
    [({"kind": "rewriter"}, "kind"), ({"length": 7}, "bundle-length"), ({"bundle": bytes(32)}, "bundle-digest")],
    ids=["another_kind", "another_length", "another_digest"],
)
async def test_a_bad_release_fails_with_the_guests_rule_and_the_old_program_goes_on(stack, fields, rule):
    first = await stack.release(filter_bundle(1))
    await stack.apply(spec(machine="process"))
    await stack.running("g1")
    await stack.release(filter_bundle(2), **fields)
    failed = await stack.event("g1", "failed")
    assert failed.rule == rule
    assert (await element(stack)).envelope == first.envelope


async def test_an_older_release_is_refused_by_its_sequence(stack):
    await stack.apply(spec(machine="process"))
    await stack.running("g1")
    second = await stack.release(filter_bundle(2))
    await stack.event("g1", "active")
    await stack.release(filter_bundle(1), sequence=second.sequence - 1)
    assert (await stack.event("g1", "failed")).rule == "sequence"
    assert (await element(stack)).envelope == second.envelope


async def test_a_guest_whose_graph_is_wrong_fails_with_its_own_words(stack):
    await stack.apply(spec(machine="process", graph="c :: Control; Nonsense -> Discard;"))
    failed = await stack.when("g1", lambda it: it.state == "failed")
    assert "Nonsense" in failed.reason


async def test_the_signers_key_is_pinned_at_boot(stack):
    await stack.apply(spec(machine="process"))
    await stack.running("g1")
    boot = stack.boot("g1")
    image = boot_image.decode(GuestFolder(stack.paths.guests, "g1").image_file(boot.boot_id).read_bytes())
    assert [key.kid for key in image.signers] == [stack.signer.trusted.kid]
