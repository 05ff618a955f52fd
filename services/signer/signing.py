"""From a decision to a stored envelope, in an order that any crash may interrupt.

1. the audit record is written     a signature that nobody wrote down cannot exist
2. the HSM signs
3. the envelope is checked with the public key and stored
4. the reservation names it        from here on every redelivery gives this envelope
"""

from dataclasses import dataclass

from msgspec.structs import replace

from services.signer.errors import HsmError
from services.signer.hsm import Hsm
from services.signer.releases import audit_record
from services.signer.sequence import Reservation, Reserved, Sequences
from unibpf import subjects, tracing
from unibpf.bus import Bus
from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import Release
from unibpf.messages.programs import AuditRecord


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
    """The HSM, the audit log and the reservations."""

    bus: Bus
    hsm: Hsm
    sequences: Sequences

    async def last_audited(self, program: str) -> AuditRecord | None:
        """The newest audit record of a program or graph of this name."""
        found = await self.bus.last(subjects.AUDIT, subjects.audit(program))
        return None if found is None else found.decode(AuditRecord)

    async def sign(self, key: str, release: Release, reserved: Reserved, request: Request) -> Reservation:
        """The reservation with its envelope; signs unless another copy did meanwhile."""
        protected = envelopes.protected_header(self.hsm.key.alg, self.hsm.key.kid)
        payload = envelopes.encode_release(release)  # before the audit: what cannot be encoded was not signed
        await self._audit(release, reserved.reservation, request)
        data = envelopes.to_be_signed(protected, payload)
        with tracing.span(
            "sign", attributes={"unibpf.sequence": release.sequence, "unibpf.kid": self.hsm.key.kid.hex()}
        ):
            signature = await self.hsm.sign(data)
        if not envelopes.signature_holds(self.hsm.key, data, signature):
            raise HsmError("the token gave a signature that its own public key refuses")
        digest = await self.bus.put_object(envelopes.assemble(protected, payload, signature), is_new=True)
        return await self.sequences.fulfil(key, reserved, digest)

    async def _audit(self, release: Release, reservation: Reservation, request: Request) -> None:
        last = request.audited
        if last is not None and (last.push_id, last.sequence) == (reservation.push_id, reservation.sequence):
            return
        record = audit_record(release, reservation, identity=request.identity, kid=self.hsm.key.kid, now=request.now)
        record = replace(record, certificate=request.certificate, upload_signed=request.upload_signed)
        await self.bus.publish(subjects.audit(release.program), record)
