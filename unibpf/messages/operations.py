"""What operators look into: dead letters and spans."""

from typing import Annotated

from unibpf.messages.base import Message, whole


class DeadLetter(Message, frozen=True, kw_only=True):
    """A message that no service could handle, with the reason; the bytes stay where they were (stream and sequence)."""

    service: str
    subject: str
    reason: str
    stream: str = ""
    sequence: int = 0
    deliveries: int = 0


class Readiness(Message, frozen=True, kw_only=True):
    """Whether a service can do its work: in the `data` of its statistics (ADR-32), and as an event when it changes.

    `since_us` (Unix) is when `is_ready` changed last. `alarms` do not keep it from working yet. `waiting` is what lies in its
    queue, None where it could not ask.
    """

    service: str
    version: str
    is_ready: bool
    since_us: int
    host: str = ""
    why: list[str] = []
    alarms: list[str] = []
    waiting: int | None = None


class SpanRecord(Message, frozen=True, kw_only=True):
    """One finished span, as `unibpf.v1.trace.<trace id>` keeps it (its payload is a JSON array of these).

    Ids are hex as in W3C trace context. Times are Unix nanoseconds. `service` of a guest's step is `guest/<name>`; `pid` is
    the process that reported the span.
    """

    trace_id: Annotated[str, whole("[0-9a-f]{32}")]
    span_id: Annotated[str, whole("[0-9a-f]{16}")]
    name: str
    service: str
    start_ns: int
    end_ns: int
    parent_id: str | None = None
    pid: int = 0
    kind: str = "internal"
    attributes: dict[str, str | int | float | bool] = {}
    error: str | None = None
