"""From a decision to a stored envelope, in an order that any crash may interrupt.

1. bounds, encoding, then the ledger of this host and the audit record: a signature that nobody wrote down cannot exist
2. the HSM signs
3. the envelope is checked with the public key and stored
4. ledger and reservation name it  from here on every redelivery gives this envelope
"""

import asyncio
import logging
from dataclasses import dataclass

from msgspec.structs import replace

from services.signer.errors import HsmError
from services.signer.hsm import Hsm
from services.signer.releases import audit_record
from services.signer.sequence import Floor, Reserved, Sequences, check
from unibpf import subjects, tracing
from unibpf.bus import Bus, BusError, Reject
from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import EnvelopeError, Release, TrustedKey
from unibpf.host.ledger import Ledger, Row
from unibpf.messages.programs import AuditRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """Who asks and when (Unix seconds); `audited` is the newest audit record of that name, read since the request came.

    `certificate` is the digest of the proof that was checked, of a program.
    """

    identity: str
    now: int
    audited: AuditRecord | None
    certificate: str | None = None
    upload_signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Signing:
    """The HSM, the audit log, the reservations, and what this host has signed."""

    bus: Bus
    hsm: Hsm
    sequences: Sequences
    ledger: Ledger

    async def last_audited(self, program: str) -> AuditRecord | None:
        """The newest audit record of a program or graph of this name."""
        found = await self.bus.last(subjects.AUDIT, subjects.audit(program))
        try:
            return None if found is None else found.decode(AuditRecord)
        except Reject as error:
            logger.warning("the audit record of `%s` is not believed: %s", program, error)
            return None

    def floor(self, counter: str, audited: AuditRecord | None) -> Floor:
        """What a new number of `counter` has to be above."""
        return Floor(
            audited=0 if audited is None else audited.sequence,
            signed=self.ledger.highest(counter),
            recovered=self.ledger.recovered(counter),
        )

    async def begin(self, row: Row, release: Release, request: Request) -> Row:
        """Write down what is to be signed; what stands in the ledger for that push, if somebody was faster.

        Bounds and encoding come first: what cannot be signed is in no log.
        """
        check(row.sequence, now=request.now, recovered=self.ledger.recovered(row.counter))
        envelopes.encode_release(release)
        if row.envelope:  # of the newest release: there is nothing to sign
            return await asyncio.to_thread(self.ledger.note, row)
        stands, _ = await asyncio.gather(
            asyncio.to_thread(self.ledger.note, row), self._audit(release, row, request)
        )  # each waits for a disk
        return stands

    async def sign(self, key: str, row: Row, release: Release, reserved: Reserved | None, request: Request) -> Row:
        """The row with its envelope; signs unless another copy did meanwhile. `begin` comes first, each time."""
        check(row.sequence, now=request.now, recovered=self.ledger.recovered(row.counter))
        protected = envelopes.protected_header(self.hsm.key.alg, self.hsm.key.kid)
        payload = envelopes.encode_release(release)
        data = envelopes.to_be_signed(protected, payload)
        with tracing.span(
            "sign", attributes={"unibpf.sequence": release.sequence, "unibpf.kid": self.hsm.key.kid.hex()}
        ):
            signature = await self.hsm.sign(data)
        if not envelopes.signature_holds(self.hsm.key, data, signature):
            raise HsmError("the token gave a signature that its own public key refuses")
        digest = await self.bus.put_object(envelopes.assemble(protected, payload, signature), is_new=True)
        if reserved is not None:
            await self.sequences.fulfil(key, reserved, digest)
        return await asyncio.to_thread(self.ledger.fulfil, row, digest)

    async def _audit(self, release: Release, row: Row, request: Request) -> None:
        record = audit_record(release, row, identity=request.identity, kid=self.hsm.key.kid, now=request.now)
        record = replace(record, certificate=request.certificate, upload_signed=request.upload_signed)
        last = request.audited
        if last is not None and replace(last, signed_at=record.signed_at) == record:
            return
        await self.bus.publish(subjects.audit(release.program), record)


async def is_ours(bus: Bus, key: TrustedKey, digest: str, wanted: Release) -> bool:
    """Whether the envelope under `digest` was signed by our key for what `wanted` says; who verified it may differ."""
    try:
        found = envelopes.verify(await bus.get_object(digest, max_bytes=envelopes.MAX_ENVELOPE_BYTES), [key])
    except (EnvelopeError, BusError) as error:
        logger.warning("envelope `%.64s` is not believed: %s", digest, error)
        return False
    return _essence(found) == _essence(wanted)


def _essence(release: Release) -> tuple[object, ...]:
    return (
        release.kind,
        release.program,
        release.element,
        release.sequence,
        release.audience,
        release.bundle,
        release.not_after,
        release.probation,
    )
