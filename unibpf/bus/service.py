"""Request/reply by the NATS micro-service protocol (ADR-32): discoverable, with counted errors."""

import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import nats.micro
from nats.aio.client import Client
from nats.micro.request import Request, ServiceError
from nats.micro.service import Service
from opentelemetry.trace import SpanKind

from unibpf import tracing
from unibpf.bus.connecting import barrier
from unibpf.bus.errors import BusError, Reject
from unibpf.bus.received import Received

logger = logging.getLogger(__name__)

Handler = Callable[[Received], Awaitable[msgspec.Struct | bytes]]


async def serve(
    client: Client, name: str, endpoints: Mapping[str, Handler], *, version: str, description: str
) -> Service:
    """Start one micro-service with an endpoint a subject; the endpoint's name is the subject's last token."""
    service: Service = await nats.micro.add_service(client, name=name, version=version, description=description)
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
