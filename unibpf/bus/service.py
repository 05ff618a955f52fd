"""Request/reply by the NATS micro-service protocol (ADR-32): discoverable, with counted errors."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import nats.micro
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro.request import Request, ServiceError
from nats.micro.service import Service
from opentelemetry.trace import SpanKind

from unibpf import tracing
from unibpf.authority.judge import Judge, NoAuthority
from unibpf.bus.connection.connecting import barrier
from unibpf.bus.errors import BusError, Reject
from unibpf.bus.received import Received, refusal

logger = logging.getLogger(__name__)

# Where an answer may go: an inbox, or where the server says that it came from another account.
_INBOX: Final = re.compile(r"(_INBOX(_[a-z0-9][a-z0-9_-]{0,47})?|_R_)\.[^\s]+")

About = Callable[[], msgspec.Struct]
Handler = Callable[[Received], Awaitable[msgspec.Struct | bytes]]


@dataclass(frozen=True, kw_only=True)
class Card:
    """How a micro-service introduces itself; `about` is what each endpoint's statistics have as `data`."""

    name: str
    version: str
    description: str
    about: About | None = None


class _Careful:
    """A client that hears only requests whose answer goes to an inbox.

    A service answers with its own rights, wherever the reply subject says: without this it would be anybody's deputy, its
    ADR-32 verbs (`$SRV.PING` and the like) too.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def subscribe(self, subject: str, *, cb: Callable[[Msg], Awaitable[None]], **more: Any) -> Any:
        async def careful(message: Msg) -> None:
            if is_inbox(message.reply):
                await cb(message)
            else:
                logger.warning(
                    "a request on `%s` wants its answer at `%.200s`: passed over", message.subject, message.reply
                )

        return await self._client.subscribe(subject, cb=careful, **more)


def is_inbox(reply: str) -> bool:
    """Whether an answer may go there."""
    return _INBOX.fullmatch(reply) is not None


async def serve(client: Client, judge: Judge, card: Card, endpoints: Mapping[str, Handler]) -> Service:
    """Start one micro-service with an endpoint a subject; the endpoint's name is the subject's last token."""
    about = card.about
    service: Service = await nats.micro.add_service(
        _Careful(client),  # type: ignore[arg-type]
        name=card.name,
        version=card.version,
        description=card.description,
        stats_handler=None if about is None else lambda _: msgspec.to_builtins(about()),
    )
    for subject, handler in endpoints.items():
        await service.add_endpoint(
            name=subject.rsplit(".", 1)[-1], subject=subject, handler=_answering(judge, subject, handler)
        )
    await barrier(client)
    return service


def _answering(judge: Judge, subject: str, handler: Handler) -> Callable[[Request], Awaitable[None]]:
    async def answer(request: Request) -> None:
        received = Received(subject=request.subject, data=request.data, headers=request.headers or {})
        with tracing.span(f"process {subject}", kind=SpanKind.SERVER, parent=received.context):
            try:
                reply = await handler(_believed(judge, received))
            except Exception as error:
                raise service_error(subject, error) from error
        await request.respond(reply if isinstance(reply, bytes) else msgspec.json.encode(reply))

    return answer


def _believed(judge: Judge, received: Received) -> Received:
    try:
        return received.believed(judge, "request")
    except NoAuthority as error:
        logger.warning("refused", extra={"subject": received.subject, "code": error.rule, "detail": error.reason})
        raise refusal(error) from error


def service_error(subject: str, error: Exception) -> ServiceError:
    """The one place where a handler's exception becomes an answer: the caller's fault is 4xx, ours 5xx."""
    match error:
        case ServiceError():
            return error
        case Reject(rule=rule, reason=reason):
            return ServiceError("400", f"{rule}: {reason}")
        case BusError():
            logger.warning("endpoint `%s` failed: %s", subject, error)
            return ServiceError("503", str(error))
        case _:
            logger.error("endpoint `%s` failed", subject, exc_info=error)
            return ServiceError("500", f"{type(error).__name__}: {error}")
