"""What is signed: the canonical bytes of a message of authority (schemas/authority.abnf), and the header that carries it.

    Unibpf-Authority: 1 <identity> <Unix microseconds> <nonce, 32 hex digits> <Ed25519 signature, base64>

The bytes are lines: the words `unibpf-authority-1`, subject, identity, time, nonce, SHA-256 of the payload, then each covered
header as `Name: value`, ordered by name. Covered are the headers that services read: all that begin with `Unibpf-` except this
one; of a write to a key-value bucket also what it does and which revision it replaces: no value can be written a second time.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

HEADER: Final = "Unibpf-Authority"
MAGIC: Final = "unibpf-authority-1"
VERSION: Final = "1"
MAX_HEADER_BYTES: Final = 256
OPERATION: Final = "KV-Operation"
EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_OF_BUCKETS: Final = frozenset({OPERATION.lower(), EXPECTED.lower()})
_FIELDS: Final = re.compile(
    r"1 (?P<identity>[a-z0-9][a-z0-9_-]{0,47}) (?P<time>[1-9][0-9]{0,17}) (?P<nonce>[0-9a-f]{32}) "
    r"(?P<signature>[A-Za-z0-9+/]{86}==)"
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


class StatementError(ValueError):
    """It cannot be a message of authority; the message says why."""


class Claim(Struct, frozen=True, kw_only=True):
    """What the header says, believed by nobody yet. `at_us` is Unix microseconds."""

    identity: str
    at_us: int
    nonce: str
    signature: bytes = b""

    def header(self) -> str:
        """The header's value."""
        signature = base64.b64encode(self.signature).decode()
        return f"{VERSION} {self.identity} {self.at_us} {self.nonce} {signature}"


def read(value: str) -> Claim:
    """Read the header's value; raises StatementError for anything but its one form."""
    found = _FIELDS.fullmatch(value) if len(value) <= MAX_HEADER_BYTES else None
    if found is None:
        raise StatementError(f"header `{HEADER}` is malformed")
    try:
        signature = base64.b64decode(found["signature"], validate=True)
    except binascii.Error as error:
        raise StatementError(f"header `{HEADER}` is malformed") from error
    return Claim(identity=found["identity"], at_us=int(found["time"]), nonce=found["nonce"], signature=signature)


def covered(subject: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers that are signed, in order."""
    of_bucket = subject.startswith("$KV.")
    return sorted((name, value.strip()) for name, value in headers.items() if _is_covered(name.lower(), of_bucket))


def _is_covered(name: str, of_bucket: bool) -> bool:
    if name.startswith("unibpf-"):
        return name != HEADER.lower()
    return of_bucket and name in _OF_BUCKETS


def canonical(subject: str, claim: Claim, data: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes under the signature; raises StatementError where a field could pass for two."""
    digest = hashlib.sha256(data).hexdigest()
    lines = [MAGIC, subject, claim.identity, str(claim.at_us), claim.nonce, digest]
    lines += [f"{name}: {value}" for name, value in covered(subject, headers)]
    if any(_UNPRINTABLE.search(line) for line in lines):
        raise StatementError(f"`{subject!r:.100}`: a control character in the subject or in a header")
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError as error:
        raise StatementError(f"`{subject!r:.100}`: the subject or a header is not UTF-8") from error
