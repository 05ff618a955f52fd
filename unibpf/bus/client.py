"""One connection to the bus under one identity: publish, objects, key-value, consume, serve, request.

Services bind to what `topology` describes and never create it. A permission violation, which NATS reports out of band
while the call itself would only time out, is raised from the call that caused it as PermissionDenied.
"""

import asyncio
import base64
import logging
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import AuthorizationError, NoRespondersError, NoServersError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError, NotFoundError, ServiceUnavailableError
from nats.js.kv import KeyValue
from nats.micro.service import Service
from opentelemetry.trace import SpanKind

from unibpf import tracing
from unibpf.bus import consumer as consuming
from unibpf.bus import service as serving
from unibpf.bus import topology
from unibpf.bus.errors import BusError, BusNotReady, BusUnavailable, PermissionDenied, RequestFailed, RequestTimeout
from unibpf.bus.events import event_headers, event_type
from unibpf.bus.kv import Bucket
from unibpf.bus.objects import MAX_OBJECT_BYTES, ObjectStore
from unibpf.bus.received import SIGNATURE_HEADER, Received
from unibpf.identity import Identity

logger = logging.getLogger(__name__)

T = TypeVar("T")
MINIMUM_SERVER: Final = (2, 11)
_VIOLATION: Final = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]+)\"", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BusSettings:
    """How to connect. `url` may name several servers, separated by commas; `timeout` is in seconds."""

    url: str
    identity: Identity
    timeout: float = 5.0


class Bus:
    """Made by `connect`, used as `async with await Bus.connect(settings) as bus`."""

    def __init__(self, client: Client, settings: BusSettings, violations: "_Violations") -> None:
        self._client = client
        self._settings = settings
        self._violations = violations
        self._js: JetStreamContext = client.jetstream(timeout=settings.timeout)
        self._objects = ObjectStore(self._js, self.guarded)
        self._services: list[Service] = []
        self._tracing = tracing.current()
        if self._tracing is not None:
            self._tracing.attach(client.publish)

    @classmethod
    async def connect(cls, settings: BusSettings) -> "Bus":
        """Connect and check the server's version; raises BusUnavailable with what to do about it."""
        violations = _Violations()
        client = Client()
        try:
            await asyncio.wait_for(_open(client, settings, violations), settings.timeout)
        except (TimeoutError, NoServersError, OSError, NatsError) as error:
            await _quietly(client.close())
            raise _connect_error(settings, violations, error) from error
        version = client.connected_server_version
        if (version.major, version.minor) < MINIMUM_SERVER:
            await client.close()
            raise BusUnavailable(f"the server at `{settings.url}` is too old: got {version}, expected at least 2.11")
        return cls(client, settings, violations)

    @property
    def identity(self) -> Identity:
        """Who this connection is."""
        return self._settings.identity

    @property
    def jetstream(self) -> JetStreamContext:
        """The context below, for the operator's work (`topology.init`) and for tests."""
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
            await _quietly(self._client.flush(timeout=1))
        await _quietly(self._client.close())

    async def publish(
        self,
        subject: str,
        message: msgspec.Struct | bytes,
        *,
        headers: Mapping[str, str] | None = None,
        message_id: str | None = None,
        signed: bool = False,
    ) -> str:
        """Store an event and return its delivery id `<stream>:<sequence>` (what `push_id` is for an upload).

        `message_id` is the retry id of this very publish (`Nats-Msg-Id`): give the same one again after a time-out, never
        for another event. `signed` adds `Unibpf-Signature`, this identity's signature over the payload.
        """
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        event_id = message_id or str(uuid.uuid4())
        all_headers = {
            **event_headers(subject=subject, source=f"/unibpf/{self.identity.name}", event_id=event_id),
            "content-type": "application/octet-stream" if isinstance(message, bytes) else "application/json",
            "Nats-Msg-Id": event_id,
            **(headers or {}),
        }
        if signed:
            all_headers[SIGNATURE_HEADER] = base64.b64encode(self.identity.sign(payload)).decode()
        attributes = {
            "messaging.system": "nats",
            "messaging.destination.name": subject,
            "messaging.operation.type": "send",
        }
        with tracing.span(f"send {event_type(subject)}", kind=SpanKind.PRODUCER, attributes=attributes):
            tracing.inject(all_headers)
            try:
                ack = await self.guarded(subject, self._js.publish(subject, payload, headers=all_headers))
            except NoStreamResponseError as error:
                raise BusNotReady(f"no stream takes `{subject}`; run `unibpf bus init`") from error
        return f"{ack.stream}:{ack.seq}"

    async def put_object(self, data: bytes) -> str:
        """Store bytes under their SHA-256, which is returned as hex."""
        with tracing.span("put object", attributes={"unibpf.bytes": len(data)}):
            return await _ready(self._objects.put(data))

    async def get_object(self, digest: str, *, max_bytes: int = MAX_OBJECT_BYTES) -> bytes:
        """The bytes under a digest, checked; raises ObjectMissing or ObjectCorrupt."""
        with tracing.span("get object", attributes={"unibpf.digest": digest}):
            return await _ready(self._objects.get(digest, max_bytes=max_bytes))

    async def kv(self, name: str) -> Bucket:
        """A bucket of `topology.BUCKETS`. Costs nothing: a missing bucket shows at first use."""
        store = KeyValue(name=name, stream=f"KV_{name}", pre=f"$KV.{name}.", js=self._js, direct=True)
        return Bucket(store, name, self.guarded)

    async def consume(self, name: str, handler: Callable[[Received], Awaitable[None]], *, concurrency: int = 1) -> None:
        """Work as one copy of the durable consumer `name` until cancelled; `consumer.py` says how outcomes map.

        `concurrency` messages are handled at once. Raises BusNotReady when the consumer does not exist.
        """
        row = topology.consumer(name)
        await self._bound(self._js.consumer_info(row.stream, row.name), f"consumer `{row.name}`")
        workers = [consuming.work(self, row, handler) for _ in range(concurrency)]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)

    async def serve(
        self, name: str, endpoints: Mapping[str, serving.Handler], *, version: str = "0.1.0", description: str = ""
    ) -> None:
        """Answer requests as an ADR-32 micro-service, found by `nats micro`; `endpoints` maps subjects to handlers.

        A handler gets the Request and returns a message; a ServiceError (or any exception, as 500) is the error answer.
        """
        self._services.append(
            await serving.serve(self._client, name, endpoints, version=version, description=description)
        )

    async def request(
        self,
        subject: str,
        message: msgspec.Struct | bytes,
        answer: type[T],
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  the caller's patience, not a scope
    ) -> T:
        """Ask a service; raises RequestFailed with its error, RequestTimeout, or BusNotReady when none listens."""
        payload = message if isinstance(message, bytes) else msgspec.json.encode(message)
        with tracing.span(f"request {subject}", kind=SpanKind.CLIENT, attributes={"messaging.system": "nats"}):
            try:
                asked = self._client.request(subject, payload, timeout=timeout, headers=tracing.inject({}))
                reply = await self.guarded(subject, asked)
            except NoRespondersError as error:
                raise BusNotReady(f"no service listens on `{subject}`; is it running?") from error
            except NatsTimeout as error:
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

    async def follow(self, subjects: Sequence[str]) -> "Follower":
        """Hear events as they are published from now on (not durable): subscribed once this returns."""
        follower = Follower()
        for subject in subjects:
            subscription = await self._client.subscribe(subject, cb=follower.put)
            follower.subscriptions.append(subscription)
        await self._client.flush()
        return follower

    async def history(self, stream: str, subject: str, *, start: int = 1) -> AsyncIterator[Received]:
        """The stored messages of `subject` (wildcards allowed) from stream sequence `start` on, up to the newest."""
        sequence = start
        while True:
            try:
                stored = await self._js.get_msg(stream, subject=subject, seq=sequence, next=True, direct=True)
            except NotFoundError:
                return
            yield Received.stored(stream, stored)
            sequence = (stored.seq or 0) + 1

    async def last(self, stream: str, subject: str) -> Received | None:
        """The newest stored message of one subject."""
        try:
            return Received.stored(stream, await self._js.get_msg(stream, subject=subject, direct=True))
        except NotFoundError:
            return None

    async def guarded(self, subject: str, action: Awaitable[T]) -> T:
        """Await `action`, but raise PermissionDenied as soon as the server complains about a subject that contains it."""
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
            return task.result()

    async def subscribe_pull(self, row: topology.Consumer) -> JetStreamContext.PullSubscription:
        """For `consumer.py`: a pull subscription bound to an existing durable consumer."""
        return await self._js.pull_subscribe_bind(consumer=row.name, stream=row.stream)

    async def _bound(self, action: Awaitable[T], what: str) -> T:
        try:
            return await action
        except NotFoundError as error:
            raise BusNotReady(f"{what} is missing; run `unibpf bus init`") from error


class Follower:
    """An endless queue of live events; `close` it, or use it in `async with`."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Received] = asyncio.Queue()
        self.subscriptions: list[Any] = []

    async def put(self, message: Any) -> None:
        """The subscription's callback."""
        await self._queue.put(Received.live(message))

    async def next(self, timeout: float | None = None) -> Received:  # noqa: ASYNC109  the caller's patience, not a scope
        """The next event; TimeoutError after `timeout` seconds."""
        return await asyncio.wait_for(self._queue.get(), timeout)

    async def close(self) -> None:
        """Stop hearing."""
        for subscription in self.subscriptions:
            await _quietly(subscription.unsubscribe())

    async def __aenter__(self) -> "Follower":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Violations:
    """Permission violations as the server reports them, matched to the calls that wait."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[str]]] = []
        self.last_error: Exception | None = None

    async def on_error(self, error: Exception) -> None:
        """The client's `error_cb`."""
        self.last_error = error
        match = _VIOLATION.search(str(error))
        if match is None:
            logger.warning("nats: %s", error)
            return
        subject = match.group(2)
        logger.error("permission denied: %s to `%s`", match.group(1), subject)
        for part, future in self._waiting:
            # nats-py hands the server's text on in lower case.
            if part.lower() in subject.lower() and not future.done():
                future.set_result(subject)

    def watch(self, part: str) -> "_Watch":
        """Watch for violations on subjects that contain `part` while the context lasts."""
        return _Watch(self._waiting, part)


class _Watch:
    def __init__(self, waiting: list[tuple[str, asyncio.Future[str]]], part: str) -> None:
        self._waiting = waiting
        self._row: tuple[str, asyncio.Future[str]] = (part, asyncio.get_running_loop().create_future())

    def __enter__(self) -> "asyncio.Future[str]":
        self._waiting.append(self._row)
        return self._row[1]

    def __exit__(self, *_: object) -> None:
        self._waiting.remove(self._row)


async def _open(client: Client, settings: BusSettings, violations: _Violations) -> None:
    identity = settings.identity
    await client.connect(
        settings.url.split(","),
        name=identity.name,
        nkeys_seed_str=identity.seed,
        inbox_prefix=f"_INBOX_{identity.name}",
        error_cb=violations.on_error,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # type: ignore[arg-type]
    )


def _connect_error(settings: BusSettings, violations: _Violations, error: Exception) -> BusUnavailable:
    cause = violations.last_error or error
    if isinstance(cause, AuthorizationError) or "authorization" in str(cause).lower():
        return BusUnavailable(f"the server at `{settings.url}` does not know the key of `{settings.identity.name}`")
    detail = str(cause) or type(cause).__name__
    return BusUnavailable(f"no NATS server answers at `{settings.url}` ({detail}); is `unibpf up` running?")


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
