"""The life of one pushed program: verdict, signature or refusal, and the record of it."""

from typing import Annotated, Literal

from msgspec import Meta

from unibpf.messages.base import (
    Audience,
    Digest,
    ElementName,
    GuestName,
    Identity,
    Kind,
    Message,
    ProgramName,
    whole,
)
from unibpf.messages.reports import SecondOpinion, VerdictKind

MapName = Annotated[str, whole("[A-Za-z0-9_.]{1,63}")]
MapWish = Literal["keep", "reset"]


class Probation(Message, frozen=True, kw_only=True):
    """How long a guest watches a new program, by time and packets, whichever is later, and when it leaves it.

    It does where one packet in `share` is bad, or more: its run was stopped or, with `counts_aborted`, ended in XDP_ABORTED.
    Where every packet is one of these, it does anyway.
    """

    time_ms: Annotated[int, Meta(ge=1, le=3_600_000)] = 2000
    packets: Annotated[int, Meta(ge=1, le=1_000_000)] = 64
    share: Annotated[int, Meta(ge=1, le=1_000_000)] = 64
    counts_aborted: bool = False


class Verdict(Message, frozen=True, kw_only=True):
    """`program.verified` / `program.rejected`: the verdict over one pushed object.

    `push_id` is the stream sequence of the upload (`<stream>:<sequence>`), `pushed_ms` when the server stored it (Unix ms): a
    redelivered upload keeps both, and the signer signs one pair once. `audience` is what
    the pusher asked for (header `Unibpf-Audience`), `maps` what he wants of maps at the swap (`Unibpf-Maps`; not named: keep),
    `probation` how it is to be watched (`Unibpf-Probation`; None: as the guest does by itself).
    Header `Unibpf-Signature` (base64) is the verifier's nkey signature over the payload bytes. `also` are the opinions of
    other verifiers that this one was told to ask, the same as in the report. `upload_signed`: the pusher's key signed the
    upload (docs/authority.md); where not, the server alone vouches for `identity`.
    """

    push_id: str
    identity: Identity
    program: ProgramName
    audience: Audience
    verdict: VerdictKind
    object: Digest
    report: Digest
    verdict_digest: Digest
    verifier: str
    version: str
    options_digest: Digest
    bundle: Digest | None = None
    bundle_length: int = 0
    kind: Kind | None = None
    certificate: Digest | None = None
    element: str = "*"
    summary: str = ""
    also: list[SecondOpinion] = []
    maps: dict[MapName, MapWish] = {}
    probation: Probation | None = None
    pushed_ms: int = 0
    upload_signed: bool = False


class Signed(Message, frozen=True, kw_only=True):
    """`program.signed`: an envelope exists; the bytes are in the object store under `envelope` and `bundle`."""

    push_id: str
    program: ProgramName
    audience: Audience
    kind: Kind
    element: str
    sequence: int
    envelope: Digest
    bundle: Digest
    policy: str
    identity: Identity
    not_after: int | None = None
    probation: Probation | None = None
    upload_signed: bool = False


class Refused(Message, frozen=True, kw_only=True):
    """`program.refused`: the signer would not sign."""

    push_id: str
    program: ProgramName
    audience: Audience
    identity: Identity
    rule: str
    reason: str
    hint: str | None = None


class AuditRecord(Message, frozen=True, kw_only=True):
    """One decision of the signer, written before the HSM is asked. `certificate` is of programs: the proof that was checked."""

    push_id: str
    program: ProgramName
    audience: Audience
    identity: Identity
    sequence: int
    bundle: Digest
    verdict_digest: Digest
    policy: str
    signed_at: int
    kid: str
    certificate: Digest | None = None
    upload_signed: bool = False


class Setback(Message, frozen=True, kw_only=True):
    """KV `unibpf-setbacks`, key `<envelope>`: a release that a guest refused or left. Pushed again, it is signed anew.

    What failed on a guest is not offered there again; with a new sequence the same bytes are another release.
    """

    guest: GuestName
    element: ElementName
    state: Literal["rolled_back", "refused"]
    at_us: int


class Counter(Message, frozen=True, kw_only=True):
    """KV `unibpf-sequences`, key `{program,graph}.<audience>.<name>`: the highest number given out."""

    sequence: int
    push_id: str
