"""A verified push becomes a release: evidence, policy, sequence, signature, newest release, in this order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from services.signer import policy as policies
from services.signer import verdicts
from services.signer.checking import MAX_CERTIFICATE_BYTES, Checker
from services.signer.errors import CheckerError, EvidenceError, SignerError
from services.signer.policy import Policy, ProgramRequest
from services.signer.releases import is_same_release, program_release, signed_event
from services.signer.sequence import Reservation, Reserved, push_key
from services.signer.signing import Request, Signing
from unibpf import tracing
from unibpf.bus import Bucket, BusError, BusNotReady, Entry, ObjectCorrupt, ObjectMissing
from unibpf.bus.release_keys import release_key
from unibpf.bus.topology import SETBACKS
from unibpf.formats.envelope import MAX_BUNDLE_BYTES
from unibpf.messages.programs import AuditRecord, Signed, Verdict
from unibpf.push.second_opinion import sentence

MAX_REPORT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Signs programs. `releases` is KV `unibpf-releases`, `clock` gives Unix seconds."""

    signing: Signing
    checker: Checker
    releases: Bucket
    policy: Policy
    clock: Callable[[], float]

    async def release(self, verdict: Verdict) -> Signed:
        """The release of a believed verdict; the same one whenever the same push comes again.

        Evidence and policy are asked anew each time until there is an envelope: a reservation carries numbers, no trust.
        """
        now = int(self.clock())
        request = ProgramRequest(
            identity=verdict.identity,
            program=verdict.program,
            audience=verdict.audience,
            kind=str(verdict.kind),
            element=verdict.element,
            signed=verdict.upload_signed,
            agreeing=[opinion.verifier for opinion in verdict.also if opinion.agrees and opinion.accepts],
            others={one.verifier: sentence(one, verdict.program) for one in verdict.also if not one.accepts},
        )
        allowed = policies.decide(self.policy, request, now=now)
        key = push_key(verdict.push_id)
        state = await self._look(key, verdict)
        reserved = state.reserved
        if reserved is None or not reserved.reservation.envelope:
            if state.fault is not None:
                raise state.fault
            reserved = reserved or await self._reserve(key, verdict, allowed, state, now)
        reservation = reserved.reservation
        if not reservation.envelope:
            release = program_release(verdict, reservation)
            asking = Request(
                identity=verdict.identity,
                now=now,
                audited=state.audited,
                certificate=verdict.certificate,
                upload_signed=verdict.upload_signed,
            )
            reservation = await self.signing.sign(key, release, reserved, asking)
        signed = signed_event(verdict, reservation)
        await self._note(signed, state.newest)
        return signed

    async def _look(self, key: str, verdict: Verdict) -> "_State":
        """Read at once all that the rest depends on: every write of it names what was read here, and fails if that changed."""
        sequences = self.signing.sequences
        reserved, counter, newest, audited, fault = await asyncio.gather(
            sequences.find(key),
            sequences.counters.get(_counter(verdict)),
            self.releases.get(release_key(verdict.audience, verdict.program, verdict.element)),
            self.signing.last_audited(verdict.program),
            self._fault_of_evidence(verdict),
        )
        return _State(reserved=reserved, counter=counter, newest=newest, audited=audited, fault=fault)

    async def _fault_of_evidence(self, verdict: Verdict) -> SignerError | BusError | None:
        """What the evidence lacks: for the caller to raise, where it matters."""
        try:
            with tracing.span("check evidence"):
                bus, proof = self.signing.bus, verdicts.certificate_of(verdict)
                report, bundle, certificate = await asyncio.gather(
                    bus.get_object(verdict.report, max_bytes=MAX_REPORT_BYTES),
                    bus.get_object(str(verdict.bundle), max_bytes=MAX_BUNDLE_BYTES),
                    bus.get_object(proof, max_bytes=MAX_CERTIFICATE_BYTES),
                )
                verdicts.check_report(verdict, report)
                verdicts.check_bundle(verdict, bundle)
                with tracing.span("check certificate"):
                    await self.checker.check(bundle, certificate)
        except (EvidenceError, CheckerError, ObjectMissing, ObjectCorrupt) as error:
            return error
        return None

    async def _reserve(
        self, key: str, verdict: Verdict, allowed: policies.Allowed, state: "_State", now: int
    ) -> Reserved:
        """Decide the sequence: the newest release's when it is this very bundle and did not fail anywhere, else a new one."""
        sequences = self.signing.sequences
        newest = None if state.newest is None else state.newest.decode(Signed)
        if newest is not None and is_same_release(newest, verdict, now=now) and not await self._has_failed(newest):
            wanted = Reservation(
                push_id=verdict.push_id,
                sequence=newest.sequence,
                policy=newest.policy,
                bundle=newest.bundle,
                not_after=newest.not_after,
                envelope=newest.envelope,
            )
            return await sequences.reserve(key, wanted)
        sequence = await sequences.take(
            _counter(verdict),
            verdict.push_id,
            seen=state.counter,
            audited=0 if state.audited is None else state.audited.sequence,
            now=now,
        )
        wanted = Reservation(
            push_id=verdict.push_id,
            sequence=sequence,
            policy=allowed.rule,
            bundle=str(verdict.bundle),
            not_after=allowed.not_after,
        )
        return await sequences.reserve(key, wanted)

    async def _has_failed(self, newest: Signed) -> bool:
        """Whether a guest refused or left it: who pushes it again wants it tried again, and guests try what is newer."""
        try:
            found = await (await self.signing.bus.kv(SETBACKS)).get(newest.envelope)
            return found is not None and found.fault is None
        except BusNotReady:  # a server that nobody gave this bucket yet
            return False

    async def _note(self, signed: Signed, seen: Entry | None) -> None:
        """Make it the newest release unless a newer one is there."""

        def step(entry: Entry | None) -> Signed | None:
            newer = entry is not None and entry.decode(Signed).sequence >= signed.sequence
            return None if newer else signed

        key = release_key(signed.audience, signed.program, signed.element)
        await self.releases.change(key, step, seen=seen)


@dataclass(frozen=True, kw_only=True)
class _State:
    """What is on the bus about a push: its reservation, the counter, the newest release, the newest audit record.

    `fault` is what the evidence lacks.
    """

    reserved: Reserved | None
    counter: Entry | None
    newest: Entry | None
    audited: AuditRecord | None
    fault: SignerError | BusError | None


def _counter(verdict: Verdict) -> str:
    return f"program.{verdict.audience}.{verdict.program}"
