"""The verifier as a process on a real server: what is pushed by hand comes out as a signed verdict, whatever the bytes are."""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.support.kernel.kernel_oracle import available
from tests.support.programs.bad_objects import make
from tests.support.programs.programs import compiled
from tests.support.services.nats import PUSHER, NatsFixture
from tests.support.services.services import ServiceProcess, eventually, running
from unibpf import subjects
from unibpf.authority.signing import signed
from unibpf.bus import Bus, Received
from unibpf.bus.topology import OBJECTS, UPLOADED
from unibpf.formats import bundle
from unibpf.host import identity
from unibpf.messages.operations import DeadLetter
from unibpf.messages.programs import Verdict
from unibpf.messages.reports import Report, SecondOpinion
from unibpf.push import second_opinion
from unibpf.push.loading import Constant, Loading, Tail
from unibpf.push.upload import FUNCTION, Upload
from unibpf.subjects import DEAD, EVENTS, UPLOADS

UNCHECKED = Upload(loading=Loading(constants=(Constant.parse("unchecked=1"),)))  # makes `settings_decide` unsafe


class Pipeline:
    """A pusher's view: push an object, get its verdict."""

    def __init__(self, nats: NatsFixture, bus: Bus, service: ServiceProcess) -> None:
        self.nats = nats
        self.bus = bus
        self.service = service

    async def push(self, program: str, data: bytes, upload: Upload | None = None) -> str:
        headers = (upload or Upload(audience="edge")).headers()
        return await self.bus.publish(subjects.upload(PUSHER, program), data, headers=headers)

    async def event(self, push_id: str, program: str) -> Received:
        async def look() -> Received | None:
            async for event in self.bus.history(EVENTS, f"unibpf.v1.program.*.{program}"):
                if event.decode(Verdict).push_id == push_id:
                    return event
            return None

        try:
            return await eventually(look, what=f"the verdict on {program}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.service.log}") from error

    async def verdict(self, program: str, data: bytes, upload: Upload | None = None) -> Verdict:
        return (await self.event(await self.push(program, data, upload), program)).decode(Verdict)

    async def report(self, verdict: Verdict) -> Report:
        return msgspec.json.decode(await self.bus.get_object(verdict.report), type=Report)


@pytest.fixture
async def pipeline(nats: NatsFixture, bin_directory: Path, tmp_path: Path) -> AsyncIterator[Pipeline]:
    environment = nats.environment() | {"UNIBPF_BIN": str(bin_directory)}
    async with (
        running("verifier", environment=environment, log=tmp_path / "verifier.log") as service,
        await nats.connect(PUSHER) as bus,
    ):
        yield Pipeline(nats, bus, service)


async def test_a_safe_program_is_verified_with_everything_that_the_signer_needs(pipeline: Pipeline) -> None:
    data = compiled("parse")
    event = await pipeline.event(await pipeline.push("parse", data, Upload(audience="edge", element="fw")), "parse")
    found = event.decode(Verdict)
    assert event.subject == subjects.verified("parse")
    assert (found.verdict, found.identity, found.program, found.audience, found.element) == (
        "safe",
        PUSHER,
        "parse",
        "edge",
        "fw",
    )
    assert found.object == hashlib.sha256(data).hexdigest()
    assert found.bundle is not None
    stored = await pipeline.bus.get_object(found.bundle)
    assert (len(stored), bundle.decode(stored).name) == (found.bundle_length, "parse")
    assert (await pipeline.report(found)).bundle == found.bundle
    assert await pipeline.bus.get_object(found.object, store=UPLOADED) == data


async def test_the_pusher_says_the_kind_of_an_xdp_program_and_fills_its_program_arrays(pipeline: Pipeline) -> None:
    data, tails = compiled("tails_by_loader"), (Tail("jmp_table", 2, "handler_a"),)
    plain = await pipeline.verdict("plain", data, Upload(function="entry"))
    chosen = await pipeline.verdict(
        "chosen", data, Upload(function="entry", kind="rewriter", loading=Loading(tails=tails))
    )
    assert (plain.verdict, plain.kind, chosen.verdict, chosen.kind) == ("safe", "filter", "safe", "rewriter")
    assert chosen.bundle is not None
    found = bundle.decode(await pipeline.bus.get_object(chosen.bundle))
    assert (found.kind, [index for index, _ in found.maps[0].entries]) == ("rewriter", [2])


@pytest.fixture
async def classes(nats: NatsFixture, bin_directory: Path, tmp_path: Path) -> AsyncIterator[Pipeline]:
    environment = nats.environment() | {
        "UNIBPF_BIN": str(bin_directory),
        "UNIBPF_VERIFIER_CLASSES": "small=budget:100,memory:4; large=budget:5000000",
    }
    async with (
        running("verifier", environment=environment, log=tmp_path / "verifier.log") as service,
        await nats.connect(PUSHER) as bus,
    ):
        yield Pipeline(nats, bus, service)


async def test_the_bound_is_compared_with_what_the_class_gives_and_with_what_the_pusher_asks_for(
    classes: Pipeline,
) -> None:
    async def verdict(audience: str, budget: int | None = None) -> tuple[str, str]:
        upload = Upload(audience=audience, budget=budget)
        found = await classes.verdict("loops", compiled("loops"), upload)
        findings = (await classes.report(found)).findings
        return found.verdict, findings[0].rule if findings else ""

    assert await verdict("edge") == ("safe", "")
    assert await verdict("small") == ("unsafe", "instruction-budget")
    assert await verdict("large") == ("safe", "")
    assert await verdict("large", budget=100) == ("unsafe", "instruction-budget")
    assert await verdict("small", budget=5_000_000) == ("unsafe", "instruction-budget")  # nobody asks for more


async def test_what_a_loader_would_set_comes_in_headers_and_is_in_the_bundle(pipeline: Pipeline) -> None:
    """Headers as any NATS client writes them."""
    headers = {"Unibpf-Constants": "limit=9,first=0x10"}
    push_id = await pipeline.bus.publish(subjects.upload(PUSHER, "globals"), compiled("globals"), headers=headers)
    found = (await pipeline.event(push_id, "globals")).decode(Verdict)
    assert (found.verdict, found.bundle is not None) == ("safe", True)
    data = {entry.name: entry.data for entry in bundle.decode(await pipeline.bus.get_object(str(found.bundle))).maps}
    assert (data[".rodata"], data[".data"]) == (b"\x09\0\0\0seen %d\0", b"\x10\0\0\0\x66\x55")

    headers = {"Unibpf-Max-Entries": "flows=16,events=5000", "Unibpf-Inner-Maps": "tables:3=second"}
    push_id = await pipeline.bus.publish(subjects.upload(PUSHER, "sized"), compiled("sized_by_loader"), headers=headers)
    found = (await pipeline.event(push_id, "sized")).decode(Verdict)
    maps = {
        entry.name: entry.max_entries for entry in bundle.decode(await pipeline.bus.get_object(str(found.bundle))).maps
    }
    assert (found.verdict, maps) == ("safe", {"flows": 16, "events": 8192, "second": 2, "tables": 4})


async def test_verdicts_are_remembered_by_what_was_set(pipeline: Pipeline) -> None:
    async def push(*words: str) -> Verdict:
        constants = tuple(map(Constant.parse, words))
        return await pipeline.verdict(
            "decide", compiled("settings_decide"), Upload(loading=Loading(constants=constants))
        )

    plain, checked, unchecked, again = await push(), await push("at=3"), await push("unchecked=1"), await push("at=3")
    assert [one.verdict for one in (plain, checked, unchecked)] == ["safe", "safe", "unsafe"]
    assert len({plain.bundle, checked.bundle, unchecked.bundle}) == 3
    assert len({plain.options_digest, checked.options_digest, unchecked.options_digest}) == 3
    assert plain.object == checked.object == unchecked.object
    assert (again.report, again.bundle, again.push_id != checked.push_id) == (checked.report, checked.bundle, True)


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"Unibpf-Constants": "limit"}, "upload-header"),
        ({"Unibpf-Constants": ",".join(["limit=1"] * 257)}, "upload-header"),
        ({"Unibpf-Constants": "limit=hex:" + "00" * 30_000}, "upload-header"),
        ({"Unibpf-Max-Entries": "flows=99999999999999999999"}, "upload-header"),
        ({"Unibpf-Constants": "limit=4294967296"}, "constant-choice"),
        ({"Unibpf-Constants": "limit[4294967295]=1"}, "constant-choice"),
        ({"Unibpf-Max-Entries": "flows=4294967295"}, "size-choice"),
        ({"Unibpf-Inner-Maps": "globals=globals"}, "inner-choice"),
    ],
)
async def test_words_that_cannot_be_are_refused_by_rule(pipeline: Pipeline, headers: dict[str, str], rule: str) -> None:
    push_id = await pipeline.bus.publish(subjects.upload(PUSHER, "globals"), compiled("globals"), headers=headers)
    found = (await pipeline.event(push_id, "globals")).decode(Verdict)
    assert (found.verdict, found.bundle, found.summary.partition(":")[0]) == ("unsupported", None, rule)


async def test_the_verdict_is_signed_by_the_verifier(pipeline: Pipeline) -> None:
    event = await pipeline.event(await pipeline.push("pass", compiled("pass")), "pass")
    public = pipeline.nats.identities["verifier"].public_key
    assert identity.verify(public, event.data, event.signature)
    assert not identity.verify(public, event.data + b" ", event.signature)


async def test_an_unsafe_program_is_rejected_with_its_source_line(pipeline: Pipeline) -> None:
    found = await pipeline.verdict("unsafe", compiled("unsafe_parse"))
    assert found.verdict == "unsafe"
    finding = (await pipeline.report(found)).findings[0]
    assert (finding.rule, finding.file, finding.line) == ("packet-bounds", "unsafe_parse.c", 10)
    assert "packet-bounds at unsafe_parse.c:10" in found.summary


# PREVAIL is in no Debian package: the seam is its command line, and this stands for it. It knows the program by its function.
PREVAIL = """#!/bin/sh
test -s "$1" && test "$2" = xdp || exit 9
case $3 in pass) exit 0 ;; *) echo "no proof of $3" >&2; exit 1 ;; esac
"""


@pytest.fixture
async def doubting(nats: NatsFixture, bin_directory: Path, tmp_path: Path) -> AsyncIterator[Pipeline]:
    (tmp_path / "prevail").write_text(PREVAIL)
    (tmp_path / "prevail").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = nats.environment() | {
        "UNIBPF_BIN": str(bin_directory),
        "UNIBPF_VERIFIER_ALSO": "prevail",
        "PATH": path,
    }
    async with (
        running("verifier", environment=environment, log=tmp_path / "verifier.log") as service,
        await nats.connect(PUSHER) as bus,
    ):
        yield Pipeline(nats, bus, service)


async def test_a_second_verifier_is_asked_and_its_opinion_signed_with_the_verdict(doubting: Pipeline) -> None:
    agreed = await doubting.verdict("pass", compiled("pass"))
    assert agreed.also == [SecondOpinion(verifier="prevail", accepts=True, agrees=True)]
    refused = await doubting.verdict("parse", compiled("parse"))
    assert (refused.verdict, refused.also) == (
        "safe",
        [SecondOpinion(verifier="prevail", accepts=False, agrees=False, said="no proof of parse")],
    )
    assert (await doubting.report(refused)).also == refused.also
    # it would judge another program: one without what a loader sets
    changed = Upload(loading=Loading(constants=(Constant("limit", "1"),)))
    assert (await doubting.verdict("globals", compiled("globals"), changed)).also == [
        SecondOpinion(verifier="prevail", accepts=None, agrees=False, said=second_opinion.WITHOUT_LOADER)
    ]
    # what the front end refuses, nobody is asked about
    assert (await doubting.verdict("bad", make("text-file"))).also == []


@pytest.mark.skipif(not available(), reason="loading programs into the kernel needs CAP_BPF")
async def test_the_kernel_is_asked_and_its_three_answers_are_signed_with_the_verdict(
    nats: NatsFixture, bin_directory: Path, tmp_path: Path
) -> None:
    environment = nats.environment() | {"UNIBPF_BIN": str(bin_directory), "UNIBPF_VERIFIER_ALSO": "kernel"}
    async with (
        running("verifier", environment=environment, log=tmp_path / "verifier.log") as service,
        await nats.connect(PUSHER) as bus,
    ):
        asked = Pipeline(nats, bus, service)
        agreed = await asked.verdict("parse", compiled("parse"))
        assert agreed.also == [SecondOpinion(verifier="kernel", accepts=True, agrees=True)]
        refused = await asked.verdict("unsafe", compiled("unsafe_parse"))
        assert (refused.verdict, refused.also) == (
            "unsafe",
            [SecondOpinion(verifier="kernel", accepts=False, agrees=True, said="R1 offset is outside of the packet")],
        )
        # it judges the bundle, with what a loader set
        changed = Upload(loading=Loading(constants=(Constant("limit", "1"),)))
        (opinion,) = (await asked.verdict("globals", compiled("globals"), changed)).also
        assert opinion.agrees


@pytest.mark.parametrize(
    ("defect", "rule"),
    [("text-file", "not-elf"), ("half-of-the-file", "elf-truncated"), ("btf-magic-wrong", "btf-malformed")],
)
async def test_a_bad_object_is_rejected_by_rule_and_the_next_one_is_verified(
    pipeline: Pipeline, defect: str, rule: str
) -> None:
    event = await pipeline.event(await pipeline.push("bad", make(defect)), "bad")
    assert event.subject == subjects.rejected("bad")
    assert (await pipeline.report(event.decode(Verdict))).findings[0].rule == rule
    assert (await pipeline.verdict("good", compiled("pass"))).verdict == "safe"
    await settled(pipeline)


async def settled(pipeline: Pipeline) -> None:
    """Every upload was acknowledged: a work queue forgets what is done."""
    async with await pipeline.nats.connect("operator") as operator:

        async def look() -> bool | None:
            info = await operator.jetstream.stream_info(UPLOADS)
            return True if info.state.messages == 0 else None

        await eventually(look, what="an empty work queue")


async def test_an_unknown_section_is_unsupported_by_name(pipeline: Pipeline) -> None:
    found = await pipeline.verdict("odd", compiled("refused/section_unknown"))
    assert found.verdict == "unsupported"
    assert "freplace/xdp_pass" in found.summary


async def test_a_malformed_header_is_rejected_by_name(pipeline: Pipeline) -> None:
    push_id = await pipeline.bus.publish(
        subjects.upload(PUSHER, "pass"), compiled("pass"), headers={"Unibpf-Audience": "no such audience"}
    )
    found = (await pipeline.event(push_id, "pass")).decode(Verdict)
    assert (await pipeline.report(found)).findings[0].rule == "upload-audience"
    assert found.verdict == "unsupported"


async def test_a_large_object_comes_by_reference(pipeline: Pipeline) -> None:
    large = compiled("pass") + bytes(600_000)
    digest = await pipeline.bus.put_object(large, store=UPLOADED)
    found = await pipeline.verdict("pass", b"", Upload(audience="edge", object=digest))
    assert (found.verdict, found.object) == ("safe", digest)


async def test_a_program_name_that_is_none_ends_as_a_dead_letter(pipeline: Pipeline) -> None:
    await pipeline.push("Not-A-Name", compiled("pass"))
    async with await pipeline.nats.connect("operator") as operator:

        async def look() -> Received | None:
            return await operator.last(DEAD, subjects.dead_letter("verifier"))

        letter = (await eventually(look, what="the dead letter")).decode(DeadLetter)
    assert letter.reason.startswith("upload-subject")


async def test_the_same_object_again_is_answered_from_memory(pipeline: Pipeline) -> None:
    first = await pipeline.verdict("maps", compiled("maps"))
    second = await pipeline.verdict("maps", compiled("maps"))
    assert first.push_id != second.push_id
    assert (second.report, second.bundle, second.verdict_digest) == (first.report, first.bundle, first.verdict_digest)


async def test_no_message_that_somebody_stored_before_swallows_a_verdict(pipeline: Pipeline) -> None:
    """A verdict's id used to be made from the push's number, which anybody can count."""
    async with await pipeline.nats.connect("operator") as operator:
        for push in range(1, 4):
            for taken in (f"verdict-{subjects.UPLOADS}:{push}", f"{subjects.UPLOADS}:{push}", str(push)):
                await operator.jetstream.publish("unibpf.v1.guest.running.x", b"", headers={"Nats-Msg-Id": taken})
    assert [(await pipeline.verdict("pass", compiled("pass"))).verdict for _ in range(3)] == ["safe"] * 3


async def test_what_a_verdict_from_memory_names_is_stored_again_where_the_store_was_lost(pipeline: Pipeline) -> None:
    first = await pipeline.verdict("maps", compiled("maps"))
    async with await pipeline.nats.connect("operator") as operator:
        for store in (OBJECTS, UPLOADED):
            await operator.jetstream.purge_stream(f"OBJ_{store}")
    second = await pipeline.verdict("maps", compiled("maps"))
    assert (second.report, second.bundle, second.certificate) == (first.report, first.bundle, first.certificate)
    for digest in (second.report, second.bundle, second.certificate):
        assert await pipeline.bus.get_object(str(digest))
    assert await pipeline.bus.get_object(second.object, store=UPLOADED) == compiled("maps")


async def test_what_the_bus_says_of_an_object_is_not_what_the_verifier_says(pipeline: Pipeline) -> None:
    """Whoever holds the server writes into every bucket, under each key that he finds, what was said of another object."""
    before = await pipeline.verdict("decide", compiled("settings_decide"), UNCHECKED)
    safe = await pipeline.report(await pipeline.verdict("decide", compiled("settings_decide")))
    assert (before.verdict, safe.verdict) == ("unsafe", "safe")
    async with await pipeline.nats.connect("operator") as operator:
        for stream in await operator.jetstream.streams_info():
            if str(stream.config.name).startswith("KV_"):
                bucket = await operator.kv(str(stream.config.name).removeprefix("KV_"))
                for entry in await bucket.entries():
                    await bucket.update(entry.key, safe, entry.revision)
    after = await pipeline.verdict("decide", compiled("settings_decide"), UNCHECKED)
    assert (after.verdict, after.push_id != before.push_id) == ("unsafe", True)


async def test_the_endpoint_verifies_without_leaving_anything_behind(pipeline: Pipeline) -> None:
    async with await pipeline.nats.connect("cli") as cli:
        await pipeline.verdict("warm", compiled("drop"))
        found = await cli.request(subjects.verify(), compiled("unsafe_parse"), Report)
        assert found.verdict == "unsafe"
        assert found.findings[0].rule == "packet-bounds"
        assert found.findings[0].slice[-1].instruction == found.findings[0].instruction
        several = await cli.request(subjects.verify(), compiled("several"), Report, headers={FUNCTION: "second"})
        assert (several.verdict, several.program) == ("safe", "second")
        decided = await cli.request(
            subjects.verify(), compiled("settings_decide"), Report, headers={"Unibpf-Constants": "at=16"}
        )
        assert (decided.verdict, decided.findings[0].rule) == ("unsafe", "stack-bounds")
        events = [event async for event in cli.history(EVENTS, "unibpf.v1.program.>")]
        assert len(events) == 1, "only the warm-up's verdict"


async def test_a_kill_in_the_middle_loses_nothing_and_says_nothing_twice(pipeline: Pipeline) -> None:
    pushes = [await pipeline.push("again", compiled("pass") + bytes(number)) for number in range(6)]
    pipeline.service.signal(signal.SIGKILL)
    pipeline.service.start()
    for push_id in pushes:
        assert (await pipeline.event(push_id, "again")).decode(Verdict).verdict == "safe"
    await asyncio.sleep(0.2)
    heard = [event.decode(Verdict).push_id async for event in pipeline.bus.history(EVENTS, "unibpf.v1.program.*.again")]
    assert sorted(heard) == sorted(pushes)


async def test_every_log_line_is_json_and_one_of_them_tells_the_whole_verification(pipeline: Pipeline) -> None:
    await pipeline.verdict("pass", compiled("pass"))

    async def look() -> dict[str, object] | None:
        lines = [json.loads(line) for line in pipeline.service.log.splitlines()]
        assert {line["service"] for line in lines} <= {"verifier"}
        return next((line for line in lines if line["message"] == "verified"), None)

    line = await eventually(look, what="the line")
    assert (line["subject"], line["outcome"]) == (subjects.upload(PUSHER, "pass"), "safe")
    assert {"trace_id", "digest", "ms"} <= line.keys()


async def test_without_the_analyser_the_service_waits_says_so_and_leaves_the_queue_alone(
    nats: NatsFixture, tmp_path: Path
) -> None:
    environment = nats.environment() | {"UNIBPF_BIN": str(tmp_path / "empty")}
    async with (
        await nats.connect(PUSHER) as bus,
        running("verifier", environment=environment, log=tmp_path / "verifier.log") as service,
    ):
        await bus.publish(subjects.upload(PUSHER, "pass"), compiled("pass"), headers=Upload(audience="edge").headers())

        async def said() -> bool | None:
            return f"there is no analyser at `{tmp_path / 'empty'}/unibpf-analyse`" in service.log or None

        await eventually(said, what="what it waits for")
        assert service.is_up()
    async with await nats.connect("operator") as operator:
        assert (await operator.jetstream.consumer_info(UPLOADS, "verifier")).num_pending == 1


async def test_an_upload_may_be_signed_and_the_verdict_says_whether_it_was(pipeline: Pipeline) -> None:
    assert (await pipeline.verdict("signed", compiled("pass"))).upload_signed
    plain, subject = pipeline.bus.jetstream, subjects.upload(PUSHER, "plain")
    ack = await plain.publish(subject, compiled("pass"))  # as `nats pub` does
    found = (await pipeline.event(f"{ack.stream}:{ack.seq}", "plain")).decode(Verdict)
    assert (found.verdict, found.upload_signed) == ("safe", False)


async def test_an_upload_whose_signature_is_not_the_pushers_is_put_aside(pipeline: Pipeline) -> None:
    subject = subjects.upload(PUSHER, "spoilt")
    headers = signed(pipeline.bus.identity, subject, compiled("pass"), {})
    await pipeline.bus.jetstream.publish(subject, compiled("drop"), headers=headers)

    async def letter() -> DeadLetter | None:
        async for one in cli.history(DEAD, subjects.dead_letter("verifier")):
            return one.decode(DeadLetter)
        return None

    async with await pipeline.nats.connect("cli") as cli:
        assert (await eventually(letter, what="the dead letter")).reason.startswith("wrong-signer:")
