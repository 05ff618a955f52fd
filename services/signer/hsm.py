"""The signing key in a PKCS#11 token. Every call of the library is made on one dedicated thread.

Invariants: the private key never leaves the token (it is sensitive and not extractable, and `open` refuses to work with
one that is not); the algorithm is fixed when the token is opened; a session is opened once and reopened after a failure,
whatever it was, for as long as it takes (`until_usable`). A PIN that the token refused is not shown to it again before the
file changes: a real token locks itself after three.
More than one thread in SoftHSM crashes it, hence the executor with exactly one worker.
"""

import asyncio
import contextlib
import hashlib
import itertools
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PinExpired, PinIncorrect, PinInvalid, PinLocked, PKCS11Error

from services.signer.errors import HsmError
from services.signer.settings import HsmSettings
from unibpf.formats.envelope import ALGORITHMS, EDDSA, TrustedKey

logger = logging.getLogger(__name__)

T = TypeVar("T")
REOPEN_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
WRONG_PIN: Final = (PinIncorrect, PinInvalid, PinLocked, PinExpired)
_DER_OCTET_STRING: Final = 0x04
_LOADED: Final[dict[str, Any]] = {}


class Hsm:
    """An open session with the signing key. Made by `open`; `sign` may be called from any task."""

    def __init__(self, settings: HsmSettings, executor: ThreadPoolExecutor) -> None:
        self._settings = settings
        self._executor = executor
        self._session: Any = None
        self._private: Any = None
        self._public: TrustedKey | None = None
        self._refused_pin: str | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def closed(cls, settings: HsmSettings) -> "Hsm":
        """Not opened yet: `until_usable` does it."""
        return cls(settings, ThreadPoolExecutor(max_workers=1, thread_name_prefix="pkcs11"))

    @classmethod
    async def open(cls, settings: HsmSettings) -> "Hsm":
        """Log in and find the key; raises HsmError with what to do."""
        hsm = cls.closed(settings)
        try:
            await hsm._call(hsm._open)
        except BaseException:
            hsm._executor.shutdown(wait=False)
            raise
        return hsm

    @property
    def key(self) -> TrustedKey:
        """The public half, with its algorithm."""
        if self._public is None:
            raise HsmError("the token is not open")
        return self._public

    async def sign(self, data: bytes) -> bytes:
        """The raw 64-byte signature (Ed25519, or r || s of ES256); one retry with a new session."""
        try:
            return await self._call(lambda: self._sign(data))
        except HsmError:
            await self._call(self._open)
            return await self._call(lambda: self._sign(data))

    async def until_usable(self) -> None:
        """Return once the token is open; tries again with growing pauses, at most `REOPEN_SECONDS[-1]`, and says why."""
        async with self._opening:
            for pause in itertools.chain(REOPEN_SECONDS, itertools.repeat(REOPEN_SECONDS[-1])):
                try:
                    await self._call(self._reopen)
                except HsmError as error:
                    logger.warning("the token cannot be used, nothing is signed: %s", error)
                    await asyncio.sleep(pause)
                else:
                    return

    async def lacking(self) -> str | None:
        """Why nothing can be signed now, or None. Looks at the token itself, and opens one that is back."""
        try:
            await self._call(self._look)
        except HsmError as error:
            return str(error)
        return None

    async def close(self) -> None:
        """Log out and end the thread."""
        await self._call(self._close)
        self._executor.shutdown()

    async def _call(self, function: Callable[[], T]) -> T:
        """Run on the PKCS#11 thread; the library's exceptions become HsmError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function)
        except PKCS11Error as error:
            raise HsmError(f"the token refused: {type(error).__name__} {error}".rstrip()) from error
        except (OSError, RuntimeError) as error:  # a PIN file or a library that cannot be read
            raise HsmError(f"the token cannot be used: {error}") from error

    def _reopen(self) -> None:
        """Open unless it is: whoever waited for the lock finds it done."""
        if self._private is None:
            self._open()

    def _look(self) -> None:
        """A token that was pulled is noticed by a token that has nothing to sign, too."""
        if self._private is not None:
            try:
                load_library(self._settings).get_token(token_label=self._settings.token)
                if self._private[Attribute.SENSITIVE]:
                    return
            except PKCS11Error:
                self._close()
        self._open()

    def _open(self) -> None:
        self._close()
        pin = read_pin(self._settings)
        if pin == self._refused_pin:
            raise HsmError(
                f"the token refused the PIN at `{self._settings.pin_file}`; it is tried again when the file changes"
            )
        try:
            self._session = self._token().open(user_pin=pin)
        except WRONG_PIN:
            self._refused_pin = pin
            raise
        try:
            self._find_keys(self._session)
        except BaseException:
            # A login is the process's, not the session's: a session left open would make the next one fail.
            self._close()
            raise

    def _token(self) -> Any:
        """The token; one that came back after it was away is only seen by a library that looks anew."""
        library = load_library(self._settings)
        try:
            return library.get_token(token_label=self._settings.token)
        except PKCS11Error:
            library.reinitialize()
            return library.get_token(token_label=self._settings.token)

    def _find_keys(self, session: Any) -> None:
        label = self._settings.key
        self._private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=label)
        if self._private[Attribute.EXTRACTABLE] or not self._private[Attribute.SENSITIVE]:
            raise HsmError(f"the key `{label}` can be extracted from the token; make one that cannot")
        public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, label=label)
        self._public = public_key(public, self._settings.algorithm)

    def _sign(self, data: bytes) -> bytes:
        if self._private is None:
            raise HsmError("the token is not open")
        if self.key.alg == EDDSA:
            return bytes(self._private.sign(data, mechanism=Mechanism.EDDSA))
        # ES256: the token's raw ECDSA takes a hash (RFC 9053 2.1).
        return bytes(self._private.sign(hashlib.sha256(data).digest(), mechanism=Mechanism.ECDSA))

    def _close(self) -> None:
        session, self._session, self._private = self._session, None, None
        if session is not None:
            with contextlib.suppress(PKCS11Error):  # it may be gone with its token
                session.close()


def load_library(settings: HsmSettings) -> Any:
    """The PKCS#11 library, initialised anew when another SoftHSM configuration is asked for (tests do)."""
    if settings.softhsm_conf is not None:
        os.environ["SOFTHSM2_CONF"] = str(settings.softhsm_conf)
    library = pkcs11.lib(settings.module)
    configuration = str(settings.softhsm_conf)
    if _LOADED.setdefault(settings.module, configuration) != configuration:
        _LOADED[settings.module] = configuration
        library.reinitialize()
    return library


def read_pin(settings: HsmSettings) -> str:
    """The user PIN; a file that others may read is refused."""
    path = settings.pin_file
    if not path.exists():
        raise HsmError(f"there is no PIN at `{path}`; make a token with `python -m services.signer init-token`")
    if path.stat().st_mode & 0o077:
        raise HsmError(f"`{path}` may be read by others; run `chmod 600 {path}`")
    return path.read_text().strip()


def public_key(public: Any, algorithm: str) -> TrustedKey:
    """The raw public key out of the token's EC_POINT, a DER OCTET STRING around it."""
    expected = KeyType.EC_EDWARDS if ALGORITHMS[algorithm] == EDDSA else KeyType.EC
    if public.key_type != expected:
        raise HsmError(f"the key is of type `{public.key_type.name}`, the setting asks for `{algorithm}`")
    point = bytes(public[Attribute.EC_POINT])
    if len(point) < 2 or point[0] != _DER_OCTET_STRING or point[1] != len(point) - 2:
        raise HsmError("the token's EC_POINT is not a DER octet string")
    return TrustedKey(alg=ALGORITHMS[algorithm], key=point[2:])
