"""Content-addressed bytes in a JetStream object store (ADR-20): the name of an object is the hex of its SHA-256.

The layout is the ADR's, so that `nats object` reads it; the access is our own, because here a put may be skipped when the
bytes are there already, chunk and metadata can be sent together, and a get needs no consumer: an object has so few
chunks that each is fetched directly. What is read is checked against its name, whoever stored it: bytes that do not fit
their name are as good as missing, and storing the right ones again mends it.
"""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from unibpf.bus.errors import ObjectCorrupt, ObjectMissing

FRESH_SECONDS: Final = (
    600.0  # bytes stored longer ago may soon be forgotten (services/signer/upkeep/keeping.py): stored again
)
CHUNK_BYTES: Final = 512 * 1024
MAX_OBJECT_BYTES: Final = 4 * 1024 * 1024

Guard = Callable[[str, Awaitable[Any]], Awaitable[Any]]


class ObjectStore:
    """Put and get by digest in the store called `name`."""

    def __init__(self, name: str, js: JetStreamContext, guard: Guard) -> None:
        self._name = name
        self._stream = f"OBJ_{name}"
        self._js = js
        self._guard = guard

    async def put(self, data: bytes, *, is_new: bool = False) -> str:
        """Store `data` (at most MAX_OBJECT_BYTES) and return its digest; storing it again within minutes costs one read.

        `is_new` saves that read for bytes that nobody can have stored yet; being wrong costs their room a second time.
        """
        if len(data) > MAX_OBJECT_BYTES:
            raise ObjectCorrupt(f"the object is too large: got {len(data)} bytes, expected at most {MAX_OBJECT_BYTES}")
        digest = hashlib.sha256(data).hexdigest()
        if not is_new and await self._is_fresh(digest):
            return digest
        chunks = [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]
        nuid = secrets.token_hex(11)
        # One connection, one stream: the server stores them in this order, the metadata last.
        sends = [self._js.publish(f"$O.{self._name}.C.{nuid}", chunk) for chunk in chunks]
        metadata = self._metadata(digest, nuid, data, len(chunks))
        sends.append(self._js.publish(self._meta_subject(digest), metadata))
        await self._guard(f"$O.{self._name}.", asyncio.gather(*sends))
        return digest

    async def get(self, digest: str, *, max_bytes: int = MAX_OBJECT_BYTES) -> bytes:
        """The bytes under `digest`, checked against it. A size above `max_bytes` is refused before anything is fetched."""
        info = await self._info(digest)
        size, count, nuid = int(info["size"]), int(info["chunks"]), str(info["nuid"])
        if size > max_bytes or count > MAX_OBJECT_BYTES:
            raise ObjectCorrupt(f"object `{digest}` is too large: got {size} bytes, expected at most {max_bytes}")
        data = await self._chunks(digest, f"$O.{self._name}.C.{nuid}", count)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ObjectCorrupt(f"object `{digest}` does not have the digest it is filed under")
        return data

    async def place(self, digest: str) -> tuple[int, int]:
        """Where in the stream it is, what comes first is forgotten first, and its bytes. Raises ObjectMissing."""
        info, place = await self._placed(digest)
        return place, int(info["size"])

    async def _is_fresh(self, digest: str) -> bool:
        try:
            await self.get(digest)
            info = await self._info(digest)
            age = (datetime.now(UTC) - datetime.fromisoformat(str(info.get("mtime")))).total_seconds()
        except (ObjectMissing, ObjectCorrupt, ValueError, TypeError):
            return False
        return age < FRESH_SECONDS

    async def _info(self, digest: str) -> dict[str, Any]:
        info, _ = await self._placed(digest)
        return info

    async def _placed(self, digest: str) -> tuple[dict[str, Any], int]:
        try:
            message = await self._js.get_msg(self._stream, subject=self._meta_subject(digest), direct=True)
            info = json.loads(message.data or b"null")
            if not isinstance(info, dict) or info.get("deleted") or not {"size", "chunks", "nuid"} <= info.keys():
                raise ObjectMissing(f"object `{digest}` was deleted or has no usable metadata")
        except NotFoundError as error:
            raise ObjectMissing(f"there is no object `{digest}`") from error
        return info, message.seq or 0

    async def _chunks(self, digest: str, subject: str, count: int) -> bytes:
        """The chunks in stream order: one direct get each (ADR-31), the next one after the last one's sequence."""
        if count == 1:
            return (await self._message(digest, subject=subject)).data or b""
        parts, sequence = [], 0
        for _ in range(count):
            message = await self._message(digest, subject=subject, seq=sequence + 1, next=True)
            parts.append(message.data or b"")
            sequence = message.seq or 0
        return b"".join(parts)

    async def _message(self, digest: str, **query: Any) -> Any:
        try:
            return await self._js.get_msg(self._stream, direct=True, **query)
        except (NotFoundError, APIError) as error:
            raise ObjectMissing(f"a part of object `{digest}` is missing") from error

    def _meta_subject(self, digest: str) -> str:
        return f"$O.{self._name}.M.{base64.urlsafe_b64encode(digest.encode()).decode()}"

    def _metadata(self, digest: str, nuid: str, data: bytes, chunks: int) -> bytes:
        """ADR-20, ObjectInfo."""
        info = {
            "name": digest,
            "bucket": self._name,
            "nuid": nuid,
            "size": len(data),
            "chunks": chunks,
            "mtime": datetime.now(UTC).isoformat(),
            "digest": "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode(),
            "options": {"max_chunk_size": CHUNK_BYTES},
        }
        return json.dumps(info).encode()
