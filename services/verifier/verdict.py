"""From a push and its outcome to the event that the signer acts on. Pure."""

import msgspec
from msgspec import Struct

from services.verifier import report
from services.verifier.report import Outcome
from unibpf.bus.errors import Reject
from unibpf.bus.received import Received
from unibpf.messages.base import Identity, ProgramName
from unibpf.messages.programs import MapName, MapWish, Probation, Verdict
from unibpf.messages.reports import verdict_digest
from unibpf.push.upload import ANY_ELEMENT, DEFAULT_AUDIENCE, Upload, UploadError, parse


class Push(Struct, frozen=True, kw_only=True):
    """Who pushed what: the subject's tokens, the place in the stream, and for whom it is meant."""

    push_id: str
    identity: Identity
    program: ProgramName
    audience: str = DEFAULT_AUDIENCE
    element: str = ANY_ELEMENT
    maps: dict[MapName, MapWish] = {}
    probation: Probation | None = None
    pushed_ms: int = 0
    signed: bool = False

    @classmethod
    def of(cls, received: Received) -> "Push":
        """Read an upload. Tokens that are no names have no subject to answer on: Reject. Bad headers: the defaults."""
        identity, program = received.tokens[-2:]
        try:
            upload = parse(received.headers)
        except UploadError:
            upload = Upload()
        fields = {
            "push_id": received.delivery_id,
            "identity": identity,
            "program": program,
            "audience": upload.audience,
            "element": upload.element,
            "maps": upload.maps,
            "probation": upload.probation,
            "pushed_ms": received.stored_us // 1000,
            "signed": received.said is not None,
        }
        try:
            return msgspec.convert(fields, cls)
        except msgspec.ValidationError as error:
            raise Reject(
                "upload-subject", f"`{received.subject:.200}` names no identity and program: {error}"
            ) from error


def verdict(push: Push, outcome: Outcome, *, object_digest: str) -> Verdict:
    """Return the event; its signature is the bus's business."""
    found = outcome.report
    return Verdict(
        push_id=push.push_id,
        identity=push.identity,
        program=push.program,
        audience=push.audience,
        element=push.element,
        verdict=found.verdict,
        object=object_digest,
        report=report.digest(report.encode(found)),
        verdict_digest=verdict_digest(found),
        verifier=found.verifier,
        version=found.version,
        options_digest=found.options_digest,
        bundle=found.bundle,
        bundle_length=found.bundle_length,
        certificate=found.certificate,
        kind=found.kind,
        summary=report.summary(found),
        also=found.also,
        maps=push.maps,
        probation=push.probation,
        pushed_ms=push.pushed_ms,
        upload_signed=push.signed,
    )
