"""NATS identities: one nkey (Ed25519) a process, its seed in `keys/<identity>.nk` (0600), its public half beside it.

The same key signs what must be provable later than the connection (the verifier's verdicts): a stored message carries no
publisher, a signature does.
"""

import base64
import functools
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nkeys  # type: ignore[import-untyped]
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_PUBLIC: Final = re.compile(r"U[A-Z2-7]{55}")


class IdentityError(Exception):
    """A key file is missing, malformed or readable by others."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A name and its nkey. `seed` never leaves the process; `repr` does not show it.

    `directory` is where its key file lies, beside the public keys of those whom it believes.
    """

    name: str
    public_key: str
    _seed: bytes
    directory: Path | None = None

    def __repr__(self) -> str:
        return f"Identity(name={self.name!r}, public_key={self.public_key!r})"

    @property
    def seed(self) -> str:
        """The seed as NATS clients take it (`SU...`)."""
        return self._seed.decode()

    def sign(self, data: bytes) -> bytes:
        """Ed25519 signature, 64 bytes."""
        return _signing_key(self._seed).sign(data).signature


def create(directory: Path, name: str) -> Identity:
    """Make the key of `name`, or load it when it exists: creation is idempotent."""
    if not is_name(name):
        raise IdentityError(f"`{name}` is not an identity: expected lower-case letters, digits, `_` and `-`")
    path = seed_file(directory, name)
    if path.exists():
        return load(directory, name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(seed + b"\n")
    identity = _from_seed(name, seed, directory)
    public_file(directory, name).write_text(identity.public_key + "\n")
    return identity


def load(directory: Path, name: str) -> Identity:
    """Read an existing key; a file that others may read is refused."""
    path = seed_file(directory, name)
    if not path.exists():
        raise IdentityError(f"there is no key for `{name}` at `{path}`; `unibpf up` and `unibpf bus keys` make it")
    if path.stat().st_mode & 0o077:
        raise IdentityError(f"`{path}` may be read by others; run `chmod 600 {path}`")
    return _from_seed(name, path.read_bytes().strip(), directory)


def load_of_host(directory: Path, role: str, host: str) -> Identity:
    """The key of a service on one host, `<role>-<host>`, else the one that all hosts of an installation share, `<role>`."""
    own = f"{role}-{host}"
    return load(directory, own if seed_file(directory, own).exists() else role)


def load_public(directory: Path, name: str) -> str:
    """The public half alone, for those who only check signatures."""
    path = public_file(directory, name)
    if not path.exists():
        raise IdentityError(f"there is no public key for `{name}` at `{path}`")
    return checked_public(path.read_text().strip())


def checked_public(text: str) -> str:
    """An encoded public user key, or IdentityError."""
    if not _PUBLIC.fullmatch(text):
        raise IdentityError(f"got `{text[:64]}`, expected a public user key (`U` and 55 base32 characters)")
    return text


def verify(public_key: str, data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` is by the owner of `public_key`."""
    try:
        _verify_key(public_key).verify(data, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


@functools.lru_cache(maxsize=1024)
def _verify_key(public_key: str) -> VerifyKey:
    raw = base64.b32decode(checked_public(public_key))
    if raw[0] != nkeys.PREFIX_BYTE_USER or nkeys.crc16(raw[:-2]).to_bytes(2, "little") != raw[-2:]:
        raise IdentityError(f"`{public_key}` has a wrong checksum")
    return VerifyKey(raw[1:33])


@functools.lru_cache(maxsize=16)
def _signing_key(seed: bytes) -> SigningKey:
    """Made once: it signs every message of a process."""
    _, raw = nkeys.decode_seed(seed)
    return SigningKey(bytes(raw))


def is_name(text: str) -> bool:
    """Whether it can be an identity's name."""
    return _NAME.fullmatch(text) is not None


def seed_file(directory: Path, name: str) -> Path:
    """`<directory>/<name>.nk`."""
    return directory / f"{name}.nk"


def public_file(directory: Path, name: str) -> Path:
    """`<directory>/<name>.pub`."""
    return directory / f"{name}.pub"


def _from_seed(name: str, seed: bytes, directory: Path) -> Identity:
    try:
        public: bytes = nkeys.from_seed(seed).public_key
    except (nkeys.NkeysError, ValueError) as error:
        raise IdentityError(f"the key of `{name}` is not an nkey seed") from error
    return Identity(name=name, public_key=public.decode(), _seed=seed, directory=directory)
