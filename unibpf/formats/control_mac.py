"""Authentication of the guest's control channel: keys from the boot seed, COSE_Mac0 over requests and answers. Pure.

schemas/control.cddl is the contract. What holds afterwards, in the words of design 6:
- a request says direction, method, path, guest, boot nonce, counter and body, so it can't be moved to another;
- an answer repeats all of it and the request's tag, so it answers exactly one request;
- each direction has its own key, so an answer can't be reflected as a request.

The order of the checks when opening: shape, then tag (constant time), then claims. Only a message whose tag is right
gets its claims compared, so an error other than `shape` or `mac` comes from someone who holds the seed.
"""

import hashlib
import hmac
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from msgspec import Struct

from unibpf.formats import cbor
from unibpf.formats.control_keys import MacClaimsKey

AAD: Final = b"unibpf.v1.control"
SALT: Final = b"unibpf.v1"
NONCE_BYTES: Final = 16
KEY_BYTES: Final = 32
MAX_BYTES: Final = 2 << 20
COSE_MAC0: Final = 17  # RFC 9052 table 1
PROTECTED: Final = bytes.fromhex("a10105")  # {1: 5}: HMAC 256/256, RFC 9053 3.1
REQUEST: Final = 0
ANSWER: Final = 1

_CLAIM_TYPES: Final = dict(zip(MacClaimsKey, (int, int, str, str, bytes, int, bytes, bytes), strict=True))

METHODS: Final = {"POST": 2, "PUT": 3, "FETCH": 5}  # RFC 7252 12.1.1, RFC 8132 7


class MacError(Exception):
    """A message that can't be trusted; `rule` is `shape`, `mac`, or the name of the claim that differs."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


class ControlKeys(Struct, frozen=True, kw_only=True):
    """The keys of one boot of one guest, and its nonce (which is no secret)."""

    guest: str
    nonce: bytes
    to_guest: bytes
    from_guest: bytes

    def __repr__(self) -> str:
        return f"ControlKeys(guest={self.guest!r}, nonce={self.nonce.hex()})"


class Claims(Struct, frozen=True, kw_only=True):
    """What a MAC covers besides the body. `code`: the method's code in a request, the response code in an answer."""

    direction: int
    code: int
    path: str
    guest: str
    nonce: bytes
    counter: int
    request_tag: bytes | None = None


class Sealed(Struct, frozen=True, kw_only=True):
    """Bytes to send, and what an answer to them must repeat."""

    message: bytes
    claims: Claims
    tag: bytes


class Opened(Struct, frozen=True, kw_only=True):
    """A message whose MAC was right: its claims, its body, its tag."""

    claims: Claims
    body: bytes
    tag: bytes


def derive(guest: str, seed: bytes) -> ControlKeys:
    """HKDF-SHA-256 of RFC 5869 with the labels of schemas/control.cddl."""
    prk = hmac.digest(SALT, seed, "sha256")  # RFC 5869 2.2
    return ControlKeys(
        guest=guest,
        nonce=_expand(prk, b"boot-nonce", NONCE_BYTES),
        to_guest=_expand(prk, b"to-guest", KEY_BYTES),
        from_guest=_expand(prk, b"from-guest", KEY_BYTES),
    )


def seal(keys: ControlKeys, claims: Claims, body: bytes) -> Sealed:
    """`[mac0, body]` under the key of the claims' direction."""
    items: dict[int, Any] = {
        MacClaimsKey.DIRECTION: claims.direction,
        MacClaimsKey.CODE: claims.code,
        MacClaimsKey.PATH: claims.path,
        MacClaimsKey.GUEST: claims.guest,
        MacClaimsKey.NONCE: claims.nonce,
        MacClaimsKey.COUNTER: claims.counter,
        MacClaimsKey.BODY_DIGEST: hashlib.sha256(body).digest(),
    }
    if claims.request_tag is not None:
        items[MacClaimsKey.REQUEST_TAG] = claims.request_tag
    payload = cbor.encode(items)
    tag = _tag(_key(keys, claims.direction), payload)
    mac0 = cbor.encode(cbor.Tag(COSE_MAC0, [PROTECTED, {}, payload, tag]))
    return Sealed(message=cbor.encode([mac0, body]), claims=claims, tag=tag)


def seal_request(keys: ControlKeys, *, method: str, path: str, counter: int, body: bytes) -> Sealed:
    """A request of `method` (`PUT`, `POST`, `FETCH`) to the guest."""
    claims = Claims(
        direction=REQUEST, code=METHODS[method], path=path, guest=keys.guest, nonce=keys.nonce, counter=counter
    )
    return seal(keys, claims, body)


def seal_answer(keys: ControlKeys, request: Opened, *, code: int, body: bytes) -> Sealed:
    """The guest's answer to `request`, as the fake guest of the tests makes it."""
    asked = request.claims
    claims = Claims(
        direction=ANSWER,
        code=code,
        path=asked.path,
        guest=asked.guest,
        nonce=keys.nonce,
        counter=asked.counter,
        request_tag=request.tag,
    )
    return seal(keys, claims, body)


def open_request(keys: ControlKeys, message: bytes, *, method: str, path: str) -> Opened:
    """A request as the guest checks it; the counter is for the caller to judge."""
    opened = _open(keys, REQUEST, message)
    _same(opened.claims, code=METHODS[method], path=path, guest=keys.guest, nonce=keys.nonce, request_tag=None)
    return opened


def open_answer(keys: ControlKeys, message: bytes, *, request: Sealed, code: int) -> bytes:
    """The body of the answer to `request` that came with response code `code`."""
    opened = _open(keys, ANSWER, message)
    asked = request.claims
    same = {"path": asked.path, "guest": asked.guest, "nonce": asked.nonce, "counter": asked.counter}
    _same(opened.claims, code=code, request_tag=request.tag, **same)
    return opened.body


def _open(keys: ControlKeys, direction: int, message: bytes) -> Opened:
    protected, payload, tag, body = _split(message)
    _expect(protected == PROTECTED, "shape", f"got protected header `{protected.hex()}`, expected `{PROTECTED.hex()}`")
    right = _tag(_key(keys, direction), payload)
    _expect(hmac.compare_digest(tag, right), "mac", "the tag does not fit the message")
    claims, digest = _claims(payload)
    _expect(claims.direction == direction, "direction", f"got {claims.direction}, expected {direction}")
    _expect(hmac.compare_digest(digest, hashlib.sha256(body).digest()), "body", "the digest does not fit the body")
    return Opened(claims=claims, body=body, tag=tag)


def _split(message: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    outer = _decode(message)
    is_pair = isinstance(outer, list) and len(outer) == 2 and all(isinstance(item, bytes) for item in outer)
    _expect(is_pair, "shape", "expected `[mac0, body]`")
    mac0 = _decode(outer[0])
    is_mac = isinstance(mac0, cbor.Tag) and mac0.number == COSE_MAC0 and isinstance(mac0.value, list)
    _expect(is_mac and len(mac0.value) == 4, "shape", "expected tag 17 and an array of four")
    protected, unprotected, payload, tag = mac0.value
    are_bytes = all(isinstance(item, bytes) for item in (protected, payload, tag))
    _expect(are_bytes and unprotected == {}, "shape", "expected an empty unprotected header and byte strings")
    return protected, payload, tag, outer[1]


def _claims(payload: bytes) -> tuple[Claims, bytes]:
    items = _decode(payload)
    is_map = isinstance(items, dict) and set(items) | {MacClaimsKey.REQUEST_TAG} == set(MacClaimsKey)
    _expect(is_map, "shape", "expected a map of the keys 0 to 6 and perhaps 7")
    _expect(
        all(type(value) is _CLAIM_TYPES[key] for key, value in items.items()), "shape", "a claim is of the wrong type"
    )
    claims = Claims(
        direction=items[MacClaimsKey.DIRECTION],
        code=items[MacClaimsKey.CODE],
        path=items[MacClaimsKey.PATH],
        guest=items[MacClaimsKey.GUEST],
        nonce=items[MacClaimsKey.NONCE],
        counter=items[MacClaimsKey.COUNTER],
        request_tag=items.get(MacClaimsKey.REQUEST_TAG),
    )
    return claims, items[MacClaimsKey.BODY_DIGEST]


def _same(claims: Claims, **expected: Any) -> None:
    for name, value in expected.items():
        got = getattr(claims, name)
        _expect(got == value, name, f"got `{_show(got)}`, expected `{_show(value)}`")


def _show(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _decode(data: bytes) -> Any:
    try:
        return cbor.decode(data, max_bytes=MAX_BYTES)
    except cbor.CborError as error:
        raise MacError("shape", str(error)) from error


def _key(keys: ControlKeys, direction: int) -> bytes:
    return keys.to_guest if direction == REQUEST else keys.from_guest


def _tag(key: bytes, payload: bytes) -> bytes:
    """RFC 9052 6.3: HMAC over the MAC_structure."""
    return hmac.digest(key, cbor.encode(["MAC0", PROTECTED, AAD, payload]), "sha256")


def _expand(prk: bytes, info: bytes, length: int) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=length, info=info).derive(prk)


def _expect(holds: bool, rule: str, message: str) -> None:
    if not holds:
        raise MacError(rule, message)
