"""A verified push becomes a release: evidence, policy, sequence, signature, newest release, in this order."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

from services.signer import policy as policies
from services.signer import verdicts
from services.signer.checking import MAX_CERTIFICATE_BYTES, Checker
from services.signer.errors import CheckerError, EvidenceError, SignerError
from services.signer.policy import Policy, ProgramRequest
from services.signer.releases import is_same_release, program_release, signed_event
from services.signer.sequence import Reservation, Reserved, limit, push_key, read
from services.signer.signing import Request, Signing, is_ours
from services.signer.upkeep.lists import Lists
from unibpf import tracing
from unibpf.bus import Bucket, BusError, BusNotReady, Entry, ObjectCorrupt, ObjectMissing
from unibpf.bus.release_keys import release_key
from unibpf.bus.topology import SETBACKS
from unibpf.client.genuine import difference
from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import MAX_BUNDLE_BYTES, MAX_ENVELOPE_BYTES, EnvelopeError
from unibpf.host.ledger import Row
from unibpf.messages.programs import AuditRecord, Signed, Verdict
from unibpf.push.second_opinion import sentence

logger = logging.getLogger(__name__)

MAX_REPORT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Signs programs. `releases` is KV `unibpf-releases`, `clock` gives Unix seconds."""

    signing: Signing
    checker: Checker
    releases: Bucket
    policy: Policy
    clock: Callable[[], float]
    lists: Lists

    async def release(self, verdict: Verdict) -> Signed:
        """The release of a believed verdict; the same one whenever the same push comes again.

        Evidence and policy are asked anew each time until there is an envelope: a reservation carries numbers, no trust. That
        it is the same is the ledger's word, a file of this host; a push that is not in there and too old for it is refused.
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
        ledger, key = self.signing.ledger, push_key(verdict.push_id)
        row = await asyncio.to_thread(ledger.find, verdict.push_id, verdict.pushed_ms)
        if row is None:
            verdicts.check_age(verdict, closed_ms=ledger.closed_ms, now=now)
        else:
            verdicts.check_push(verdict, row)
        state = await self._look(key, verdict)
        reserved = state.reserved
        if row is None or not row.envelope:
            if state.fault is not None:
                raise state.fault
            asking = Request(
                identity=verdict.identity,
                now=now,
                audited=state.audited,
                certificate=verdict.certificate,
                upload_signed=verdict.upload_signed,
            )
            if row is None:
                row, reserved = await self._begin(key, verdict, allowed, state, asking)
            else:
                row = await self.signing.begin(row, program_release(verdict, row), asking)
            if not row.envelope:
                row = await self.signing.sign(key, row, program_release(verdict, row), reserved, asking)
        signed, newest = signed_event(verdict, row), ledger.newest(row.counter, row.element)
        if newest is None or newest.sequence <= row.sequence:
            await self._note(signed, state.newest)
            self.lists.changed(verdict.audience)
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

    async def _begin(
        self, key: str, verdict: Verdict, allowed: policies.Allowed, state: "_State", asking: Request
    ) -> tuple[Row, Reserved]:
        """Decide what the push is signed as, in the ledger: the newest release when it is this very bundle and did not fail
        anywhere, else a new one.
        """
        newest, reserved, sequence = await self._newest(verdict, state.newest), state.reserved, 0
        is_same = newest is not None and is_same_release(newest, verdict, now=asking.now)
        if newest is not None and is_same and not await self._has_failed(newest):
            wanted = _reservation(verdict, newest)
        else:
            if not await self._is_usable(
                verdict, allowed, None if reserved is None else reserved.reservation, asking.now
            ):
                sequence = await self.signing.sequences.take(
                    _counter(verdict),
                    verdict.push_id,
                    seen=state.counter,
                    floor=self.signing.floor(_counter(verdict), state.audited),
                    now=asking.now,
                )
            wanted = _wanted(verdict, allowed, sequence)
        reserved = await self.signing.sequences.reserve(
            key, wanted, seen=reserved, is_usable=lambda one: self._is_usable(verdict, allowed, one, asking.now)
        )
        row = _row(verdict, reserved.reservation or wanted)
        return await self.signing.begin(row, program_release(verdict, row), asking), reserved

    async def _newest(self, verdict: Verdict, entry: Entry | None) -> Row | None:
        """The newest release of that program: as this host signed it, or a newer one of another host that our key signed."""
        ours = self.signing.ledger.newest(_counter(verdict), verdict.element)
        told = read(entry, Signed)
        if told is None or (ours is not None and told.sequence <= ours.sequence):
            return ours
        if told.bundle != verdict.bundle:
            return None  # whether it is ours or not: this push is not the newest already
        row = _row(verdict, _told(told))
        return row if await self._is_ours(verdict, row) else ours

    async def _is_usable(
        self, verdict: Verdict, allowed: policies.Allowed, reservation: Reservation | None, now: int
    ) -> bool:
        """Whether what another copy decided may be signed: it is about this bundle, above all that was signed here."""
        if reservation is None or (reservation.push_id, reservation.bundle) != (verdict.push_id, verdict.bundle):
            return False
        counter, ledger = _counter(verdict), self.signing.ledger
        if not 0 < reservation.sequence <= limit(now, ledger.recovered(counter)) + 1:
            return False
        if reservation.envelope:
            return await self._is_ours(verdict, _row(verdict, reservation))
        expires = reservation.not_after or math.inf
        is_allowed = reservation.policy == allowed.rule and expires <= (allowed.not_after or math.inf)
        return is_allowed and reservation.sequence > ledger.highest(counter)

    async def _is_ours(self, verdict: Verdict, row: Row) -> bool:
        return await is_ours(self.signing.bus, self.signing.hsm.key, row.envelope, program_release(verdict, row))

    async def _has_failed(self, newest: Row) -> bool:
        """Whether a guest refused or left it: who pushes it again wants it tried again, and guests try what is newer."""
        try:
            found = await (await self.signing.bus.kv(SETBACKS)).get(newest.envelope)
            return found is not None and found.fault is None
        except BusNotReady:  # a server that nobody gave this bucket yet
            return False

    async def _note(self, signed: Signed, seen: Entry | None) -> None:
        """Make it the newest release, unless a newer one is there that our key signed."""
        key, spoilt = release_key(signed.audience, signed.program, signed.element), 0
        found = read(seen, Signed)
        if (
            seen is not None
            and found is not None
            and found.sequence > signed.sequence
            and not await self._is_told(found)
        ):
            logger.error("the newest release `%s` is not believed", key)
            spoilt = seen.revision

        def step(entry: Entry | None) -> Signed | None:
            stands = None if entry is None or entry.revision == spoilt else read(entry, Signed)
            return None if stands is not None and stands.sequence >= signed.sequence else signed

        await self.releases.change(key, step, seen=seen)

    async def _is_told(self, signed: Signed) -> bool:
        """Whether a release in the bucket is one that our key signed."""
        try:
            data = await self.signing.bus.get_object(signed.envelope, max_bytes=MAX_ENVELOPE_BYTES)
            envelopes.verify(data, [self.signing.hsm.key])
        except (EnvelopeError, BusError):
            return False
        return difference(signed, data) is None


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


def _wanted(verdict: Verdict, allowed: policies.Allowed, sequence: int) -> Reservation:
    return Reservation(
        push_id=verdict.push_id,
        sequence=sequence,
        policy=allowed.rule,
        bundle=str(verdict.bundle),
        not_after=allowed.not_after,
    )


def _reservation(verdict: Verdict, row: Row) -> Reservation:
    return Reservation(
        push_id=verdict.push_id,
        sequence=row.sequence,
        policy=row.policy,
        bundle=row.bundle,
        not_after=row.not_after,
        envelope=row.envelope,
    )


def _told(signed: Signed) -> Reservation:
    return Reservation(
        push_id=signed.push_id,
        sequence=signed.sequence,
        policy=signed.policy,
        bundle=signed.bundle,
        not_after=signed.not_after,
        envelope=signed.envelope,
    )


def _row(verdict: Verdict, reservation: Reservation) -> Row:
    return Row(
        push=verdict.push_id,
        pushed_ms=verdict.pushed_ms,
        object=verdict.object,
        counter=_counter(verdict),
        element=verdict.element,
        sequence=reservation.sequence,
        bundle=reservation.bundle,
        policy=reservation.policy,
        not_after=reservation.not_after,
        probation=verdict.probation,
        envelope=reservation.envelope,
    )
