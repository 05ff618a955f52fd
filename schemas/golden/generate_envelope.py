"""Write `envelope.txt`: golden envelopes that Python and C++ must read alike, and bad ones that both must refuse.

Run as `python schemas/golden/generate_envelope.py`. `[case]` blocks of `field = value`: bytes as hex, numbers in decimal,
text as it is. A case with `rule` is refused with that rule. The keys are fixed, known to all, and protect nothing.
"""

import hashlib
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from unibpf.formats import cbor, envelope
from unibpf.formats.cbor import Tag
from unibpf.formats.envelope import EDDSA, ES256, MapPolicy, Release, TrustedKey, VerifierNote
from unibpf.messages.programs import Probation

FILE = Path(__file__).with_name("envelope.txt")
ED25519_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"unibpf test vector: ed25519").digest())
P256_KEY = ec.derive_private_key(
    int.from_bytes(hashlib.sha256(b"unibpf test vector: p-256").digest(), "big"), ec.SECP256R1()
)
BUNDLE = bytes(range(64))

ED25519 = TrustedKey(alg=EDDSA, key=ED25519_KEY.public_key().public_bytes_raw())
P256 = TrustedKey(alg=ES256, key=P256_KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

SMALL = Release(
    kind="filter",
    program="firewall",
    sequence=1,
    audience="edge",
    bundle=hashlib.sha256(BUNDLE).digest(),
    length=len(BUNDLE),
    verifier=VerifierNote(name="unibpf", version="0.1.0", options=bytes(32), verdict=bytes(range(32))),
)
FULL = Release(
    kind="classifier",
    program="balance_2-x",
    element="lb@3",
    sequence=(1 << 63) - 1,
    audience="core_1",
    bundle=hashlib.sha256(BUNDLE).digest(),
    length=1048576,
    not_after=1_900_000_000,
    verifier=VerifierNote(name="prevail", version="", options=b"\xff" * 32, verdict=b"\x01" * 32),
    maps=(
        MapPolicy(map=".rodata", policy="reset"),
        MapPolicy(map="conns", policy="migrate", plan=b"\x80"),
        MapPolicy(map="hits", policy="keep"),
    ),
    precursor=bytes(range(32, 64)),
    probation=Probation(time_ms=60_000, packets=1000, share=100, counts_aborted=True),
)
GRAPH = Release(
    kind="graph",
    program="fw-1",
    sequence=24,
    audience="edge",
    bundle=hashlib.sha256(b"c :: Control;").digest(),
    length=13,
    verifier=VerifierNote(name="operator", version="1", options=bytes(32), verdict=bytes(32)),
)


def sign(key: TrustedKey, data: bytes) -> bytes:
    """Deterministic: Ed25519, or ES256 with RFC 6979 nonces."""
    if key.alg == EDDSA:
        return ED25519_KEY.sign(data)
    r, s = decode_dss_signature(P256_KEY.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def seal(payload: bytes, *, protected: bytes | None = None) -> bytes:
    """An Ed25519 envelope around any payload, rightly signed."""
    header = envelope.protected_header(EDDSA, ED25519.kid) if protected is None else protected
    signature = sign(ED25519, envelope.to_be_signed(header, payload))
    return cbor.encode(Tag(envelope.COSE_SIGN1, [header, {}, payload, signature]))


def good_case(release: Release, key: TrustedKey) -> dict[str, str]:
    """One release with every field that a reader must find."""
    protected = envelope.protected_header(key.alg, key.kid)
    payload = envelope.encode_release(release)
    to_sign = envelope.to_be_signed(protected, payload)
    data = envelope.assemble(protected, payload, sign(key, to_sign))
    fields: dict[str, Any] = {
        "alg": key.alg,
        "key": key.key.hex(),
        "kid": key.kid.hex(),
        "kind": envelope.KINDS.index(release.kind),
        "program": release.program,
        "element": release.element,
        "sequence": release.sequence,
        "audience": release.audience,
        "bundle_digest": release.bundle.hex(),
        "bundle_length": release.length,
        "payload": payload.hex(),
        "to_be_signed": to_sign.hex(),
        "envelope": data.hex(),
        "digest": envelope.digest(data),
    }
    return {name: str(value) for name, value in fields.items()}


def bad_cases() -> dict[str, tuple[str, bytes]]:
    """Defect: (rule, envelope). All but the last two are rightly signed: only strictness refuses them."""
    payload = envelope.encode_release(SMALL)
    good = seal(payload)
    item = cbor.decode(payload, max_bytes=len(payload))
    if not isinstance(item, dict):
        raise TypeError("a release is a map")
    header = envelope.protected_header(EDDSA, ED25519.kid)
    tagged = cbor.decode(good, max_bytes=len(good))
    if not isinstance(tagged, Tag):
        raise TypeError("an envelope is tagged")
    parts = list(tagged.value)  # type: ignore[arg-type]

    def changed(**fields: object) -> bytes:
        return seal(cbor.encode({**item, **{int(key[1:]): value for key, value in fields.items()}}))

    return {
        "empty": ("shape", b""),
        "trailing-byte": ("shape", good + b"\x00"),
        "truncated": ("shape", good[:-1]),
        "untagged": ("shape", cbor.encode(parts)),
        "mac-tag": ("shape", cbor.encode(Tag(17, parts))),
        "unprotected-not-empty": ("shape", cbor.encode(Tag(18, [parts[0], {4: b"kid"}, *parts[2:]]))),
        "five-parts": ("shape", cbor.encode(Tag(18, [*parts, b""]))),
        "short-signature": ("shape", cbor.encode(Tag(18, [*parts[:3], parts[3][:63]]))),
        "third-header": ("shape", seal(payload, protected=cbor.encode({1: EDDSA, 3: 0, 4: ED25519.kid}))),
        "unknown-algorithm": ("key", seal(payload, protected=cbor.encode({1: -35, 4: ED25519.kid}))),
        "long-form-integer": ("payload", seal(payload.replace(b"\x04\x01", b"\x04\x18\x01", 1))),
        "key-order": ("payload", seal(b"\xab\x01\x00\x00\x01" + payload[5:])),
        "unknown-key": ("payload", changed(k13=0)),
        "missing-maps": ("payload", seal(cbor.encode({key: value for key, value in item.items() if key != 11}))),
        "version-2": ("payload", changed(k0=2)),
        "kind-4": ("payload", changed(k1=4)),
        "program-upper-case": ("payload", changed(k2="Firewall")),
        "element-empty": ("payload", changed(k3="")),
        "sequence-0": ("payload", changed(k4=0)),
        "sequence-2-to-63": ("payload", changed(k4=1 << 63)),
        "digest-31-bytes": ("payload", changed(k6=bytes(31))),
        "length-0": ("payload", changed(k7=0)),
        "maps-not-ascending": ("payload", changed(k11=[["b", 0], ["a", 0]])),
        "policy-3": ("payload", changed(k11=[["a", 3]])),
        "payload-not-a-map": ("payload", seal(cbor.encode([1]))),
        "unknown-kid": ("key", seal(payload, protected=envelope.protected_header(EDDSA, bytes(8)))),
        "algorithm-of-another-key": ("key", seal(payload, protected=envelope.protected_header(ES256, ED25519.kid))),
        "signature-bit": ("signature", good[:-1] + bytes([good[-1] ^ 1])),
        "payload-bit": ("signature", good.replace(b"edge", b"edgf")),
        "header-not-what-was-signed": ("signature", cbor.encode(Tag(18, [header, {}, payload, bytes(64)]))),
    }


def render() -> str:
    """The whole file."""
    cases = {
        "small": good_case(SMALL, ED25519),
        "full": good_case(FULL, ED25519),
        "graph": good_case(GRAPH, ED25519),
        "es256": good_case(SMALL, P256),
        **{f"bad {name}": {"rule": rule, "envelope": data.hex()} for name, (rule, data) in bad_cases().items()},
    }
    blocks = (
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in case.items()) for name, case in cases.items()
    )
    return "# made by schemas/golden/generate_envelope.py\n\n" + "\n".join(blocks)


if __name__ == "__main__":
    FILE.write_text(render())
