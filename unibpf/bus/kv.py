"""Key-value buckets (ADR-8), changed by compare-and-set only: every write names the revision that it replaces."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.errors import (
    APIError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NoStreamResponseError,
    ServiceUnavailableError,
)
from nats.js.kv import KV_DEL, KV_OP, KV_PURGE, KeyValue

from unibpf.bus.errors import BusNotReady, Conflict
from unibpf.bus.snapshot import newest_of_each

logger = logging.getLogger(__name__)

T = TypeVar("T")
_WRONG_LAST_SEQUENCE: Final = (10071, 10164)  # the server's error codes; nats-py maps them for `update` only
Guard = Callable[[str, Awaitable[Any]], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One value. `value` is None for a deleted key: a tombstone (`watch` and `records` show those)."""

    key: str
    value: bytes | None
    revision: int

    def decode(self, kind: type[T]) -> T:
        """The value as a message; raises `msgspec.ValidationError` when it is not one."""
        return msgspec.json.decode(self.value or b"null", type=kind)


UNREAD: Final = Entry(key="", value=None, revision=-1)


class Bucket:
    """One bucket. Values are bytes, or messages, which are stored as JSON."""

    def __init__(self, client: Client, name: str, js: JetStreamContext, guard: Guard) -> None:
        self._client = client
        self._store = KeyValue(name=name, stream=f"KV_{name}", pre=f"$KV.{name}.", js=js, direct=True)
        self._guard = guard
        self.name = name

    async def get(self, key: str) -> Entry | None:
        """The newest value, or None."""
        found = await self.record(key)
        return found if found is not None and found.value is not None else None

    async def record(self, key: str) -> Entry | None:
        """`get` that shows a tombstone too: None is a key that was never written, or whose store was lost."""
        try:
            found = await self._reach(self._store.get(key))
        except KeyNotFoundError as error:
            gone = error.entry  # nats-py gives the tombstone along
            return Entry(key=key, value=None, revision=gone.revision or 0) if gone is not None else None
        return Entry(key=key, value=found.value or b"", revision=found.revision or 0)

    async def create(self, key: str, value: bytes | msgspec.Struct) -> int:
        """Write a key that must not exist; returns its revision, raises Conflict when it exists."""
        return await self._write(key, self._store.create(key, _bytes(value)))

    async def update(self, key: str, value: bytes | msgspec.Struct, revision: int) -> int:
        """Replace exactly `revision` (0: the key must not exist); raises Conflict otherwise."""
        return await self._write(key, self._store.update(key, _bytes(value), last=revision))

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

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Delete; with `revision` only if that is the newest."""
        await self._write(key, self._delete(key, revision))

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
        prefix = len(f"$KV.{self.name}.")
        entries = [
            Entry(
                key=message.subject[prefix:],
                value=None if message.headers.get(KV_OP) in {KV_DEL, KV_PURGE} else message.data,
                revision=message.sequence,
            )
            for message in found
        ]
        return sorted(entries, key=lambda entry: entry.key)

    async def watch(self, pattern: str = ">") -> AsyncIterator[Entry | None]:
        """What is there, then None once, then every change until the caller stops (permissions: `Role.watches`)."""
        watcher = await self._reach(self._store.watch(pattern))
        try:
            async for found in watcher:
                if found is None:
                    yield None
                    continue
                deleted = found.operation in {KV_DEL, KV_PURGE}
                yield Entry(key=found.key, value=None if deleted else found.value, revision=found.revision or 0)
        finally:
            await watcher.stop()

    async def _delete(self, key: str, revision: int | None) -> int:
        await self._store.delete(key, last=revision)
        return 0

    async def _write(self, key: str, action: Awaitable[int]) -> int:
        try:
            revision: int = await self._reach(action)
        except APIError as error:
            if isinstance(error, KeyWrongLastSequenceError) or error.err_code in _WRONG_LAST_SEQUENCE:
                raise Conflict(f"`{key}` in `{self.name}` was changed by somebody else") from error
            raise
        return revision

    async def _reach(self, action: Awaitable[Any]) -> Any:
        try:
            return await self._guard(self.name, action)
        except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
            raise self._missing() from error

    def _missing(self) -> BusNotReady:
        return BusNotReady(f"bucket `{self.name}` is missing; run `unibpf bus init`")


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
