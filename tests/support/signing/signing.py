"""Signing without an HSM: keys in memory, and releases that differ from a plain one in the fields that a test names."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from unibpf.formats import cbor, envelope, release_list
from unibpf.formats.boot_image import SignerKey
from unibpf.formats.envelope import EDDSA, ES256, Release, TrustedKey, VerifierNote
from unibpf.formats.release_list import ReleaseList
from unibpf.messages.programs import Signed

NOTE = VerifierNote(name="test", version="0", options=bytes(32), verdict=bytes(32))

# What the bus says of a release, for who needs no bytes behind it.
SIGNED = Signed(
    push_id="p",
    program="firewall",
    audience="edge",
    kind="filter",
    element="*",
    sequence=9,
    envelope="e" * 64,
    bundle="b" * 64,
    policy="p",
    identity="ci",
)


def release_of(data: bytes, **fields: Any) -> Release:
    """A release of `data`; `fields` override those of a filter `firewall` for audience `edge`."""
    base: dict[str, Any] = {
        "kind": "filter",
        "program": "firewall",
        "sequence": 1,
        "audience": "edge",
        "bundle": bytes.fromhex(envelope.digest(data)),
        "length": len(data),
        "verifier": NOTE,
    }
    return Release(**(base | fields))


class Signer:
    """An Ed25519 key that guests pin."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.trusted = TrustedKey(alg=EDDSA, key=self._key.public_key().public_bytes_raw())

    def pinned(self) -> SignerKey:
        """The key as a boot image carries it."""
        return SignerKey(kid=self.trusted.kid, alg=self.trusted.alg, key=self.trusted.key)

    def raw_signature(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def sign(self, release: Release) -> bytes:
        """The envelope of a release."""
        protected = envelope.protected_header(self.trusted.alg, self.trusted.kid)
        payload = envelope.encode_release(release)
        return envelope.assemble(protected, payload, self.raw_signature(envelope.to_be_signed(protected, payload)))

    def release_list(self, wanted: ReleaseList) -> bytes:
        """The signed list of what is current."""
        protected = envelope.protected_header(self.trusted.alg, self.trusted.kid)
        payload = release_list.encode(wanted)
        signature = self.raw_signature(release_list.to_be_signed(protected, payload))
        return release_list.assemble(protected, payload, signature)

    def release(self, data: bytes, **fields: Any) -> bytes:
        """The envelope of `release_of`."""
        return self.sign(release_of(data, **fields))

    def update(self, data: bytes, **fields: Any) -> bytes:
        """What is sent to replace a program: a release of `data` with `data`."""
        return signed_bundle(self.release(data, **fields), data)

    def graph(self, text: str) -> bytes:
        return self.release(text.encode(), kind="graph", program="test-graph")


class EcSigner(Signer):
    """The same with P-256, as an HSM without Edwards curves would sign (ES256)."""

    def __init__(self) -> None:
        self._ec_key = ec.generate_private_key(ec.SECP256R1())
        point = self._ec_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.trusted = TrustedKey(alg=ES256, key=point)

    def raw_signature(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self._ec_key.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def signed_bundle(signed: bytes, data: bytes) -> bytes:
    """What is sent: `[envelope, bundle]`."""
    return cbor.encode([signed, data])
