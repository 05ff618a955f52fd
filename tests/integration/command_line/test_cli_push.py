"""`unibpf push` under the identity of a CI job, and `unibpf rollback`: a real server that enforces who may what.

The test plays verifier and signer; the reconfigurer is the real one, its guest is the one for tests.
"""

import asyncio

import msgspec
import pytest

from tests.integration.test_reconfigurer import Bench, listens
from tests.support.guests import fake_guest
from tests.support.services.cli import Cli
from tests.support.services.promises import PROGRAM, promise
from tests.support.services.services import eventually, running
from unibpf import subjects
from unibpf.host.outcomes import OutcomeFile
from unibpf.messages.operations import DeadLetter
from unibpf.messages.programs import Refused, Verdict
from unibpf.messages.reports import Finding, Report


class Pipeline(Bench):
    """What happens to the uploads of `ci`: the test decides."""

    def __init__(self, nats, *buses):
        super().__init__(nats, *buses[:3])
        self.verifier, self.nats = buses[3], nats
        key = {"UNIBPF_NKEY_FILE": str(nats.paths.keys / "ci.nk")}
        self.ci = Cli(nats.paths.root, nats.environment() | key)
        self.person = Cli(nats.paths.root, nats.environment())

    async def pushed(self, *words, cli=None):
        """The command as it runs, and the id of its upload."""
        async with await self.cli.follow([subjects.upload("*", "firewall")]) as uploads:
            process = (cli or self.ci).start("push", str(PROGRAM), "--json", "--timeout", "30", *words)
            await uploads.next(20)

        async def stored():
            return (await self.nats_info("UNIBPF_UPLOADS")).last_seq or None

        return process, f"UNIBPF_UPLOADS:{await eventually(stored)}"

    async def nats_info(self, stream):
        async with await self.nats.connect("operator") as operator:
            return (await operator.jetstream.stream_info(stream)).state

    async def verdict(self, push_id, kind="safe", report=None):
        found = Verdict(
            push_id=push_id, identity="ci", program="firewall", audience="edge", verdict=kind, object="0" * 64,
            report=report or "0" * 64, verdict_digest="0" * 64, verifier="unibpf", version="0", options_digest="0" * 64,
        )  # fmt: skip
        subject = subjects.verified if kind == "safe" else subjects.rejected
        return await self.verifier.publish(subject("firewall"), found)

    async def answered(self, process):
        answer = await asyncio.to_thread((self.ci).finish, process, ok=False)
        return answer, (answer.json if answer.code == 0 else promise(answer.code, answer.out, answer.err))


@pytest.fixture
async def pipeline(nats):
    async with nats.buses("signer", "deployer", "cli", "verifier") as buses:
        yield Pipeline(nats, *buses)


@pytest.fixture
async def guest(nats, pipeline, tmp_path):
    environment = nats.environment() | {"UNIBPF_COAP_TIMEOUT": "1", "UNIBPF_GUEST_PATIENCE": "2"}
    async with running("reconfigurer", environment=environment, log=tmp_path / "log"):
        await eventually(lambda: listens(pipeline.cli), what="the reconfigurer")
        async with fake_guest.serving(pipeline.paths.guests, "g1") as guest:
            await pipeline.observe("g1")
            yield guest


async def test_ci_hears_of_its_push_to_the_end(pipeline, guest):
    process, push_id = await pipeline.pushed("--wait")
    await pipeline.verdict(push_id)
    await pipeline.release(push_id=push_id)
    answer, said = await pipeline.answered(process)
    assert answer.code == 0 and (said["stage"], said["push_id"]) == ("active", push_id)
    assert [event["state"] for event in said["elements"]] == ["active"]


async def test_to_settle_waits_for_the_end_of_probation(pipeline, guest):
    process, push_id = await pipeline.pushed("--settle")
    await pipeline.verdict(push_id)
    await pipeline.release(push_id=push_id)
    answer, said = await pipeline.answered(process)
    assert answer.code == 0 and said["stage"] == "settled" and said["settled_ms"] - said["active_ms"] > 2000


async def test_a_push_that_the_guest_left_by_itself_is_a_failure(pipeline, guest):
    await pipeline.release(b"good")
    await pipeline.event("g1", "active")
    process, push_id = await pipeline.pushed("--settle")
    await pipeline.release(b"bad", push_id=push_id)
    await pipeline.event("g1", "active", number=2)
    guest.history.pop()
    answer, said = await pipeline.answered(process)
    assert (answer.code, said["rule"]) == (1, "probation") and "rolled back" in answer.err


async def test_what_the_verifier_refuses_comes_with_its_report(pipeline):
    process, push_id = await pipeline.pushed("--wait")
    finding = Finding(rule="packet-bounds", message="read past the end", hint="look first")
    report = Report(verdict="unsafe", program="firewall", findings=[finding], version="0", options_digest="0" * 64)
    await pipeline.verdict(push_id, "unsafe", await pipeline.verifier.put_object(msgspec.json.encode(report)))
    answer, said = await pipeline.answered(process)
    assert (answer.code, said["rule"], said["hint"]) == (1, "packet-bounds", "look first")
    assert said["report"]["verdict"] == "unsafe" and "error[packet-bounds]" in answer.err


async def test_what_the_signer_refuses_is_told_with_its_rule(pipeline):
    process, push_id = await pipeline.pushed("--wait")
    refused = Refused(
        push_id=push_id, program="firewall", audience="edge", identity="ci", rule="identity", reason="ci may not"
    )
    async with await pipeline.nats.connect("signer") as signer:
        await signer.publish(subjects.refused("firewall"), refused)
    answer, said = await pipeline.answered(process)
    assert (answer.code, said["rule"], said["push_id"]) == (1, "identity", push_id)


@pytest.mark.parametrize("at", ["upload", "verified"])
async def test_a_dead_letter_ends_the_wait(pipeline, at):
    process, push_id = await pipeline.pushed("--wait")
    stream, sequence = push_id.split(":")
    subject = subjects.upload("ci", "firewall")
    if at == "verified":
        subject = subjects.verified("firewall")
        await pipeline.verdict("UNIBPF_UPLOADS:9999")
        stream, sequence = (await pipeline.verdict(push_id)).split(":")
    for number in (int(sequence) - 1, int(sequence)):  # the first is somebody else's
        letter = DeadLetter(
            service="verifier", subject=subject, reason="disk-full: no room", stream=stream, sequence=number
        )
        await pipeline.verifier.publish(subjects.dead_letter("verifier"), letter)
    answer, said = await pipeline.answered(process)
    assert (answer.code, said["rule"], said["stage"]) == (1, "disk-full", "dead")
    assert said["dead"]["sequence"] == int(sequence)


async def test_a_push_that_came_too_late_is_superseded(pipeline, guest):
    process, push_id = await pipeline.pushed("--wait")
    guest.busy = 8
    await pipeline.release(b"ours", push_id=push_id)
    await asyncio.sleep(0.3)
    await pipeline.release(b"newer")
    answer, said = await pipeline.answered(process)
    assert (answer.code, said["rule"]) == (8, "superseded")


async def test_a_time_out_says_whom_it_waited_for(pipeline, guest):
    process, push_id = await pipeline.pushed("--wait", "--timeout", "3")
    guest.busy = 10_000
    await pipeline.verdict(push_id)
    await pipeline.release(push_id=push_id)
    answer, said = await pipeline.answered(process)
    assert answer.code in (1, 6)
    if answer.code == 6:
        assert said["waits_for"] == ["g1/fw"] and said["stage"] == "signed" and push_id in answer.err


async def test_a_roll_back_lasts_and_is_said_once_and_again(pipeline, guest):
    first = await pipeline.release(b"one")
    await pipeline.event("g1", "active")
    second = await pipeline.release(b"two")
    await pipeline.event("g1", "active", number=2)

    def rollback(place):
        return pipeline.person.run("rollback", place, "--json")

    back = await asyncio.to_thread(rollback, "g1/fw")
    assert back.json["elements"] == [
        {"element": "fw", "already": False, "program": "firewall", "sequence": first.sequence, "problem": None}
    ]
    again = await asyncio.to_thread(rollback, "g1")
    assert again.json["elements"][0]["already"] and "already rolled back" in again.err
    assert guest.requests.count(("POST", "/elements/fw/rollback")) == 1

    kept = OutcomeFile(pipeline.paths.guests / "g1").read()["fw"]
    assert {one.release.envelope: one.state for one in kept} == {
        first.envelope: "active",
        second.envelope: "rolled_back",
    }
    shown = await asyncio.to_thread(pipeline.person.run, "guest", "show", "g1", "--json")
    row = shown.json["releases"][0]
    assert (row["running"], row["newest"]) == (first.sequence, second.sequence) and "rolled back" in row["why"]

    third = await pipeline.release(b"one")
    assert (await pipeline.event("g1", "active", number=3)).sequence == third.sequence


async def test_nothing_to_go_back_to_is_a_refusal(pipeline, guest):
    await pipeline.release(b"one")
    await pipeline.event("g1", "active")
    answer = await asyncio.to_thread(pipeline.person.run, "rollback", "g1", "--json", ok=False)
    said = promise(answer.code, answer.out, answer.err)
    assert (answer.code, said["rule"]) == (1, "nothing-previous")
    answer = await asyncio.to_thread(pipeline.person.run, "rollback", "g1/nat", "--json", ok=False)
    assert promise(answer.code, answer.out, answer.err)["rule"] == "not-found"


async def test_an_older_program_pushed_again_after_a_refused_one_is_active(pipeline, guest):
    await pipeline.release(b"one")
    await pipeline.event("g1", "active")
    guest.refuse_with = "map-policy"
    await pipeline.release(b"two")
    await pipeline.event("g1", "failed")
    guest.refuse_with = None
    process, push_id = await pipeline.pushed("--wait")
    await pipeline.release(b"one", push_id=push_id)
    answer, said = await pipeline.answered(process)
    assert answer.code == 0 and said["stage"] == "active"
