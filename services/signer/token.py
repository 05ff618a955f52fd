"""`python -m services.signer init-token`: a SoftHSM2 token of our own in the state directory.

Makes, all readable by the owner only: `hsm/softhsm2.conf`, `hsm/tokens/`, `hsm/pin` and `hsm/so-pin` (random), the key
pair, and `hsm/trusted-signers.json`, which deployers put into boot images. Running it again keeps what is there.
"""

import os
import secrets
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from pkcs11 import Attribute, KeyType, Mechanism
from pkcs11.constants import UserType
from pkcs11.exceptions import PKCS11Error
from pkcs11.util.ec import encode_named_curve_parameters

from services.signer.errors import HsmError
from services.signer.hsm import load_library, public_key, read_pin
from services.signer.settings import HsmSettings, Settings
from unibpf.formats.envelope import ALGORITHMS, EDDSA, TrustedKey

# X9.62 curve parameters: PrintableString "edwards25519", as SoftHSM 2.6 wants it; the OID of P-256.
_EDWARDS25519: Final = b"\x13\x0cedwards25519"
_P256: Final = "secp256r1"
_CONFIGURATION: Final = """directories.tokendir = {tokens}
objectstore.backend = file
log.level = ERROR
slots.removable = false
"""


def init_token(settings: Settings) -> TrustedKey:
    """Make token, key and `trusted-signers.json`, or keep them; returns the public key."""
    settings.paths.create()
    hsm = settings.hsm
    if hsm.softhsm_conf is None:
        raise HsmError(f"`{hsm.module}` is not SoftHSM; make token and key with the vendor's tools")
    if not settings.paths.trusted_signers.exists():
        try:
            write_trusted(settings.paths.trusted_signers, [_make(settings, hsm)])
        except PKCS11Error as error:
            raise HsmError(f"the token could not be made: {type(error).__name__} {error}".rstrip()) from error
    return read_trusted(settings.paths.trusted_signers)[0]


def write_trusted(path: Path, keys: list[TrustedKey]) -> None:
    """The pinned keys, hex in JSON; replaced as a whole."""
    names = {number: name for name, number in ALGORITHMS.items()}
    rows = [{"kid": key.kid.hex(), "alg": names[key.alg], "key": key.key.hex()} for key in keys]
    partial = path.with_suffix(".new")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    partial.replace(path)


def read_trusted(path: Path) -> list[TrustedKey]:
    """The pinned keys back."""
    rows = msgspec.json.decode(path.read_bytes(), type=list[dict[str, str]])
    return [TrustedKey(alg=ALGORITHMS[row["alg"]], key=bytes.fromhex(row["key"])) for row in rows]


def _make(settings: Settings, hsm: HsmSettings) -> TrustedKey:
    tokens = settings.paths.hsm / "tokens"
    tokens.mkdir(mode=0o700, exist_ok=True)
    _write_private(settings.paths.hsm / "softhsm2.conf", _CONFIGURATION.format(tokens=tokens))
    if not hsm.pin_file.exists():
        _initialise(settings, hsm)
    token = load_library(hsm).get_token(token_label=hsm.token)
    with token.open(rw=True, user_pin=read_pin(hsm)) as session:
        public, _ = _generate(session, hsm)
        return public_key(public, hsm.algorithm)


def _initialise(settings: Settings, hsm: HsmSettings) -> None:
    """Initialise with throw-away PINs, because those are seen on the command line, then set the real ones."""
    first = secrets.token_hex(8)
    environment = {**os.environ, "SOFTHSM2_CONF": str(hsm.softhsm_conf)}
    command = ["softhsm2-util", "--init-token", "--free", "--label", hsm.token, "--pin", first, "--so-pin", first]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HsmError(f"softhsm2-util failed: {done.stderr.strip() or done.stdout.strip()}")
    token = load_library(hsm).get_token(token_label=hsm.token)
    officer, user = secrets.token_hex(16), secrets.token_hex(16)
    with token.open(rw=True, so_pin=first) as session:
        session.set_pin(first, officer)
    with token.open(rw=True, user_pin=first, user_type=UserType.USER) as session:
        session.set_pin(first, user)
    _write_private(settings.paths.hsm / "so-pin", officer)
    _write_private(hsm.pin_file, user)


def _generate(session: Any, hsm: HsmSettings) -> tuple[Any, Any]:
    """The key pair: stored, sensitive, never extractable, for signing only."""
    edwards = ALGORITHMS[hsm.algorithm] == EDDSA
    kind = KeyType.EC_EDWARDS if edwards else KeyType.EC
    curve = _EDWARDS25519 if edwards else encode_named_curve_parameters(_P256)
    parameters = session.create_domain_parameters(kind, {Attribute.EC_PARAMS: curve}, local=True)
    private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.SIGN: True, Attribute.DERIVE: False}
    pair: tuple[Any, Any] = parameters.generate_keypair(
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN if edwards else Mechanism.EC_KEY_PAIR_GEN,
        store=True,
        label=hsm.key,
        public_template={Attribute.VERIFY: True},
        private_template=private,
    )
    return pair


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
