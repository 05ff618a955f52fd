"""Request/reply by the NATS micro-service protocol (ADR-32): discoverable, with counted errors."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
import nats.micro
from nats.aio.client import Client
from nats.micro.request import Request, ServiceError
from nats.micro.service import Service
from opentelemetry.trace import SpanKind

from unibpf import tracing
from unibpf.bus.connection.connecting import barrier
from unibpf.bus.errors import BusError, Reject
from unibpf.bus.received import Received

logger = logging.getLogger(__name__)

About = Callable[[], msgspec.Struct]
Handler = Callable[[Received], Awaitable[msgspec.Struct | bytes]]


@dataclass(frozen=True, kw_only=True)
class Card:
    """How a micro-service introduces itself; `about` is what each endpoint's statistics have as `data`."""

    name: str
    version: str
    description: str
    about: About | None = None


async def serve(client: Client, card: Card, endpoints: Mapping[str, Handler]) -> Service:
    """Start one micro-service with an endpoint a subject; the endpoint's name is the subject's last token."""
    about = card.about
    service: Service = await nats.micro.add_service(
        client,
        name=card.name,
        version=card.version,
        description=card.description,
        stats_handler=None if about is None else lambda _: msgspec.to_builtins(about()),
    )
    for subject, handler in endpoints.items():
        await service.add_endpoint(
            name=subject.rsplit(".", 1)[-1], subject=subject, handler=_answering(subject, handler)
        )
    await barrier(client)
    return service


def _answering(subject: str, handler: Handler) -> Callable[[Request], Awaitable[None]]:
    async def answer(request: Request) -> None:
        received = Received(subject=request.subject, data=request.data, headers=request.headers or {})
        with tracing.span(f"process {subject}", kind=SpanKind.SERVER, parent=received.context):
            try:
                reply = await handler(received)
            except Exception as error:
                raise service_error(subject, error) from error
        await request.respond(reply if isinstance(reply, bytes) else msgspec.json.encode(reply))

    return answer


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
