"""The envelope: COSE_Sign1 (RFC 9052 4.2) over a release, exactly as schemas/envelope.cddl has it.

Order of building: `encode_release` and `protected_header` give the two signed byte strings, `to_be_signed` what the HSM
signs, `assemble` the envelope. Order of checking: `parse` (size, shape, payload) and `verify` (key, signature); nothing
of a release may be believed before `verify` has returned.

Invariants: the unprotected header is empty, so every byte is signed or is the signature; the algorithm belongs to the key
and is never chosen by the message; `parse(assemble(...))` gives back the release, and no other bytes parse to it.
"""

import hashlib
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from unibpf.formats import cbor
from unibpf.formats.cbor import Tag
from unibpf.messages.programs import Probation

EDDSA: Final = -8
ES256: Final = -7
ALGORITHMS: Final = {"EdDSA": EDDSA, "ES256": ES256}
COSE_SIGN1: Final = 18
EXTERNAL_AAD: Final = b"unibpf.v1.envelope"
KID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
MAX_ENVELOPE_BYTES: Final = 16384
MAX_BUNDLE_BYTES: Final = 1048576
SIGNED_BUNDLE_BYTES: Final = MAX_ENVELOPE_BYTES + MAX_BUNDLE_BYTES + 16
KINDS: Final = ("filter", "classifier", "rewriter", "graph")
POLICIES: Final = ("keep", "migrate", "reset")
ABI_VERSION: Final = 1

ReleaseKind = Literal["filter", "classifier", "rewriter", "graph"]
MapPolicyName = Literal["keep", "migrate", "reset"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_MAP_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,63}")
_REQUIRED: Final = frozenset((0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11))
_OPTIONAL: Final = frozenset((9, 12, 13))


class EnvelopeError(ValueError):
    """The envelope breaks one rule; `rule` is one of the guest's own ids: size, shape, payload, key, signature."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class VerifierNote(Struct, frozen=True, kw_only=True):
    """Who found the program safe; digests are raw SHA-256. For graphs: `operator` and digests of zero bytes."""

    name: str
    version: str
    options: bytes
    verdict: bytes


class MapPolicy(Struct, frozen=True, kw_only=True):
    """What happens to one map at the swap. A map that is not named is kept."""

    map: str
    policy: MapPolicyName = "keep"
    plan: bytes | None = None


class Release(Struct, frozen=True, kw_only=True):
    """The signed payload. `bundle` is the raw digest of the bundle (of the UTF-8 text for a graph), `length` its bytes."""

    kind: ReleaseKind
    program: str
    sequence: int
    audience: str
    bundle: bytes
    length: int
    verifier: VerifierNote
    element: str = "*"
    abi: int = ABI_VERSION
    not_after: int | None = None
    maps: tuple[MapPolicy, ...] = ()
    precursor: bytes | None = None
    probation: Probation | None = None


class TrustedKey(Struct, frozen=True, kw_only=True):
    """A pinned public key: 32 raw bytes for EdDSA, 65 (04 || X || Y) for ES256. Its algorithm is pinned with it."""

    alg: int
    key: bytes

    @property
    def kid(self) -> bytes:
        """The key id that envelopes carry."""
        return key_id(self.key)


class ParsedEnvelope(Struct, frozen=True, kw_only=True):
    """What an envelope says, not yet believed."""

    alg: int
    kid: bytes
    release: Release
    protected: bytes
    payload: bytes
    signature: bytes


def digest(data: bytes) -> str:
    """SHA-256 as hex: the name under which bytes lie in the object store."""
    return hashlib.sha256(data).hexdigest()


def key_id(public_key: bytes) -> bytes:
    """The first 8 bytes of SHA-256 over the raw public key."""
    return hashlib.sha256(public_key).digest()[:KID_BYTES]


def protected_header(alg: int, kid: bytes) -> bytes:
    """`{1: alg, 4: kid}` encoded."""
    return cbor.encode({1: alg, 4: kid})


def encode_release(release: Release) -> bytes:
    """The payload; raises EnvelopeError `payload` for a release that the guest would refuse as malformed."""
    _check_release(release)
    note = release.verifier
    item: dict[int, Any] = {
        0: 1,
        1: KINDS.index(release.kind),
        2: release.program,
        3: release.element,
        4: release.sequence,
        5: release.audience,
        6: release.bundle,
        7: release.length,
        8: release.abi,
        10: [note.name, note.version, note.options, note.verdict],
        11: [_encode_policy(row) for row in release.maps],
    }
    if release.not_after is not None:
        item[9] = release.not_after
    if release.precursor is not None:
        item[12] = release.precursor
    if release.probation is not None:
        item[13] = _encode_probation(release.probation)
    return cbor.encode(item)


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 4.4 with our external_aad."""
    return cbor.encode(["Signature1", protected, EXTERNAL_AAD, payload])


def assemble(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """The tagged COSE_Sign1 with an empty unprotected header."""
    if len(signature) != SIGNATURE_BYTES:
        raise EnvelopeError("shape", f"got a signature of {len(signature)} bytes, expected {SIGNATURE_BYTES}")
    return cbor.encode(Tag(COSE_SIGN1, [protected, {}, payload, signature]))


def signed_bundle(envelope: bytes, bundle: bytes) -> bytes:
    """`[envelope, bundle]`: what is sent to a guest."""
    return cbor.encode([envelope, bundle])


def parse(envelope: bytes) -> ParsedEnvelope:
    """Take an envelope apart, strictly; believe nothing of it yet."""
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise EnvelopeError("size", f"got an envelope of {len(envelope)} bytes, expected at most {MAX_ENVELOPE_BYTES}")
    match _decode("shape", envelope):
        case Tag(number=18, value=[bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]) if (
            not unprotected and len(signature) == SIGNATURE_BYTES
        ):
            pass
        case _:
            raise EnvelopeError("shape", "got another item, expected a tagged COSE_Sign1 without unprotected header")
    match _decode("shape", protected):
        case {1: int(alg), 4: bytes(kid), **rest} if not rest and len(kid) == KID_BYTES:
            pass
        case _:
            raise EnvelopeError("shape", "got another protected header, expected an `alg` and a `kid` of 8 bytes")
    if alg not in ALGORITHMS.values():
        raise EnvelopeError("key", f"got algorithm {alg}, expected {EDDSA} or {ES256}")
    release = decode_release(payload)
    return ParsedEnvelope(alg=alg, kid=kid, release=release, protected=protected, payload=payload, signature=signature)


def verify(envelope: bytes, keys: Iterable[TrustedKey]) -> Release:
    """The release, if one of `keys` signed it with the algorithm pinned to that key."""
    parsed = parse(envelope)
    key = next((key for key in keys if key.kid == parsed.kid), None)
    if key is None or key.alg != parsed.alg:
        raise EnvelopeError("key", f"no trusted key for `kid` {parsed.kid.hex()} with algorithm {parsed.alg}")
    if not signature_holds(key, to_be_signed(parsed.protected, parsed.payload), parsed.signature):
        raise EnvelopeError("signature", f"the signature does not hold for key {parsed.kid.hex()}")
    return parsed.release


def signature_holds(key: TrustedKey, data: bytes, signature: bytes) -> bool:
    """Whether `signature` (raw, 64 bytes) over `data` is by `key`."""
    try:
        if key.alg == EDDSA:
            ed25519.Ed25519PublicKey.from_public_bytes(key.key).verify(signature, data)
        else:
            # RFC 9053 2.1: r || s, where the library wants DER.
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key.key)
            public.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def decode_release(payload: bytes) -> Release:
    """The payload taken apart; raises EnvelopeError `payload` on anything that the schema does not have."""
    item = _decode("payload", payload)
    if not isinstance(item, dict) or not item.keys() >= _REQUIRED or not item.keys() <= _REQUIRED | _OPTIONAL:
        raise EnvelopeError("payload", "got other map keys, expected 0 to 8, 10, 11 and optionally 9, 12, 13")
    if item[0] != 1:
        raise EnvelopeError("payload", f"got version {item[0]!r}, expected 1")
    kind = item[1]
    if not isinstance(kind, int) or not 0 <= kind < len(KINDS):
        raise EnvelopeError("payload", f"got kind {kind!r}, expected 0 to {len(KINDS) - 1}")
    values: dict[str, Any] = {
        "kind": KINDS[kind],
        "program": item[2],
        "element": item[3],
        "sequence": item[4],
        "audience": item[5],
        "bundle": item[6],
        "length": item[7],
        "abi": item[8],
        "not_after": item.get(9),
        "verifier": _decode_note(item[10]),
        "maps": _decode_policies(item[11]),
        "precursor": item.get(12),
        "probation": _decode_probation(item[13]) if 13 in item else None,
    }
    release = Release(**values)
    _check_release(release)
    return release


def _check_release(release: Release) -> None:
    """Every field against schemas/envelope.cddl, one row a rule."""
    note = release.verifier
    rows: tuple[tuple[str, object, bool], ...] = (
        ("program", release.program, _is_name(release.program)),
        ("element", release.element, isinstance(release.element, str) and 1 <= len(release.element.encode()) <= 63),
        ("sequence", release.sequence, _is_in(release.sequence, 1, (1 << 63) - 1)),
        ("audience", release.audience, _is_name(release.audience)),
        ("bundle", release.bundle, _is_digest(release.bundle)),
        ("length", release.length, _is_in(release.length, 1, MAX_BUNDLE_BYTES)),
        ("abi", release.abi, _is_in(release.abi, ABI_VERSION, ABI_VERSION)),
        ("not_after", release.not_after, release.not_after is None or _is_in(release.not_after, 0, (1 << 64) - 1)),
        ("verifier", note, isinstance(note.name, str) and isinstance(note.version, str)),
        ("verifier", note, _is_digest(note.options) and _is_digest(note.verdict)),
        ("precursor", release.precursor, release.precursor is None or _is_digest(release.precursor)),
        ("maps", release.maps, _are_policies(release.maps)),
        ("probation", release.probation, release.probation is None or _is_probation(release.probation)),
    )
    for field, value, holds in rows:
        if not holds:
            raise EnvelopeError("payload", f"the field `{field}` is malformed: got {value!r}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_in(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and low <= value <= high


def _is_digest(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == hashlib.sha256().digest_size


def _are_policies(rows: tuple[MapPolicy, ...]) -> bool:
    names = [row.map for row in rows]
    well_formed = all(
        isinstance(row.map, str) and _MAP_NAME.fullmatch(row.map) and (row.plan is None or isinstance(row.plan, bytes))
        for row in rows
    )
    return well_formed and all(before < after for before, after in pairwise(names))


def _is_probation(one: Probation) -> bool:
    try:
        return msgspec.convert(msgspec.to_builtins(one), Probation) == one
    except msgspec.ValidationError:
        return False


def _encode_probation(one: Probation) -> list[Any]:
    return [one.time_ms, one.packets, one.share, int(one.counts_aborted)]


def _decode_probation(item: object) -> Probation:
    match item:
        case [int(time_ms), int(packets), int(share), int(aborted)] if aborted in {0, 1}:
            return Probation(time_ms=time_ms, packets=packets, share=share, counts_aborted=aborted == 1)
    raise EnvelopeError("payload", "got another probation, expected time, packets, share, and 0 or 1")


def _encode_policy(row: MapPolicy) -> list[Any]:
    head: list[Any] = [row.map, POLICIES.index(row.policy)]
    return head if row.plan is None else [*head, row.plan]


def _decode_note(item: object) -> VerifierNote:
    match item:
        case [str(name), str(version), bytes(options), bytes(verdict)]:
            return VerifierNote(name=name, version=version, options=options, verdict=verdict)
    raise EnvelopeError("payload", "got another verifier note, expected name, version, options and verdict digests")


def _decode_policies(item: object) -> tuple[MapPolicy, ...]:
    if not isinstance(item, list):
        raise EnvelopeError("payload", "got no array of map policies, expected one")
    return tuple(_decode_policy(row) for row in item)


def _decode_policy(item: object) -> MapPolicy:
    match item:
        case [str(name), int(policy)] if 0 <= policy < len(POLICIES):
            return MapPolicy(map=name, policy=POLICIES[policy])
        case [str(name), int(policy), bytes(plan)] if 0 <= policy < len(POLICIES):
            return MapPolicy(map=name, policy=POLICIES[policy], plan=plan)
    raise EnvelopeError("payload", "got another map policy, expected name, policy 0 to 2 and optionally a plan")


def _decode(rule: str, data: bytes) -> cbor.Item:
    try:
        return cbor.decode(data, max_bytes=MAX_ENVELOPE_BYTES)
    except cbor.CborError as error:
        raise EnvelopeError(rule, f"not deterministic CBOR ({error.rule}): {error}") from error
