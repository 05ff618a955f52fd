"""A verified push becomes a release: evidence, policy, sequence, signature, newest release, in this order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from services.signer import policy as policies
from services.signer import verdicts
from services.signer.policy import Policy, ProgramRequest
from services.signer.releases import is_same_release, program_release, signed_event
from services.signer.sequence import Reservation, push_key
from services.signer.signing import Signing
from unibpf import tracing
from unibpf.bus import Bucket, Entry
from unibpf.envelope import MAX_BUNDLE_BYTES
from unibpf.messages import Signed, Verdict

MAX_REPORT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Signs programs. `releases` is KV `unibpf-releases`, `clock` gives Unix seconds."""

    signing: Signing
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
            agreeing=[opinion.verifier for opinion in verdict.also if opinion.agrees and opinion.accepts],
        )
        allowed = policies.decide(self.policy, request, now=now)
        key = push_key(verdict.push_id)
        reservation = await self.signing.sequences.find(key)
        if reservation is None or not reservation.envelope:
            await self._check_evidence(verdict)
            reservation = reservation or await self._reserve(key, verdict, allowed, now)
        if not reservation.envelope:
            release = program_release(verdict, reservation)
            reservation = await self.signing.sign(key, release, reservation, identity=verdict.identity, now=now)
        signed = signed_event(verdict, reservation)
        await self._note(signed)
        return signed

    async def _check_evidence(self, verdict: Verdict) -> None:
        with tracing.span("check evidence"):
            bus = self.signing.bus
            report, bundle = await asyncio.gather(
                bus.get_object(verdict.report, max_bytes=MAX_REPORT_BYTES),
                bus.get_object(str(verdict.bundle), max_bytes=MAX_BUNDLE_BYTES),
            )
            verdicts.check_report(verdict, report)
            verdicts.check_bundle(verdict, bundle)

    async def _reserve(self, key: str, verdict: Verdict, allowed: policies.Allowed, now: int) -> Reservation:
        """Decide the sequence: the newest release's when it is this very bundle, else a new one."""
        newest, audited = await asyncio.gather(self._newest(verdict), self.signing.last_audited(verdict.program))
        sequences = self.signing.sequences
        if newest is not None and is_same_release(newest, verdict, now=now):
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
            f"program.{verdict.audience}.{verdict.program}",
            verdict.push_id,
            audited=0 if audited is None else audited.sequence,
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

    async def _newest(self, verdict: Verdict) -> Signed | None:
        entry = await self.releases.get(f"{verdict.audience}.{verdict.program}")
        return None if entry is None else entry.decode(Signed)

    async def _note(self, signed: Signed) -> None:
        """Make it the newest release unless a newer one is there."""

        def step(entry: Entry | None) -> Signed | None:
            newer = entry is not None and entry.decode(Signed).sequence >= signed.sequence
            return None if newer else signed

        await self.releases.change(f"{signed.audience}.{signed.program}", step)
