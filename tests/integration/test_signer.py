"""The signer on a real nats-server and a real SoftHSM2 token."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from services.signer import policy
from services.signer.checking import EXECUTABLE, Checker
from services.signer.errors import HsmError
from services.signer.hsm import Hsm
from services.signer.service import Demands, Signer
from services.signer.settings import DEFAULT_POLICY
from services.signer.token import read_trusted
from tests.support.services.nats import NatsFixture
from tests.support.services.pushes import PUSHED_MS, announce, certified, make_verdict, pass_bundle
from tests.support.signing.hsm import HsmFixture, make_token
from unibpf import subjects
from unibpf.bus import Bus, RequestFailed, topology
from unibpf.bus.permissions import OPERATOR
from unibpf.formats import bundle as bundles
from unibpf.formats import envelope, release_list
from unibpf.formats.bundle import Bundle
from unibpf.formats.release_list import ReleaseList
from unibpf.host.ledger import GRACE_MS, Ledger
from unibpf.host.settings import REPOSITORY, binary_directory
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.operations import DeadLetter
from unibpf.messages.programs import AuditRecord, Refused, Setback, Signed
from unibpf.messages.reports import SecondOpinion

PATIENCE = 10.0
CHECKER = Checker(executable=binary_directory(os.environ) / EXECUTABLE)


class CountingHsm(Hsm):
    """The real token, with the signatures counted and, if asked, the first `outages` of them refused."""

    signatures = 0
    outages = 0

    async def sign(self, data: bytes) -> bytes:
        if envelope.EXTERNAL_AAD not in data:  # a list of what is current, whenever that is made
            return await super().sign(data)
        if self.outages:
            self.outages -= 1
            raise HsmError("the token is away")
        self.signatures += 1
        return await super().sign(data)


@contextlib.asynccontextmanager
async def running_signer(
    nats: NatsFixture, hsm: HsmFixture, *, clock: Callable[[], float] = lambda: 1000.0, rules: str | None = None
) -> AsyncIterator[CountingHsm]:
    token = await CountingHsm.open(hsm.settings.hsm)
    assert isinstance(token, CountingHsm)
    policies = policy.parse(rules) if rules is not None else policy.load(DEFAULT_POLICY)
    try:
        async with await nats.connect("signer") as bus:
            key = nats.identities["verifier"].public_key
            demands = Demands(verifier_key=key, checker=CHECKER, policy=policies)
            ledger = Ledger.open(nats.paths.signer_ledger, now_ms=PUSHED_MS)
            signer = await Signer.create(bus, token, demands, ledger, clock=clock)
            task = asyncio.create_task(signer.run())
            async with asyncio.timeout(PATIENCE):
                while not await bus.ping("unibpf-signer"):
                    await asyncio.sleep(0.01)
            yield token
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    finally:
        await token.close()


async def next_event(bus: Bus, subject: str, *, after: int = 0) -> tuple[int, bytes]:
    """The first stored event of `subject` after stream sequence `after`."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async for event in bus.history(subjects.EVENTS, subject, start=after + 1):
                return event.sequence, event.data
            await asyncio.sleep(0.02)


async def signed_of(bus: Bus, program: str, *, after: int = 0) -> Signed:
    return msgspec.json.decode((await next_event(bus, subjects.signed(program), after=after))[1], type=Signed)


async def dead_letter(bus: Bus) -> DeadLetter:
    async with asyncio.timeout(PATIENCE):
        while True:
            letter = await bus.last(subjects.DEAD, subjects.dead_letter("signer"))
            if letter is not None:
                return letter.decode(DeadLetter)
            await asyncio.sleep(0.02)


async def test_a_safe_verdict_becomes_an_envelope_that_the_pinned_key_verifies(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token), nats.buses("verifier", "cli") as (verifier, cli):
        bundle = pass_bundle("firewall")
        verdict = await make_verdict(verifier, "firewall", bundle, push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        signed = await signed_of(cli, "firewall")
        data = await cli.get_object(signed.envelope)
        release = envelope.verify(data, read_trusted(hsm_token.settings.paths.trusted_signers))
        assert release.bundle.hex() == envelope.digest(bundle)
        assert (release.sequence, release.audience, release.length) == (1_000_000, "edge", len(bundle))
        assert release.verifier.verdict.hex() == verdict.verdict_digest
        newest = await (await cli.kv(topology.RELEASES)).get("edge.firewall")
        assert newest is not None and newest.decode(Signed) == signed
        audit = await cli.last(subjects.AUDIT, subjects.audit("firewall"))
        assert audit is not None and audit.decode(AuditRecord).sequence == 1_000_000


async def test_a_push_is_told_in_one_line_with_its_outcome(
    nats: NatsFixture, hsm_token: HsmFixture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running_signer(nats, hsm_token), nats.buses("verifier", "cli") as (verifier, cli):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        signed = await signed_of(cli, "firewall")

        def line() -> dict[str, object]:
            return next((vars(record) for record in caplog.records if record.getMessage() == "push"), {})

        async with asyncio.timeout(PATIENCE):
            while not line():
                await asyncio.sleep(0.02)
        told = {name: line()[name] for name in ("push_id", "program", "digest", "outcome", "sequence")}
        assert told == {
            "push_id": "UNIBPF_UPLOADS:1", "program": "firewall", "digest": verdict.bundle, "outcome": "signed",
            "sequence": signed.sequence,
        }  # fmt: skip
        assert line()["ms"]


async def test_a_verdict_signed_by_another_key_never_reaches_the_hsm(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    async with running_signer(nats, hsm_token) as token, nats.buses(OPERATOR, "cli") as (operator, cli):
        forged = await make_verdict(operator, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(operator, forged)
        letter = await dead_letter(cli)
        assert letter.reason.startswith("wrong-signer:")
        assert token.signatures == 0
        assert await cli.last(subjects.AUDIT, subjects.audit("firewall")) is None


async def test_a_report_that_says_something_else_is_refused_and_put_aside(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token) as token, nats.buses("verifier", "cli") as (verifier, cli):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, replace(verdict, options_digest="1" * 64))
        assert (await dead_letter(cli)).reason.startswith("report:")
        refused = await cli.last(subjects.EVENTS, subjects.refused("firewall"))
        assert refused is not None and refused.decode(Refused).rule == "report"
        assert token.signatures == 0


async def test_the_same_push_delivered_again_gives_the_same_envelope(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    seconds = iter(range(1000, 2000))
    async with (
        running_signer(nats, hsm_token, clock=lambda: float(next(seconds))) as token,
        nats.buses("verifier", "cli") as (verifier, cli),
    ):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        sequence, _ = await next_event(cli, subjects.signed("firewall"))
        first = await signed_of(cli, "firewall")
        await announce(verifier, verdict)
        assert await signed_of(cli, "firewall", after=sequence) == first
        assert token.signatures == 1


def kind_of(subject: str) -> str:
    """What a request or a write is about, without keys, digests and names."""
    if subject.startswith("$JS.API.DIRECT.GET."):
        return "read " + subject.split(".")[4]
    if subject.startswith("$O."):
        return "write object's " + {"C": "chunk", "M": "metadata"}[subject.split(".")[2]]
    return "write " + (subject.split(".")[1] if subject.startswith("$KV.") else ".".join(subject.split(".")[2:-1]))


async def test_a_push_is_one_round_of_reads_then_its_writes_in_the_order_that_any_crash_may_interrupt(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    """Counted, not timed: every write is a round trip and an fsync that an update waits for."""
    wire = ["$JS.API.DIRECT.GET.*.>", "$KV.>", f"$O.{topology.OBJECTS}.>", subjects.audit("*"), subjects.signed("*")]
    async with running_signer(nats, hsm_token), nats.buses("verifier", OPERATOR) as (verifier, operator):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        async with await operator.follow(wire) as heard:
            await announce(verifier, verdict)
            seen: list[str] = []
            while not seen or seen[-1] != "write program.signed":
                seen.append(kind_of((await heard.next(PATIENCE)).subject))
    reads, writes = seen[:10], seen[10:]
    assert sorted(reads) == [
        *("read KV_unibpf-releases", "read KV_unibpf-reservations", "read KV_unibpf-sequences"),
        *6 * ("read OBJ_unibpf-objects",),
        "read UNIBPF_AUDIT",
    ]
    assert writes == [
        "write unibpf-sequences",
        "write unibpf-reservations",
        "write audit",
        "write object's chunk",
        "write object's metadata",
        "write unibpf-reservations",
        "write unibpf-releases",
        "write program.signed",
    ]


async def test_v1_v2_v1_is_three_rising_releases_but_v1_v1_is_one_unless_it_failed_somewhere(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with (
        running_signer(nats, hsm_token),
        nats.buses("verifier", "cli", "reconfigurer") as (verifier, cli, reconfigurer),
    ):
        found: list[Signed] = []
        after = 0
        for number, returns in enumerate((1, 2, 1, 1, 1)):
            if number == 4:
                left = Setback(guest="g1", element="fw", state="rolled_back", at_us=1)
                await (await reconfigurer.kv(topology.SETBACKS)).create(found[3].envelope, left)
            bundle = pass_bundle("firewall", returns=returns)
            verdict = await make_verdict(verifier, "firewall", bundle, push_id=f"UNIBPF_UPLOADS:{number + 1}")
            await announce(verifier, verdict)
            found.append(await signed_of(cli, "firewall", after=after))
            after, _ = await next_event(cli, subjects.signed("firewall"), after=after)
        assert [signed.sequence for signed in found] == [1_000_000, 1_000_001, 1_000_002, 1_000_002, 1_000_003]
        assert found[3].envelope == found[2].envelope != found[0].envelope
        assert found[3].push_id == "UNIBPF_UPLOADS:4"


async def test_a_token_that_is_away_for_a_while_costs_no_number_and_one_audit_record(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    seconds = iter(range(1000, 2000))
    async with (
        running_signer(nats, hsm_token, clock=lambda: float(next(seconds))) as token,
        nats.buses("verifier", "cli") as (verifier, cli),
    ):
        token.outages = 2
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        assert (await signed_of(cli, "firewall")).sequence == 1_000_000
        records = [m async for m in cli.history(subjects.AUDIT, subjects.audit("firewall"))]
        assert len(records) == 1


async def test_es256_signs_differently_each_time_but_a_push_has_one_envelope(nats: NatsFixture, tmp_path: Path) -> None:
    token = make_token(tmp_path / "es256", algorithm="ES256")
    async with running_signer(nats, token), nats.buses("verifier", "cli") as (verifier, cli):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await asyncio.gather(announce(verifier, verdict), announce(verifier, verdict))
        after, _ = await next_event(cli, subjects.signed("firewall"))
        first, second = await signed_of(cli, "firewall"), await signed_of(cli, "firewall", after=after)
        assert first == second
        envelope.verify(await cli.get_object(first.envelope), [token.key])


@pytest.mark.parametrize(
    ("proof", "rule"),
    [
        pytest.param(certified(pass_bundle("other")), "certificate-unproved", id="of a safe program"),
        pytest.param(b"\x84\x01\x80\x80\x80", "certificate-malformed", id="empty"),
        pytest.param(os.urandom(64), "certificate-malformed", id="noise"),
    ],
)
async def test_a_safe_verdict_over_an_unsafe_program_is_not_signed_whatever_its_certificate(
    nats: NatsFixture, hsm_token: HsmFixture, proof: bytes, rule: str
) -> None:
    """A verifier that lies, with the right key and all the rest in order."""
    code = bytes.fromhex("611200000000000071200000000000009500000000000000")  # a packet byte that may not be there
    unsafe = bundles.encode(Bundle(name="firewall", kind="filter", code=code, outputs=3))
    async with running_signer(nats, hsm_token) as token, nats.buses("verifier", OPERATOR) as (verifier, operator):
        verdict = await make_verdict(verifier, "firewall", unsafe, push_id="UNIBPF_UPLOADS:1", proof=proof)
        await announce(verifier, verdict)
        refused = msgspec.json.decode((await next_event(operator, subjects.refused("firewall")))[1], type=Refused)
        assert refused.rule == rule
        assert token.signatures == 0


async def test_a_safe_verdict_without_a_certificate_is_refused_and_says_so(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token) as token, nats.buses("verifier", OPERATOR) as (verifier, operator):
        bundle = pass_bundle("firewall")
        await announce(verifier, await make_verdict(verifier, "firewall", bundle, push_id="1", certificate=None))
        refused = msgspec.json.decode((await next_event(operator, subjects.refused("firewall")))[1], type=Refused)
        assert refused.rule == "certificate-missing"
        assert token.signatures == 0


async def test_the_audit_record_names_the_certificate_that_was_checked(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token), nats.buses("verifier", OPERATOR) as (verifier, operator):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        await signed_of(operator, "firewall")
        record = await operator.last(topology.AUDIT, subjects.audit("firewall"))
        assert record is not None
        assert record.decode(AuditRecord).certificate == verdict.certificate


async def test_what_no_rule_allows_is_refused_with_the_nearest_rule(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    rules = """[[program]]
    name = "core-only"
    identities = ["ci"]
    programs = ["*"]
    audiences = ["core"]
    kinds = ["filter"]
    elements = ["*"]
    """
    async with (
        running_signer(nats, hsm_token, rules=rules) as token,
        nats.buses("verifier", "cli") as (verifier, cli),
    ):
        verdict = await make_verdict(verifier, "firewall", pass_bundle("firewall"), push_id="UNIBPF_UPLOADS:1")
        await announce(verifier, verdict)
        await next_event(cli, subjects.refused("firewall"))
        refused = await cli.last(subjects.EVENTS, subjects.refused("firewall"))
        assert refused is not None
        assert refused.decode(Refused).hint == "rule `core-only` would allow it but for its `audiences`"
        assert token.signatures == 0


async def test_a_graph_asked_for_twice_has_one_envelope_and_a_changed_one_a_higher_sequence(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token), nats.buses("deployer") as (deployer,):

        async def sign(graph: str) -> SignedGraph:
            request = SignGraph(guest="edge-1", audience="edge", name="edge-1", graph=graph)
            return await deployer.request(subjects.sign_graph(), request, SignedGraph)

        first, again, other, back = [await sign(text) for text in ("a;", "a;", "b;", "a;")]
        assert first == again
        assert [first.sequence, other.sequence, back.sequence] == [1_000_000, 1_000_001, 1_000_002]
        release = envelope.verify(await deployer.get_object(back.envelope), [hsm_token.key])
        assert (release.kind, release.program, release.element) == ("graph", "edge-1", "*")
        assert release.bundle.hex() == envelope.digest(b"a;") == back.graph


async def test_a_release_without_the_second_proof_that_the_policy_demands_is_refused(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    rules = DEFAULT_POLICY.read_text().replace('name = "local-users"\n', 'name = "two"\nrequire_also = ["prevail"]\n')
    opinions = [SecondOpinion(verifier="prevail", accepts=True, agrees=True)]
    async with (
        running_signer(nats, hsm_token, rules=rules),
        await nats.connect("verifier") as bus,
        await nats.connect(OPERATOR) as operator,
    ):
        await announce(bus, await make_verdict(bus, "alone", pass_bundle("alone"), push_id="1"))
        refused = msgspec.json.decode((await next_event(operator, subjects.refused("alone")))[1], type=Refused)
        assert (refused.rule, refused.reason) == (
            "second-opinion",
            "rule `two` demands that `prevail` accepts `alone` too, and the verdict does not say so: `prevail` was not asked",
        )
        await announce(bus, await make_verdict(bus, "both", pass_bundle("both"), push_id="2", opinions=opinions))
        assert (await signed_of(operator, "both")).policy == "two"


async def test_a_graph_outside_the_policy_is_answered_with_403(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    async with running_signer(nats, hsm_token, rules=""), nats.buses("deployer") as (deployer,):
        await asyncio.sleep(0.1)
        with pytest.raises(RequestFailed, match="no rule allows graph") as caught:
            request = SignGraph(guest="edge-1", audience="edge", name="edge-1", graph="a;")
            await deployer.request(subjects.sign_graph(), request, SignedGraph)
        assert caught.value.code == "403"


async def test_a_signer_killed_in_the_middle_ends_in_the_same_release(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    """Twenty pushes, a signer process that is killed while it works on them, another that takes over."""

    async def start() -> asyncio.subprocess.Process:
        environment = {**os.environ, **nats.environment(), "PYTHONPATH": str(REPOSITORY)}
        return await asyncio.create_subprocess_exec(sys.executable, "-m", "services.signer", env=environment)

    async with nats.buses("verifier", "cli") as (verifier, cli):
        process = await start()
        for number in range(20):
            bundle = pass_bundle("firewall", returns=number)
            push, now_ms = f"UNIBPF_UPLOADS:{number + 1}", int(time.time() * 1000)
            await announce(verifier, await make_verdict(verifier, "firewall", bundle, push_id=push, pushed_ms=now_ms))
        await next_event(cli, subjects.signed("firewall"))
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process = await start()
        by_push: dict[str, set[str]] = {}
        async with asyncio.timeout(40):
            while len(by_push) < 20:
                await asyncio.sleep(0.1)
                async for event in cli.history(subjects.EVENTS, subjects.signed("firewall")):
                    signed = event.decode(Signed)
                    by_push.setdefault(signed.push_id, set()).add(signed.envelope)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert all(len(envelopes) == 1 for envelopes in by_push.values())
        assert len({next(iter(envelopes)) for envelopes in by_push.values()}) == 20


async def test_a_signer_without_a_token_waits_and_says_what_to_run(nats: NatsFixture) -> None:
    environment = {**os.environ, **nats.environment(), "PYTHONPATH": str(REPOSITORY)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.signer", env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while b"make a token with `python -m services.signer init-token`" not in await process.stderr.readline():
                assert process.returncode is None
    finally:
        process.terminate()
        await process.wait()


def test_the_private_key_is_sensitive_and_was_never_extractable(hsm_token: HsmFixture) -> None:
    listing = hsm_token.pkcs11_tool("--list-objects", "--type", "privkey")
    assert "sensitive, always sensitive, never extractable, local" in listing


LOST = (topology.RESERVATIONS, topology.SEQUENCES, topology.RELEASES)


async def two_releases(verifier: Bus, cli: Bus) -> tuple[Signed, Signed]:
    found, after = [], 0
    for number in (1, 2):
        bundle = pass_bundle("firewall", returns=number)
        await announce(verifier, await make_verdict(verifier, "firewall", bundle, push_id=f"UNIBPF_UPLOADS:{number}"))
        found.append(await signed_of(cli, "firewall", after=after))
        after, _ = await next_event(cli, subjects.signed("firewall"), after=after)
    return found[0], found[1]


async def test_an_old_verdict_published_again_becomes_no_new_release(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    """Whoever holds the server has deleted all that the bus knows of the push, and sends its genuine verdict again, to a
    signer that was started since and remembers no nonce.
    """
    async with nats.buses("verifier", "cli", OPERATOR) as (verifier, cli, operator):
        async with running_signer(nats, hsm_token):
            first, second = await two_releases(verifier, cli)
        old, _ = [message async for message in operator.history(subjects.EVENTS, subjects.verified("firewall"))]
        async with running_signer(nats, hsm_token) as token:
            after = (await operator.jetstream.stream_info(subjects.EVENTS)).state.last_seq
            for bucket in LOST:
                await operator.jetstream.purge_stream(f"KV_{bucket}")
            headers = {**old.headers, "Nats-Msg-Id": "another"}
            await operator.jetstream.publish(old.subject, old.data, headers=headers)
            again = await signed_of(cli, "firewall", after=after)
        assert again == first
        assert again.sequence < second.sequence
        assert token.signatures == 0
        assert len([m async for m in cli.history(subjects.AUDIT, subjects.audit("firewall"))]) == 2
        assert await (await cli.kv(topology.RELEASES)).get("edge.firewall") is None, (
            "no host is told that it is the newest"
        )


async def test_a_verdict_of_a_push_that_the_ledger_may_have_forgotten_is_refused(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with running_signer(nats, hsm_token) as token, nats.buses("verifier", "cli") as (verifier, cli):
        for number, pushed_ms in enumerate((0, 1, PUSHED_MS - GRACE_MS - 1, PUSHED_MS + 400_000)):
            bundle, push = pass_bundle(f"p{number}"), f"UNIBPF_UPLOADS:{number}"
            verdict = await make_verdict(verifier, f"p{number}", bundle, push_id=push, pushed_ms=pushed_ms)
            await announce(verifier, verdict)
            _, refused = await next_event(cli, subjects.refused(f"p{number}"))
            assert msgspec.json.decode(refused, type=Refused).rule == "verdict-age"
        assert token.signatures == 0


async def test_a_push_under_the_number_and_time_of_another_is_refused(nats: NatsFixture, hsm_token: HsmFixture) -> None:
    async with running_signer(nats, hsm_token) as token, nats.buses("verifier", "cli") as (verifier, cli):
        await two_releases(verifier, cli)
        verdict = await make_verdict(
            verifier, "firewall", pass_bundle("firewall", returns=3), push_id="UNIBPF_UPLOADS:1"
        )
        await announce(verifier, verdict)
        _, refused = await next_event(cli, subjects.refused("firewall"))
        assert (msgspec.json.decode(refused, type=Refused).rule, token.signatures) == ("verdict-push", 2)


@pytest.mark.parametrize("sequence", [2**63 - 1, 2**62, 1, -5, "text"])
async def test_what_is_poisoned_in_stores_is_neither_signed_nor_in_anybodys_way(
    nats: NatsFixture, hsm_token: HsmFixture, sequence: object
) -> None:
    """Counter, reservation, newest release and audit record of the next push, all written before it comes."""
    async with running_signer(nats, hsm_token), nats.buses("verifier", "cli", OPERATOR) as (verifier, cli, operator):
        _, newest = await two_releases(verifier, cli)
        after = (await operator.jetstream.stream_info(subjects.EVENTS)).state.last_seq
        bundle = pass_bundle("firewall", returns=3)
        verdict = await make_verdict(verifier, "firewall", bundle, push_id="UNIBPF_UPLOADS:3")
        release = {
            **msgspec.to_builtins(newest),
            "sequence": sequence,
            "push_id": "UNIBPF_UPLOADS:3",
            "bundle": verdict.bundle,
        }
        audit = await cli.last(subjects.AUDIT, subjects.audit("firewall"))
        assert audit is not None
        forged = {
            f"$KV.{topology.SEQUENCES}.program.edge.firewall": {"sequence": sequence, "push_id": "x"},
            f"$KV.{topology.RESERVATIONS}.push.UNIBPF_UPLOADS.3": {**release, "not_after": None},
            f"$KV.{topology.RELEASES}.edge.firewall": release,
            subjects.audit("firewall"): {**msgspec.json.decode(audit.data), "sequence": sequence},
        }
        for subject, value in forged.items():
            await operator.jetstream.publish(subject, msgspec.json.encode(value))
        await announce(verifier, verdict)
        signed = await signed_of(cli, "firewall", after=after)
        assert newest.sequence < signed.sequence < newest.sequence + 1000
        data = await cli.get_object(signed.envelope)
        release_ = envelope.verify(data, [hsm_token.key])
        assert (release_.sequence, release_.bundle.hex()) == (signed.sequence, verdict.bundle)
        entry = await (await cli.kv(topology.RELEASES)).get("edge.firewall")
        assert entry is not None and entry.decode(Signed) == signed, "hosts are told the genuine one"


@pytest.mark.parametrize("sequence", [2**62, 1, "text"])
async def test_a_poisoned_counter_of_a_graph_is_not_signed(
    nats: NatsFixture, hsm_token: HsmFixture, sequence: object
) -> None:
    async with running_signer(nats, hsm_token), nats.buses("deployer", OPERATOR) as (deployer, operator):
        ask = SignGraph(guest="fw1", audience="edge", name="fw1", graph="Idle -> Discard;")
        first = await deployer.request(subjects.sign_graph(), ask, SignedGraph)
        for text in ("Idle -> Discard;", "Idle -> Counter -> Discard;"):
            poison = {"sequence": sequence, "push_id": f"graph:{envelope.digest(text.encode())}"}
            await operator.jetstream.publish(f"$KV.{topology.SEQUENCES}.graph.edge.fw1", msgspec.json.encode(poison))
            again = await deployer.request(subjects.sign_graph(), replace(ask, graph=text), SignedGraph)
            assert first.sequence <= again.sequence < first.sequence + 1000
            assert (
                envelope.verify(await deployer.get_object(again.envelope), [hsm_token.key]).sequence == again.sequence
            )
        assert (again.sequence, again.envelope) != (first.sequence, first.envelope)


async def test_a_number_that_was_really_signed_too_far_ahead_is_left_by_an_operator(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    ahead = (1000 + 40 * 86400) * 1000  # as a clock that was wrong for an hour gave it
    path = nats.paths.signer_ledger
    Ledger.open(path, now_ms=PUSHED_MS).recover("program.edge.firewall", ahead)
    lines = path.read_text().replace("recovered", "highest")
    path.write_text(lines)
    async with running_signer(nats, hsm_token), nats.buses("verifier", "cli") as (verifier, cli):
        push = {"program": "firewall", "bundle": pass_bundle("firewall")}
        await announce(verifier, await make_verdict(verifier, **push, push_id="UNIBPF_UPLOADS:1"))
        _, refused = await next_event(cli, subjects.refused("firewall"))
        found = msgspec.json.decode(refused, type=Refused)
        assert found.rule == "sequence-ahead" and "unibpf recover sequence" in (found.hint or "")
        Ledger.open(path, now_ms=PUSHED_MS).recover("program.edge.firewall", ahead)
        await announce(verifier, await make_verdict(verifier, **push, push_id="UNIBPF_UPLOADS:2"))
        assert (await signed_of(cli, "firewall")).sequence == ahead + 1


async def listed(cli: Bus, hsm: HsmFixture, *, sequence: int) -> ReleaseList:
    """The signed list of `edge`, once it names a release of that number."""
    async with asyncio.timeout(PATIENCE):
        while True:
            entry = await (await cli.kv(topology.RELEASE_LISTS)).get("edge")
            if entry is not None and entry.value is not None:
                found = release_list.verify(entry.value, [hsm.key])
                if sequence in {one.sequence for one in found.releases}:
                    return found
            await asyncio.sleep(0.05)


async def test_the_signed_list_names_what_is_newest_and_nothing_that_was_forged(
    nats: NatsFixture, hsm_token: HsmFixture
) -> None:
    async with nats.buses("verifier", "cli", OPERATOR) as (verifier, cli, operator):
        async with running_signer(nats, hsm_token):
            first, second = await two_releases(verifier, cli)
            before = await listed(cli, hsm_token, sequence=second.sequence)
            assert [one.envelope.hex() for one in before.releases] == [second.envelope]
        for program, sequence in (("firewall", second.sequence + 5), ("nat", second.sequence)):
            forged = replace(first, program=program, sequence=sequence)
            await operator.jetstream.publish(f"$KV.{topology.RELEASES}.edge.{program}", msgspec.json.encode(forged))
        nats.paths.signer_ledger.unlink()  # as another host's signer begins, whose bucket says so
        async with running_signer(nats, hsm_token):
            bundle = pass_bundle("router")
            await announce(verifier, await make_verdict(verifier, "router", bundle, push_id="UNIBPF_UPLOADS:9"))
            router = await signed_of(cli, "router")
            after = await listed(cli, hsm_token, sequence=router.sequence)
    named = {one.program: one.envelope.hex() for one in after.releases}
    assert named in ({"router": router.envelope}, {"router": router.envelope, "firewall": second.envelope})
    assert after.version > before.version
