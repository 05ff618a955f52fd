"""What exactly is signed for a push or a graph. Pure: the same input gives the same bytes, so a redelivery changes nothing."""

from unibpf.formats.envelope import MapPolicy, Release, VerifierNote
from unibpf.host.ledger import Row
from unibpf.messages.graphs import SignGraph
from unibpf.messages.programs import AuditRecord, Signed, Verdict

GRAPH_SIGNER = "operator"
GRAPH_SIGNER_VERSION = "1"
_NO_DIGEST = bytes(32)


def program_release(verdict: Verdict, row: Row) -> Release:
    """The release of a verified program; maps keep their contents unless the pusher says otherwise."""
    if verdict.bundle is None or verdict.kind is None:
        raise AssertionError("a believed verdict names bundle and kind")
    return Release(
        kind=verdict.kind,
        program=verdict.program,
        element=verdict.element,
        sequence=row.sequence,
        audience=verdict.audience,
        bundle=bytes.fromhex(verdict.bundle),
        length=verdict.bundle_length,
        not_after=row.not_after,
        probation=verdict.probation,
        maps=tuple(MapPolicy(map=name, policy=wish) for name, wish in sorted(verdict.maps.items()) if wish != "keep"),
        verifier=VerifierNote(
            name=verdict.verifier,
            version=verdict.version,
            options=bytes.fromhex(verdict.options_digest),
            verdict=bytes.fromhex(verdict.verdict_digest),
        ),
    )


def graph_release(request: SignGraph, row: Row) -> Release:
    """The release of a graph's text; nobody verified it but the operator whose policy allows it."""
    return Release(
        kind="graph",
        program=request.name,
        sequence=row.sequence,
        audience=request.audience,
        bundle=bytes.fromhex(row.bundle),
        length=len(request.graph.encode()),
        not_after=row.not_after,
        verifier=VerifierNote(
            name=GRAPH_SIGNER,
            version=GRAPH_SIGNER_VERSION,
            options=_NO_DIGEST,
            verdict=_NO_DIGEST,
        ),
    )


def audit_record(release: Release, row: Row, *, identity: str, kid: bytes, now: int) -> AuditRecord:
    """What is written down before the HSM is asked."""
    return AuditRecord(
        push_id=row.push,
        program=release.program,
        audience=release.audience,
        identity=identity,
        sequence=release.sequence,
        bundle=release.bundle.hex(),
        verdict_digest=release.verifier.verdict.hex(),
        policy=row.policy,
        signed_at=now,
        kid=kid.hex(),
    )


def signed_event(verdict: Verdict, row: Row) -> Signed:
    """The event, and the value of KV `unibpf-releases`."""
    if verdict.bundle is None or verdict.kind is None:
        raise AssertionError("a believed verdict names bundle and kind")
    return Signed(
        push_id=verdict.push_id,
        program=verdict.program,
        audience=verdict.audience,
        kind=verdict.kind,
        element=verdict.element,
        sequence=row.sequence,
        envelope=row.envelope,
        bundle=verdict.bundle,
        policy=row.policy,
        identity=verdict.identity,
        not_after=row.not_after,
        probation=verdict.probation,
        upload_signed=verdict.upload_signed,
    )


def is_same_release(newest: Row | None, verdict: Verdict, *, now: int) -> bool:
    """Whether the push asks for what is the newest release already, and that still holds. To empty a map is an act anew."""
    return (
        newest is not None
        and "reset" not in verdict.maps.values()
        and (newest.bundle, newest.element) == (verdict.bundle, verdict.element)
        and newest.probation == verdict.probation
        and (newest.not_after is None or newest.not_after > now)
    )
