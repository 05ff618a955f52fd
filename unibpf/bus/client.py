"""One connection to the bus under one identity: publish, objects, key-value, serve, request; `consumer` works on queues.

Services bind to what `topology` describes and never create it. A permission violation, which NATS reports out of band
while the call itself would only time out, is raised from the call that caused it as PermissionDenied.
"""

import asyncio
import base64
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import PubAck
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError
from nats.micro.service import Service
from opentelemetry.trace import SpanKind

from unibpf import VERSION, subjects, tracing
from unibpf.authority.judge import Judge, NoAuthority
from unibpf.authority.nonces import Nonces
from unibpf.authority.order import Order
from unibpf.authority.ring import Ring
from unibpf.authority.roles import OPERATOR, role_of
from unibpf.authority.signing import signed as signed_headers
from unibpf.bus import service as serving
from unibpf.bus import topology
from unibpf.bus.connection.connecting import barrier, open_client
from unibpf.bus.connection.violations import Violations
from unibpf.bus.errors import (
    BusError,
    BusFull,
    BusNotReady,
    BusUnavailable,
    PermissionDenied,
    RequestFailed,
    RequestTimeout,
    Swallowed,
)
from unibpf.bus.events import event_headers, event_type
from unibpf.bus.follower import Follower
from unibpf.bus.kv import Bucket, Seal
from unibpf.bus.objects import MAX_OBJECT_BYTES, ObjectStore
from unibpf.bus.permissions import changes_of
from unibpf.bus.received import SIGNATURE_HEADER, Received
from unibpf.host.identity import Identity

logger = logging.getLogger(__name__)

T = TypeVar("T")
PUBLISH_SECONDS: Final = 2.0
PUBLISH_TRIES: Final = 5
STORE_FAILED: Final = 10077  # the server's error code for a message that a stream did not take


@dataclass(frozen=True, kw_only=True)
class BusSettings:
    """How to connect. `url` may name several servers, separated by commas; `timeout` is in seconds.

    `ring` is the folder of public keys that others' signatures are checked with; the folder of the identity's own key if unset.
    `order` is the file in which the order of commands outlives this process.
    """

    url: str
    identity: Identity
    timeout: float = 5.0
    ring: Path | None = None
    order: Path | None = None


class Bus:
    """Made by `connect`, used as `async with await Bus.connect(settings) as bus`."""

    def __init__(self, client: Client, settings: BusSettings, violations: Violations) -> None:
        self._client = client
        self._settings = settings
        self._violations = violations
        self._js: JetStreamContext = client.jetstream(timeout=settings.timeout)
        self.judge = Judge(Ring(settings.ring or settings.identity.directory), order=Order(settings.order))
        self._stores = {row.name: ObjectStore(row.name, self._js, self.guarded) for row in topology.STORES}
        self._services: list[Service] = []
        current = tracing.current()
        self._tracing = current if current is not None and current.attach(client.publish) else None

    @classmethod
    async def connect(cls, settings: BusSettings) -> "Bus":
        """Connect and check the server's version; raises BusUnavailable with what to do about it."""
        violations = Violations()
        client = await open_client(settings.url, settings.identity, violations, patience=settings.timeout)
        return cls(client, settings, violations)

    @property
    def identity(self) -> Identity:
        """Who this connection is."""
        return self._settings.identity

    @property
    def refused(self) -> str | None:
        """The last subject that the server did not let this identity publish to: what a time-out may come from."""
        return self._violations.last_refused

    @property
    def jetstream(self) -> JetStreamContext:
        """The context below, for the operator's work (stores/setup.py) and for tests."""
        return self._js

    async def __aenter__(self) -> "Bus":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop serving, send the remaining spans, close."""
        for service in self._services:
            await _quietly(service.stop())
        self._services.clear()
        if self._tracing is not None:
            await _quietly(self._tracing.close())
        if self._client.is_connected:
            await _quietly(barrier(self._client))
        await _quietly(self._client.close())

    async def publish(
        self,
        subject: str,
        message: msgspec.Struct | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        signed: bool = False,
    ) -> str:
        """Store an event and return its delivery id `<stream>:<sequence>` (what `push_id` is for an upload).

        Its `Nats-Msg-Id` is random: nobody who foresees it can have the server swallow the message as a repeat of his own.
        So a handler that runs twice stores twice, and whoever reads has to bear that. What carries authority (unibpf.subjects)
        is signed; `signed` adds `Unibpf-Signature`, this identity's signature over the payload alone, to be kept with what it
        is evidence for. Raises Swallowed.
        """
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        event_id = str(uuid.uuid4())
        all_headers = {
            **event_headers(subject=subject, source=f"/unibpf/{self.identity.name}", event_id=event_id),
            "content-type": "application/octet-stream" if isinstance(message, bytes) else "application/json",
            "Nats-Msg-Id": event_id,
            **(headers or {}),
        }
        if signed:
            all_headers[SIGNATURE_HEADER] = base64.b64encode(self.identity.sign(payload)).decode()
        all_headers = self._with_authority(subject, payload, all_headers)
        attributes = {
            "messaging.system": "nats",
            "messaging.destination.name": subject,
            "messaging.operation.type": "send",
        }
        with tracing.span(f"send {event_type(subject)}", kind=SpanKind.PRODUCER, attributes=attributes):
            tracing.inject(all_headers)
            try:
                ack = await self.guarded(subject, self._publish(subject, payload, all_headers))
            except NoStreamResponseError as error:
                raise BusNotReady(f"no stream takes `{subject}`; run `unibpf bus init`") from error
        return f"{ack.stream}:{ack.seq}"

    async def put_object(self, data: bytes, *, store: str = topology.OBJECTS, is_new: bool = False) -> str:
        """Store bytes under their SHA-256, which is returned as hex; uploaders use the store `topology.UPLOADED`.

        Bytes that are there already are not stored again; `is_new` says that they cannot be, and saves the look.
        """
        with tracing.span("put object", attributes={"unibpf.bytes": len(data)}):
            return await _ready(self._stores[store].put(data, is_new=is_new))

    async def get_object(
        self, digest: str, *, store: str = topology.OBJECTS, max_bytes: int = MAX_OBJECT_BYTES
    ) -> bytes:
        """The bytes under a digest, checked; raises ObjectMissing or ObjectCorrupt."""
        with tracing.span("get object", attributes={"unibpf.digest": digest}):
            return await _ready(self._stores[store].get(digest, max_bytes=max_bytes))

    async def object_place(self, digest: str) -> tuple[int, int]:
        """Where in its store an object is, the first ones are forgotten first, and its bytes. Raises ObjectMissing."""
        return await _ready(self._stores[topology.OBJECTS].place(digest))

    async def kv(self, name: str) -> Bucket:
        """A bucket of `topology.BUCKETS`. Costs nothing: a missing bucket shows at first use."""
        return Bucket(self._client, name, self._js, self.guarded, Seal(identity=self.identity, judge=self.judge))

    async def serve(
        self,
        name: str,
        endpoints: Mapping[str, serving.Handler],
        *,
        version: str = VERSION,
        description: str = "",
        about: serving.About | None = None,
    ) -> None:
        """Answer requests as an ADR-32 micro-service, found by `nats micro`; `endpoints` maps subjects to handlers.

        A handler gets the Request and returns a message; a ServiceError (or any exception, as 500) is the error answer.
        """
        card = serving.Card(name=name, version=version, description=description, about=about)
        self._services.append(await serving.serve(self._client, self.judge, card, endpoints))

    async def request(
        self,
        subject: str,
        message: msgspec.Struct | bytes,
        answer: type[T],
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  the caller's patience, not a scope
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Ask a service; raises RequestFailed with its error, RequestTimeout, or BusNotReady when none listens."""
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        signed = self._with_authority(subject, payload, dict(headers or {}))
        with tracing.span(f"request {subject}", kind=SpanKind.CLIENT, attributes={"messaging.system": "nats"}):
            try:
                asked = self._client.request(subject, payload, timeout=timeout, headers=tracing.inject(signed))
                reply = await self.guarded(subject, asked)
            except NoRespondersError as error:
                raise BusNotReady(f"no service listens on `{subject}`; is it running?") from error
            except BusUnavailable as error:
                raise RequestTimeout(f"nobody answered `{subject}` within {timeout} s") from error
        code = (reply.headers or {}).get("Nats-Service-Error-Code")
        if code is not None:
            raise RequestFailed(code, (reply.headers or {}).get("Nats-Service-Error", ""))
        return msgspec.json.decode(reply.data, type=answer)

    async def ping(self, service: str, *, timeout: float = 1.0) -> bool:  # noqa: ASYNC109
        """Whether a micro-service of this name answers (ADR-32, PING)."""
        try:
            await self._client.request(f"$SRV.PING.{service}", b"", timeout=timeout)
        except (NoRespondersError, NatsTimeout):
            return False
        return True

    async def survey(self, service: str, *, timeout: float = 1.0, quiet: float = 0.2) -> list[dict[str, Any]]:  # noqa: ASYNC109
        """The statistics (ADR-32, STATS) of every copy of a micro-service: until none came for `quiet` seconds."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        found: list[dict[str, Any]] = []
        try:
            await self._client.publish(f"$SRV.STATS.{service}", b"", reply=inbox)
            while True:
                answer = await subscription.next_msg(timeout=quiet if found else timeout)
                if (answer.headers or {}).get("Status") == "503":
                    break
                with contextlib.suppress(msgspec.MsgspecError):
                    found.append(msgspec.json.decode(answer.data, type=dict[str, Any]))
        except (NoRespondersError, NatsTimeout):
            pass
        finally:
            await subscription.unsubscribe()
        return found

    async def follow(self, patterns: Sequence[str]) -> "Follower":
        """Hear events as they are published from now on (not durable): subscribed once this returns."""
        return await Follower.start(self._client, patterns, self._judge_of_events())

    async def changes(self, bucket: str) -> "Follower":
        """Hear writes to a bucket, to look at it then: what a change says is for the reader of the bucket to judge."""
        return await Follower.start(self._client, changes_of(bucket))

    async def history(self, stream: str, subject: str, *, start: int = 1) -> AsyncIterator[Received]:
        """The stored messages of `subject` (wildcards allowed) from stream sequence `start` on, up to the newest.

        What nobody may say, or said only once and is there again, is left out.
        """
        sequence, read = start, Nonces()
        while True:
            try:
                stored = await self._js.get_msg(stream, subject=subject, seq=sequence, next=True, direct=True)
            except NotFoundError:
                return
            found = self._believed(Received.stored(stream, stored))
            said = found.said if found is not None else None
            if found is not None and (said is None or read.is_new(said.nonce, said.at_us)):
                yield found
            sequence = (stored.seq or 0) + 1

    async def last(self, stream: str, subject: str) -> Received | None:
        """The newest stored message of one subject, but for what nobody may have said."""
        try:
            newest = Received.stored(stream, await self._js.get_msg(stream, subject=subject, direct=True))
        except NotFoundError:
            return None
        found = self._believed(newest)
        if found is None:  # rare: then all of them are looked at
            async for one in self.history(stream, subject):
                found = one
        return found

    def _judge_of_events(self) -> Judge | None:
        """A person or a CI job that has nobody's public key hears events as they come; a service never does."""
        is_service = role_of(self.identity.name) in {OPERATOR, *subjects.SERVICES}
        return self.judge if is_service or self.judge.ring.knows_services() else None

    def _believed(self, received: Received) -> Received | None:
        judge = self._judge_of_events()
        try:
            return received if judge is None else received.believed(judge, "stored")
        except NoAuthority as error:
            logger.warning("%s passed over: %s: %s", received.delivery_id, error.rule, error.reason)
            return None

    def _with_authority(self, subject: str, payload: bytes, headers: dict[str, str]) -> dict[str, str]:
        row = subjects.row_of(subject)
        if row is None or row.authority == "not":
            return headers
        return signed_headers(self.identity, subject, payload, headers)

    async def guarded(self, subject: str, action: Awaitable[T]) -> T:
        """Await `action`, but raise PermissionDenied as soon as the server complains about a subject that contains it.

        A time-out becomes BusUnavailable: without a permission problem it means that the server is away. A stream that
        refuses because it is at its limit becomes BusFull.
        """
        with self._violations.watch(subject) as denied:
            task = asyncio.ensure_future(action)
            try:
                waiting: set[asyncio.Future[Any]] = {task, denied}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            if denied.done():
                raise PermissionDenied(f"`{self.identity.name}` may not use `{denied.result()}`")
        try:
            return task.result()
        except NatsTimeout as error:
            raise BusUnavailable(f"the server at `{self._settings.url}` does not answer ({subject})") from error
        except APIError as error:
            if _is_full(error):
                raise BusFull(f"`{subject}` has reached its limit on the server ({error.description})") from error
            raise

    async def subscribe_pull(self, row: topology.Consumer) -> JetStreamContext.PullSubscription:
        """A pull subscription bound to an existing durable consumer."""
        return await self._js.pull_subscribe_bind(consumer=row.name, stream=row.stream)

    async def _publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> PubAck:
        """Publish until it is acknowledged: a try that a reconnect swallowed is repeated under the same `Nats-Msg-Id`."""
        for number in range(PUBLISH_TRIES):
            try:
                ack = await self._js.publish(subject, payload, headers=headers, timeout=PUBLISH_SECONDS)
            except NatsTimeout:
                if number == PUBLISH_TRIES - 1:
                    raise
                logger.warning("publish to `%s`: the server does not answer yet", subject)
                continue
            if ack.duplicate and number == 0:
                raise _swallowed(subject, ack)
            return ack
        raise AssertionError("the last try returns or raises")


def _swallowed(subject: str, ack: PubAck) -> Swallowed:
    """The first try of a message whose id was just made cannot be a repeat."""
    logger.error("a message was swallowed", extra={"subject": subject, "taken_for": f"{ack.stream}:{ack.seq}"})
    return Swallowed(f"`{subject}`: the server stored nothing and says it was stored before, as {ack.stream}:{ack.seq}")


def _is_full(error: APIError) -> bool:
    """Whether a stream did not take a message for its size; nats-py's own errors of buckets carry no code."""
    return getattr(error, "err_code", None) == STORE_FAILED and (error.description or "").startswith("maximum")


async def _ready(action: Awaitable[T]) -> T:
    try:
        return await action
    except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
        raise BusNotReady("the object store is missing; run `unibpf bus init`") from error


async def _quietly(action: Awaitable[object]) -> None:
    """Closing must not fail for what is closed already."""
    try:
        await action
    except (NatsError, BusError, OSError) as error:
        logger.debug("while closing: %s", error)
