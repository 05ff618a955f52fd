"""Whether a message may be acted on: who said it, whether he may, and whether it is fresh. The one place where that is decided.

    unsigned       no signature, or one that cannot be read
    wrong-signer   not by the key that this host has for that identity, or one that may not say this
    stale          too old, from the future, or older than what was said after it
    replayed       said before: the same nonce at another place

What fresh means depends on how a message came:

    request        signed within WINDOW of this host's clock, after this process began to listen, its nonce not seen
    live event     signed within WINDOW of this host's clock, its nonce not seen
    delivered      (a queue, with redelivery) signed within WINDOW of when the server stored it; its nonce at no other place.
                   It may have waited for long: the order that it has to keep is its receiver's (sequence, revision, time)
    stored         (read again) signed within WINDOW of when the server stored it
    carried        (a command, kept as a value) no older than what this host saw of that key before (order.py)
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from unibpf.authority import statement
from unibpf.authority.nonces import Nonces
from unibpf.authority.order import Order
from unibpf.authority.ring import Ring
from unibpf.authority.roles import host_of, role_of
from unibpf.authority.statement import HEADER, Claim, StatementError
from unibpf.host import identity
from unibpf.host.identity import IdentityError
from unibpf.subjects import EVERYBODY, SERVICES, Subject

WINDOW_SECONDS: Final = 30
WINDOW_US: Final = WINDOW_SECONDS * 1_000_000
REMEMBERED: Final = 16_384


class NoAuthority(Exception):  # noqa: N818  a state of the world, as the bus's own
    """A message must not be acted on; `rule` is a stable id."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class Said(Struct, frozen=True, kw_only=True):
    """Who said a message, and when by his clock; `host` is the one that he is confined to."""

    identity: str
    role: str
    host: str | None
    at_us: int
    nonce: str


class _Hosted(Struct):
    host: str = ""


class Judge:
    """One process's judgement: keys of its host, and what it has seen."""

    def __init__(
        self, ring: Ring, *, order: Order | None = None, now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    ) -> None:
        self.ring = ring
        self._order = order or Order()
        self._now_us = now_us
        self._requests = Nonces(floor_us=now_us())
        self._events = Nonces()
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def said(self, subject: str, data: bytes, headers: Mapping[str, str], senders: Collection[str]) -> Said:
        """Who said this: signature and right, not whether it is fresh."""
        claim = _claim(subject, headers)
        key = self._key(claim)
        if not self._is_signed(key, subject, claim, data, headers):
            raise NoAuthority("wrong-signer", f"`{subject}` is not signed by the key of `{claim.identity}`")
        role = role_of(claim.identity)
        if role not in senders and EVERYBODY not in senders:
            raise NoAuthority("wrong-signer", f"`{claim.identity}` may not say `{subject}`")
        return Said(
            identity=claim.identity, role=role, host=host_of(claim.identity), at_us=claim.at_us, nonce=claim.nonce
        )

    def said_row(self, row: Subject, subject: str, data: bytes, headers: Mapping[str, str]) -> Said:
        """As `said`, by a row of the table; what the subject or the payload says of its sender has to be true."""
        said = self.said(subject, data, headers, row.senders)
        tokens = row.values(subject)
        if tokens.get("identity", said.identity) != said.identity:
            raise NoAuthority("wrong-signer", f"`{said.identity}` may not say `{subject}`")
        if "service" in tokens and not _is_of(said, tokens["service"]):
            raise NoAuthority("wrong-signer", f"`{said.identity}` may not say `{subject}`")
        if said.host is not None and tokens.get("host", said.host) != said.host:
            raise NoAuthority("wrong-signer", f"`{said.identity}` may not ask at host `{tokens['host']}`")
        if row.of_host:
            check_host(said, data)
        return said

    def can_tell(self, headers: Mapping[str, str]) -> bool:
        """Whether a message that need not be signed says that it is, by somebody whose key is here."""
        value = headers.get(HEADER)
        if value is None:
            return False
        try:
            return self.ring.key(statement.read(value.strip()).identity) is not None
        except (StatementError, IdentityError):
            return True  # it is refused then, by its fault

    def request(self, said: Said) -> None:
        """Fresh as a request is."""
        self._near(said, self._now_us(), "now")
        if said.at_us <= self._requests.floor_us:
            raise NoAuthority("stale", f"`{said.identity}` signed it before this service began to listen; ask again")
        self._new(self._requests, said)

    def live(self, said: Said, heard: Nonces) -> None:
        """Fresh as a live event is; `heard` is what that listener heard before: each of several hears the same message."""
        self._near(said, self._now_us(), "now")
        self._new(heard, said)

    def delivered(self, said: Said, *, stored_us: int, place: str) -> None:
        """Fresh as a message of a queue is."""
        self.stored(said, stored_us=stored_us)
        self._new(self._events, said, place)

    def stored(self, said: Said, *, stored_us: int) -> None:
        """Fresh as what is read again is."""
        self._near(said, stored_us, "when it was stored")

    def carried(self, said: Said, key: str) -> None:
        """Fresh as a command is that is kept as a value: nothing older ever comes after it."""
        if said.at_us > self._now_us() + WINDOW_US:
            raise NoAuthority("stale", f"`{said.identity}` signed it in the future: set the clocks")
        if said.at_us < self._order.last(key):
            raise NoAuthority("stale", f"something newer than what `{said.identity}` signed was said of `{key}` before")
        self._order.raise_to(key, said.at_us)

    def _near(self, said: Said, then_us: int, what: str) -> None:
        away = (said.at_us - then_us) / 1e6
        if abs(away) > WINDOW_SECONDS:
            side = "after" if away > 0 else "before"
            raise NoAuthority(
                "stale",
                f"`{said.identity}` signed it {abs(away):.0f} s {side} {what}, at most {WINDOW_SECONDS} s are allowed: "
                "it was sent a second time, or a clock is wrong",
            )

    def _new(self, nonces: Nonces, said: Said, place: str = "") -> None:
        if not nonces.is_new(said.nonce, said.at_us, place):
            raise NoAuthority("replayed", f"what `{said.identity}` said was said before")

    def _key(self, claim: Claim) -> str:
        try:
            key = self.ring.key(claim.identity)
        except IdentityError as error:
            raise NoAuthority("wrong-signer", str(error)) from error
        if key is None:
            raise NoAuthority(
                "wrong-signer", f"there is no public key of `{claim.identity}` in `{self.ring.directory}`"
            )
        return key

    def _is_signed(self, key: str, subject: str, claim: Claim, data: bytes, headers: Mapping[str, str]) -> bool:
        """A signature that was good once is: what is read again and again is not checked again and again."""
        try:
            signed = statement.canonical(subject, claim, data, headers)
        except StatementError as error:
            raise NoAuthority("unsigned", str(error)) from error
        mark = hashlib.sha256(key.encode() + claim.signature + signed).digest()
        if mark in self._good:
            self._good.move_to_end(mark)
            return True
        if not identity.verify(key, signed, claim.signature):
            return False
        self._good[mark] = None
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
        return True


def check_host(said: Said, data: bytes) -> None:
    """A host speaks of itself: what its key signs names no other host."""
    if said.host is None or not data:
        return
    try:
        host = msgspec.json.decode(data, type=_Hosted).host
    except msgspec.MsgspecError:
        return  # it is no message of ours: its reader says so
    if host != said.host:
        raise NoAuthority("wrong-signer", f"`{said.identity}` may not speak for host `{host}`")


def _claim(subject: str, headers: Mapping[str, str]) -> Claim:
    value = headers.get(HEADER)
    if value is None:
        raise NoAuthority("unsigned", f"`{subject}` is not signed (header `{HEADER}`; `unibpf sign` makes it)")
    try:
        return statement.read(value.strip())
    except StatementError as error:
        raise NoAuthority("unsigned", f"`{subject}`: {error}") from error


def _is_of(said: Said, service: str) -> bool:
    """Whether a consumer or identity is the sender's: all copies of a service share one consumer, a host may have its own."""
    role, _, host = service.partition("-")
    if said.role not in SERVICES:
        return service == said.identity
    return role == said.role and (not host or said.host in {None, host})
