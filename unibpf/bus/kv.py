"""Key-value buckets (ADR-8), changed by compare-and-set only: every write names the revision that it replaces.

A value counts when it is signed (topology.Bucket.authority). The signature covers the revision that it replaces, so the server
takes a genuine write once: nobody can write an old one again. Where the newest value of a key is not genuine, the newest of its
history that is counts instead, with a warning; where none is, the entry has a `fault`, and is neither a value nor its absence.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError
from nats.js.kv import KV_DEL, KV_OP, KV_PURGE, VALID_KEY_RE

from unibpf import subjects
from unibpf.authority.judge import Judge, NoAuthority, Said, check_host
from unibpf.authority.roles import OPERATOR, role_of
from unibpf.authority.signing import signed
from unibpf.authority.statement import EXPECTED, HEADER, StatementError
from unibpf.authority.statement import read as read_claim
from unibpf.bus import topology
from unibpf.bus.errors import BusNotReady, Conflict, Reject
from unibpf.bus.permissions import ROLES
from unibpf.bus.received import Received
from unibpf.bus.snapshot import newest_of_each
from unibpf.host.identity import Identity

logger = logging.getLogger(__name__)

T = TypeVar("T")
_WRONG_LAST_SEQUENCE: Final = (10071, 10164)  # the server's error codes
Guard = Callable[[str, Awaitable[Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value. `value` is None for a deleted key: a tombstone (`records` shows those).

    `said` is who signed it; `fault` says why nothing can be believed of what is stored there.
    """

    key: str
    value: bytes | None
    revision: int
    said: Said | None = None
    fault: str | None = None

    def decode(self, kind: type[T]) -> T:
        """The value as a message; raises `msgspec.ValidationError` when it is not one, or nobody may have said it."""
        if self.fault is not None:
            raise msgspec.ValidationError(self.fault)
        return msgspec.json.decode(self.value or b"null", type=kind)


UNREAD: Final = Entry(key="", value=None, revision=-1)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """Who writes, and what is believed."""

    identity: Identity
    judge: Judge


class Bucket:
    """One bucket. Values are bytes, or messages, which are stored as JSON."""

    def __init__(self, client: Client, name: str, js: JetStreamContext, guard: Guard, seal: Seal) -> None:
        self._client = client
        self._js = js
        self._guard = guard
        self._seal = seal
        self._row = topology.bucket(name)
        self._writers = {OPERATOR, *(role for role, rights in ROLES.items() if name in rights.writes)}
        self.name = name

    async def get(self, key: str) -> Entry | None:
        """The newest value, or None."""
        found = await self.record(key)
        return found if found is not None and (found.value is not None or found.fault is not None) else None

    async def create(self, key: str, value: bytes | msgspec.Struct) -> int:
        """Write a key that must not exist; returns its revision, raises Conflict when it exists."""
        try:
            return await self._put(key, _bytes(value), 0)
        except Conflict:
            found = await self.record(key)
            if found is None or found.value is not None:
                raise
            return await self._put(key, _bytes(value), found.revision)

    async def update(self, key: str, value: bytes | msgspec.Struct, revision: int) -> int:
        """Replace exactly `revision` (0: the key must not exist); raises Conflict otherwise."""
        return await self._put(key, _bytes(value), revision)

    async def change(
        self,
        key: str,
        step: Callable[[Entry | None], bytes | msgspec.Struct | None],
        *,
        seen: Entry | None = UNREAD,
    ) -> int | None:
        """Read, let `step` decide, compare-and-set, again on conflict. `step` must be pure; None leaves the key alone.

        `seen` is what `get` gave a moment ago and saves the first read; where it is out of date, it costs a conflict.
        """
        while True:
            entry, seen = await self.get(key) if seen is UNREAD else seen, UNREAD
            value = step(entry)
            if value is None:
                return None
            try:
                if entry is None:
                    return await self.create(key, value)
                return await self.update(key, value, entry.revision)
            except Conflict:
                continue

    async def carry(self, key: str, command: Received, *, deletes: bool) -> None:
        """Keep a command as the value (or as the tombstone) of `key`, with the signature that it came with.

        Raises Reject where a newer command was carried out already: an old one, delivered again, changes nothing.
        """
        if command.said is None:
            raise Reject("unsigned", f"`{command.subject}` is not signed")
        headers = {name: value for name, value in command.headers.items() if name.lower().startswith("unibpf-")}
        while True:
            before = await self.record(key)
            if before is not None and before.said is not None and before.said.role != OPERATOR:
                if before.said.nonce == command.said.nonce:
                    return
                if before.said.at_us > command.said.at_us:
                    raise Reject("stale", f"`{before.said.identity}` said something newer of `{key}`")
            revision = before.revision if before is not None else 0
            try:
                await self._send(key, b"" if deletes else command.data, revision, headers, deletes=deletes)
            except Conflict:
                continue
            return

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete; with `revision` only if that is the newest."""
        while True:
            newest = revision
            if newest is None:
                found = await self.record(key)
                newest = found.revision if found is not None else 0
            try:
                await self._delete(key, newest)
            except Conflict:
                if revision is not None:
                    raise
                continue
            return

    async def keys(self) -> list[str]:
        """All keys that have a value, in order."""
        return [entry.key for entry in await self.entries()]

    async def entries(self) -> list[Entry]:
        """All values as of one moment, ordered by key."""
        return [entry for entry in await self.records() if entry.value is not None]

    async def records(self) -> list[Entry]:
        """`entries`, and the tombstones of deleted keys: a key that has neither was never written, or its store was lost."""
        found = await self._reach(newest_of_each(self._client, f"KV_{self.name}", f"$KV.{self.name}.>"))
        if found is None:
            raise self._missing()
        entries = [await self._judged(one) for one in found]
        return sorted(entries, key=lambda entry: entry.key)

    async def record(self, key: str) -> Entry | None:
        """`get` that shows a tombstone too: None is a key that was never written, or whose store was lost."""
        if not VALID_KEY_RE.fullmatch(key):
            raise ValueError(f"`{key!r:.100}` is no key")
        found = await self._reach(self._stored(subject=self._subject(key)))
        return None if found is None else await self._judged(found)

    async def _stored(self, **query: Any) -> Received | None:
        try:
            message = await self._js.get_msg(f"KV_{self.name}", direct=True, **query)
        except NotFoundError:
            return None
        return Received.stored(f"KV_{self.name}", message)

    async def _judged(self, found: Received) -> Entry:
        """The newest genuine value of a key; the revision is that of what is stored there, which a write has to name."""
        try:
            return self._genuine(found)
        except NoAuthority as error:
            why = error
        key = self._key(found)
        logger.warning("`%s` in `%s`: %s: %s", key, self.name, why.rule, why.reason)
        before: Entry | None = None
        sequence = 1
        while sequence < found.sequence:
            older = await self._reach(self._stored(subject=found.subject, seq=sequence, next=True))
            if older is None or older.sequence >= found.sequence:
                break
            sequence = older.sequence + 1
            try:
                before = self._genuine(older)
            except NoAuthority:
                continue
        if before is not None:
            return replace(before, revision=found.sequence)
        return Entry(key=key, value=b"", revision=found.sequence, fault=f"{why.rule}: {why.reason}")

    def _genuine(self, found: Received) -> Entry:
        key, deleted = self._key(found), found.headers.get(KV_OP) in {KV_DEL, KV_PURGE}
        said = self._said(found, key, deleted=deleted)
        return Entry(key=key, value=None if deleted else found.data, revision=found.sequence, said=said)

    def _said(self, found: Received, key: str, *, deleted: bool) -> Said | None:
        """Who said it; raises NoAuthority."""
        judge = self._seal.judge
        if not self._judges():
            return None
        if self._row.authority == "command" and _signer(found) != OPERATOR:
            row = subjects.guest_delete if deleted else subjects.guest_apply
            said = judge.said_row(row, row(key), found.data, found.headers)
            judge.carried(said, f"{self.name}.{key}")
            return said
        said = judge.said(found.subject, found.data, found.headers, self._writers)
        judge.stored(said, stored_us=found.stored_us)
        if self._row.of_host:
            check_host(said, found.data)
        if not found.headers.get(EXPECTED, "").isdecimal() or int(found.headers[EXPECTED]) >= found.sequence:
            raise NoAuthority("stale", f"`{said.identity}` signed another revision")
        return said

    def _judges(self) -> bool:
        """A person or a CI job that has nobody's public key takes what is stored; a service never does."""
        is_service = role_of(self._seal.identity.name) in {OPERATOR, *subjects.SERVICES}
        return is_service or self._seal.judge.ring.knows_services()

    async def _put(self, key: str, value: bytes, revision: int) -> int:
        return await self._send(key, value, revision, {}, deletes=False)

    async def _delete(self, key: str, revision: int) -> int:
        return await self._send(key, b"", revision, {}, deletes=True)

    async def _send(self, key: str, value: bytes, revision: int, headers: dict[str, str], *, deletes: bool) -> int:
        """One write, signed by its writer where it does not carry a signature."""
        if not VALID_KEY_RE.fullmatch(key):
            raise ValueError(f"`{key!r:.100}` is no key")
        all_headers = {**headers, EXPECTED: str(revision), **({KV_OP: KV_DEL} if deletes else {})}
        if HEADER not in headers:
            all_headers = signed(self._seal.identity, self._subject(key), value, all_headers)
        try:
            ack = await self._reach(self._js.publish(self._subject(key), value, headers=all_headers))
        except APIError as error:
            if error.err_code in _WRONG_LAST_SEQUENCE:
                raise Conflict(f"`{key}` in `{self.name}` was changed by somebody else") from error
            raise
        return int(ack.seq)

    def _subject(self, key: str) -> str:
        return f"$KV.{self.name}.{key}"

    def _key(self, found: Received) -> str:
        return found.subject[len(f"$KV.{self.name}.") :]

    async def _reach(self, action: Awaitable[Any]) -> Any:
        try:
            return await self._guard(self.name, action)
        except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
            raise self._missing() from error

    def _missing(self) -> BusNotReady:
        return BusNotReady(f"bucket `{self.name}` is missing; run `unibpf bus init`")


def _signer(found: Received) -> str:
    """Who it says that signed it."""
    try:
        return read_claim(found.headers.get(HEADER, "")).identity
    except StatementError:
        return ""


def readable(entries: Iterable[Entry], kind: type[T]) -> list[T]:
    """Those that can be read; one that cannot is passed over with a warning, so that it does not hide the others."""
    found = []
    for entry in entries:
        try:
            found.append(entry.decode(kind))
        except msgspec.MsgspecError as error:
            logger.warning("`%s` can't be read as %s: %s", entry.key, kind.__name__, error)
    return found


def _bytes(value: bytes | msgspec.Struct) -> bytes:
    return value if isinstance(value, bytes) else msgspec.json.encode(value)
