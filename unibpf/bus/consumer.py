"""How one message of a durable consumer is worked on.

    handler returns            acknowledged
    nobody may say it          terminated, DeadLetter with the rule of unibpf.authority.judge; no handler sees it
    handler raises Reject      terminated, DeadLetter with its rule and reason
    handler raises Retry       delivered again after the backoff
    handler raises a BusError  the same: the server or an object is away
    any other exception        the same, logged with its traceback: a bug
    the last delivery failed   terminated, DeadLetter with the last reason
    the process died           delivered again after `ack_wait`; after `max_deliveries` of those the server's own
                               MAX_DELIVERIES advisory lands in the dead-letter stream

While a handler works, the server is told so every third of `ack_wait`. The dead letter is stored before the message is
terminated: a crash between the two gives two dead letters, never none.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.errors import NotFoundError, ServiceUnavailableError
from opentelemetry.trace import SpanKind

from unibpf import subjects, tracing
from unibpf.authority.judge import NoAuthority
from unibpf.bus import topology
from unibpf.bus.client import Bus
from unibpf.bus.errors import BusError, BusNotReady, Reject, Retry
from unibpf.bus.events import event_type
from unibpf.bus.received import Received, refusal
from unibpf.bus.topology import Consumer
from unibpf.messages.operations import DeadLetter

logger = logging.getLogger(__name__)

Handler = Callable[[Received], Awaitable[None]]

BIND_SECONDS: Final = 1.0
FETCH_SECONDS: Final = 2.0
FAULT_PAUSE_SECONDS: Final = 0.25
BACKOFF_SECONDS: Final = (0.2, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of the message: `done`, `again` or `dead`."""

    verdict: str
    reason: str = ""


def outcome_of(error: Exception | None, *, deliveries: int, max_deliveries: int) -> Outcome:
    """The one place where what a handler raised turns into what happens to its message."""
    match error:
        case None:
            return Outcome(verdict="done")
        case Reject(rule=rule, reason=reason):
            return Outcome(verdict="dead", reason=f"{rule}: {reason}")
        case Retry():
            reason = str(error)
        case _:
            reason = f"{type(error).__name__}: {error}"
    return Outcome(verdict="dead" if deliveries >= max_deliveries else "again", reason=reason)


def backoff(deliveries: int) -> float:
    """Seconds before the next attempt, with a quarter of jitter so that copies do not march in step."""
    base = BACKOFF_SECONDS[min(deliveries, len(BACKOFF_SECONDS)) - 1]
    return base * random.uniform(1.0, 1.25)  # noqa: S311  spreads load, guards nothing


async def consume(bus: Bus, name: str, handler: Handler, *, concurrency: int = 1) -> None:
    """Work as one copy of the durable consumer `name` until cancelled; the module text says how outcomes map.

    `concurrency` messages are handled at once. Raises BusNotReady when the consumer does not exist.
    """
    row = topology.consumer(name)
    await bus.guarded(f"{row.stream}.{row.name}", _bind(bus, row))
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work(bus, row, handler))


async def _bind(bus: Bus, row: Consumer) -> None:
    """Wait until the consumer is there to be used; a server that is away now comes back."""
    while True:
        try:
            await bus.jetstream.consumer_info(row.stream, row.name, timeout=BIND_SECONDS)
        except NotFoundError as error:
            raise BusNotReady(f"consumer `{row.name}` is missing; run `unibpf bus init`") from error
        except (NatsTimeout, ConnectionReconnectingError, ServiceUnavailableError):
            logger.warning("consumer `%s`: the server does not answer yet", row.name)
            continue
        return


async def work(bus: Bus, row: Consumer, handler: Handler) -> None:
    """Fetch and handle one message after the other until cancelled."""
    subscription = await bus.subscribe_pull(row)
    while True:
        try:
            messages = await subscription.fetch(1, timeout=FETCH_SECONDS)
        except NatsTimeout:
            continue
        except NatsError as error:
            logger.warning("consumer `%s`: %s", row.name, error)
            await asyncio.sleep(FAULT_PAUSE_SECONDS)
            continue
        for message in messages:
            await _handle(bus, row, handler, message)


async def _handle(bus: Bus, row: Consumer, handler: Handler, message: Msg) -> None:
    received = Received.delivered(message)
    error = await _run(bus, row, handler, message, received)
    outcome = outcome_of(error, deliveries=received.deliveries, max_deliveries=row.max_deliveries)
    try:
        await _settle(bus, row, message, received, outcome)
    except (NatsError, OSError) as failure:
        # Not acknowledged: it comes again after `ack_wait`, and handlers are idempotent.
        logger.warning("consumer `%s`: could not settle %s: %s", row.name, received.delivery_id, failure)


async def _run(bus: Bus, row: Consumer, handler: Handler, message: Msg, received: Received) -> Exception | None:
    attributes: dict[str, str | int | float | bool] = {
        "messaging.system": "nats",
        "messaging.destination.name": received.subject,
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": row.name,
        "messaging.message.id": received.headers.get("ce-id", ""),
        "unibpf.deliveries": received.deliveries,
    }
    name = f"process {event_type(received.subject)}"
    try:
        async with _ticking(message, row.ack_wait / 3):
            with tracing.span(name, kind=SpanKind.CONSUMER, parent=received.context, attributes=attributes):
                await handler(_believed(bus, received))
    except (Reject, Retry, BusError) as error:
        logger.warning("not handled", extra=_line(row, received, error))
        return error
    except Exception as error:
        logger.exception("not handled", extra=_line(row, received, error))
        return error
    return None


def _believed(bus: Bus, received: Received) -> Received:
    """What nobody may say is put aside with its rule: the bytes stay in the stream, and change nothing."""
    try:
        return received.believed(bus.judge, "delivered")
    except NoAuthority as error:
        raise refusal(error) from error


def _line(row: Consumer, received: Received, error: Exception) -> dict[str, str | int]:
    """The canonical line of a message that was not handled; what was handled is told by its handler."""
    return {
        "consumer": row.name,
        "subject": received.subject,
        "delivery": received.delivery_id,
        "deliveries": received.deliveries,
        "code": getattr(error, "rule", type(error).__name__),
        "detail": str(error),
    }


async def _settle(bus: Bus, row: Consumer, message: Msg, received: Received, outcome: Outcome) -> None:
    if outcome.verdict == "done":
        await message.ack()
    elif outcome.verdict == "again":
        await message.nak(delay=backoff(received.deliveries))
    else:
        letter = DeadLetter(
            service=row.name,
            subject=received.subject,
            reason=outcome.reason,
            stream=received.stream,
            sequence=received.sequence,
            deliveries=received.deliveries,
        )
        await bus.publish(subjects.dead_letter(row.name), letter)
        await message.term()


@contextlib.asynccontextmanager
async def _ticking(message: Msg, interval: float) -> AsyncIterator[None]:
    """Extend the acknowledgement wait every `interval` seconds."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(interval)
            await message.in_progress()

    ticker = asyncio.get_running_loop().create_task(tick())
    try:
        yield
    finally:
        ticker.cancel()
        await asyncio.gather(ticker, return_exceptions=True)
