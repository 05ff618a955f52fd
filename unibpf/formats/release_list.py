"""The signed list of what is current for an audience (schemas/release-list.cddl): COSE_Sign1 as envelopes are, of its own kind.

As a snapshot of TUF it has a version that only rises and a time: who has nothing of his own to compare a release with (a host
that never saw the guest) takes what a list of not long ago names, and no other.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from unibpf.formats import cbor
from unibpf.formats.cbor import Tag
from unibpf.formats.envelope import (
    COSE_SIGN1,
    KID_BYTES,
    SIGNATURE_BYTES,
    EnvelopeError,
    TrustedKey,
    protected_header,
    signature_holds,
)

EXTERNAL_AAD: Final = b"unibpf.v1.release-list"
MAX_LIST_BYTES: Final = 512 << 10
MAX_ENTRIES: Final = 3000


class Current(Struct, frozen=True, kw_only=True):
    """One release: the newest of its program for `element`; the envelope's digest is raw."""

    program: str
    element: str
    sequence: int
    envelope: bytes


class ReleaseList(Struct, frozen=True, kw_only=True):
    """All that is current for `audience`, as of `time` (Unix seconds)."""

    audience: str
    version: int
    time: int
    releases: tuple[Current, ...] = ()

    def names(self, program: str, element: str, envelope: str) -> bool:
        """Whether that envelope is what is current."""
        return any(
            (one.program, one.element, one.envelope.hex()) == (program, element, envelope) for one in self.releases
        )


def encode(wanted: ReleaseList) -> bytes:
    """The payload; raises EnvelopeError where there are too many."""
    if len(wanted.releases) > MAX_ENTRIES:
        raise EnvelopeError("size", f"got {len(wanted.releases)} releases, expected at most {MAX_ENTRIES}")
    rows = sorted((one.program, one.element, one.sequence, one.envelope) for one in wanted.releases)
    return cbor.encode({0: 1, 1: wanted.audience, 2: wanted.version, 3: wanted.time, 4: [list(row) for row in rows]})


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 4.4: with another external_aad than envelopes, so neither passes for the other."""
    return cbor.encode(["Signature1", protected, EXTERNAL_AAD, payload])


def assemble(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """The tagged COSE_Sign1."""
    return cbor.encode(Tag(COSE_SIGN1, [protected, {}, payload, signature]))


def verify(data: bytes, keys: Iterable[TrustedKey]) -> ReleaseList:
    """The list, if one of `keys` signed it; raises EnvelopeError."""
    match _decode(data):
        case Tag(number=18, value=[bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]) if (
            not unprotected and len(signature) == SIGNATURE_BYTES
        ):
            pass
        case _:
            raise EnvelopeError("shape", "got another item, expected a tagged COSE_Sign1 without unprotected header")
    for key in keys:
        if protected == protected_header(key.alg, key.kid) and len(key.kid) == KID_BYTES:
            if not signature_holds(key, to_be_signed(protected, payload), signature):
                raise EnvelopeError("signature", f"the signature does not hold for key {key.kid.hex()}")
            return _list(_decode(payload))
    raise EnvelopeError("key", "no trusted key signed the list")


def _list(item: Any) -> ReleaseList:
    match item:
        case {0: 1, 1: str(audience), 2: int(version), 3: int(time), 4: list(rows), **rest} if not rest:
            return ReleaseList(audience=audience, version=version, time=time, releases=tuple(map(_current, rows)))
    raise EnvelopeError("payload", "got another item, expected a release list of version 1")


def _current(row: Any) -> Current:
    match row:
        case [str(program), str(element), int(sequence), bytes(envelope)] if len(envelope) == 32:
            return Current(program=program, element=element, sequence=sequence, envelope=envelope)
    raise EnvelopeError("payload", "got another row, expected program, element, sequence and digest")


def _decode(data: bytes) -> Any:
    try:
        return cbor.decode(data, max_bytes=MAX_LIST_BYTES)
    except cbor.CborError as error:
        raise EnvelopeError("shape", str(error)) from error
