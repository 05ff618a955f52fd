"""One trace from the publish to the first packet of the new program: OpenTelemetry spans, W3C context in headers.

A process calls `init(service)` once, before it connects to the bus. Finished spans go two ways: by OTLP/HTTP when
`OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set, and always to `unibpf.v1.trace.<trace id>`
once a bus is attached, from where `unibpf.client.traces` reads a trace back. Neither way ever blocks or fails the work:
spans beyond the queue's bound are dropped and counted.

Which tracing is current follows the context (contextvars), as the current span does; where none is, spans record nothing.
"""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import default_getter
from opentelemetry.sdk.resources import PROCESS_PID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from unibpf import subjects
from unibpf.messages.operations import SpanRecord

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | int | float | bool]
Publish = Callable[[str, bytes], Awaitable[None]]

QUEUE_SPANS: Final = 4096
MESSAGE_SPANS: Final = 256
FLUSH_SECONDS: Final = 0.1  # a service's part of an update takes less: its spans go in one message, when it is done
OTLP_DELAY_MS: Final = 200
CLOSE_SECONDS: Final = 1.0
CLOSE_POLL_SECONDS: Final = 0.02
_CONTEXT_BYTES: Final = 25
_OTLP_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROPAGATOR: Final = TraceContextTextMapPropagator()

_current: ContextVar["Tracing | None"] = ContextVar("unibpf_tracing", default=None)


def init(service: str, *, environ: Mapping[str, str] = os.environ) -> "Tracing":
    """Make `service`'s tracing current for this context and all tasks started from it."""
    tracing = Tracing(service=service, otlp=any(environ.get(name) for name in _OTLP_VARIABLES))
    _current.set(tracing)
    return tracing


def current() -> "Tracing | None":
    """The tracing that `init` made current, if any."""
    return _current.get()


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """Time a block; it becomes the current span. `parent` None means the current span. An exception marks it failed."""
    tracing = _current.get()
    if tracing is None:
        yield INVALID_SPAN
        return
    tracer = tracing.tracer()
    with tracer.start_as_current_span(name, context=parent, kind=kind, attributes=dict(attributes or {})) as active:
        yield active


def record(  # noqa: PLR0913  one argument a field of the span, all by name
    name: str,
    *,
    start_ns: int,
    end_ns: int,
    parent: Context | None = None,
    service: str | None = None,
    attributes: Attributes | None = None,
) -> Context | None:
    """Add a span that somebody else timed (a guest's step; `service="guest/<name>"`). Times are Unix nanoseconds.

    Returns the context to hang its children on.
    """
    tracing = _current.get()
    if tracing is None:
        return None
    finished = tracing.tracer(service).start_span(
        name, context=parent, kind=SpanKind.INTERNAL, attributes=dict(attributes or {}), start_time=start_ns
    )
    finished.end(end_ns)
    return trace.set_span_in_context(finished, parent)


def inject(headers: dict[str, str], context: Context | None = None) -> dict[str, str]:
    """Write `traceparent` of the current span (or `context`) into `headers`, and return them."""
    _PROPAGATOR.inject(headers, context=context)
    return headers


def extract(headers: Mapping[str, str] | None) -> Context:
    """The context that a message came with; an empty one when it has none or a malformed one."""
    return _PROPAGATOR.extract(headers or {}, context=Context(), getter=default_getter)


def trace_id(context: Context | None = None) -> str:
    """32 hex digits of the current (or given) trace; empty when there is none."""
    span_context = trace.get_current_span(context).get_span_context()
    return trace.format_trace_id(span_context.trace_id) if span_context.is_valid else ""


def context_bytes(context: Context | None = None) -> bytes | None:
    """Trace id, span id and flags, 25 bytes: what CoAP option 65000 carries (schemas/control.cddl)."""
    span_context = trace.get_current_span(context).get_span_context()
    if not span_context.is_valid:
        return None
    head = span_context.trace_id.to_bytes(16, "big") + span_context.span_id.to_bytes(8, "big")
    return head + bytes([span_context.trace_flags])


class Tracing:
    """The exporters of one process. `attach` gives it a bus, `flush` and `close` are called by that bus."""

    def __init__(self, *, service: str, otlp: bool = False) -> None:
        self.service = service
        self._collector = _Collector()
        self._otlp = [BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=OTLP_DELAY_MS)] if otlp else []
        self._tracers: dict[str, trace.Tracer] = {}
        self._publish: Publish | None = None
        self._flusher: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """Spans lost to the queue's bound."""
        return self._collector.dropped

    def tracer(self, service: str | None = None) -> trace.Tracer:
        """A tracer whose spans belong to `service` (default: this process's)."""
        name = service or self.service
        if name not in self._tracers:
            resource = Resource.create({SERVICE_NAME: name, PROCESS_PID: os.getpid()})
            provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            for processor in (self._collector, *self._otlp):
                provider.add_span_processor(processor)
            self._tracers[name] = provider.get_tracer("unibpf")
        return self._tracers[name]

    def attach(self, publish: Publish) -> bool:
        """Send finished spans by `publish(subject, payload)`, which must neither wait for an answer nor trace.

        The first bus of a process carries its spans, and closes this tracing; False tells a later one that it is not it.
        """
        if self._publish is not None:
            return False
        self._publish = publish
        self._flusher = asyncio.get_running_loop().create_task(self._run(), name="tracing flush")
        return True

    async def flush(self) -> None:
        """Send what is queued now, MESSAGE_SPANS a message; what the bus does not take is dropped and counted."""
        if self._publish is None:
            return
        spans = sorted(self._collector.take(), key=attrgetter("trace_id"))
        for key, group in groupby(spans, key=attrgetter("trace_id")):
            rows = list(group)
            for start in range(0, len(rows), MESSAGE_SPANS):
                await self._send(self._publish, key, rows[start : start + MESSAGE_SPANS])

    async def _send(self, publish: Publish, key: str, spans: list[SpanRecord]) -> None:
        try:
            await publish(subjects.trace(key), msgspec.json.encode(spans))
        except Exception as error:
            self._collector.dropped += len(spans)
            logger.debug("dropped %d spans: %s", len(spans), error)

    async def close(self) -> None:
        """Send the rest and stop both exporters."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            self._flusher = None
        await self.flush()
        self._publish = None
        await self._flush_otlp()

    async def _flush_otlp(self) -> None:
        """Give the collector CLOSE_SECONDS; one that is away must not hold up the end of the process."""
        if not self._otlp:
            return
        flushing = threading.Thread(target=self._otlp[0].force_flush, daemon=True)
        flushing.start()
        deadline = time.monotonic() + CLOSE_SECONDS
        while flushing.is_alive() and time.monotonic() < deadline:
            await asyncio.sleep(CLOSE_POLL_SECONDS)

    async def _run(self) -> None:
        """Looks now and then; a wake-up from `on_end`, which may run on any thread, would cost more."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()


class _Collector(SpanProcessor):
    """Keeps finished spans until the bus takes them; `deque.append` makes `on_end` safe on any thread."""

    def __init__(self) -> None:
        self._spans: deque[SpanRecord] = deque()
        self._pid = os.getpid()
        self.dropped = 0

    def on_end(self, span: ReadableSpan) -> None:
        if len(self._spans) >= QUEUE_SPANS:
            self.dropped += 1
            return
        self._spans.append(_record_of(span, self._pid))

    def take(self) -> list[SpanRecord]:
        return [self._spans.popleft() for _ in range(len(self._spans))]


def _record_of(span: ReadableSpan, pid: int) -> SpanRecord:
    context = span.get_span_context()
    if context is None:
        raise AssertionError("a finished span always has a context")
    return SpanRecord(
        trace_id=trace.format_trace_id(context.trace_id),
        span_id=trace.format_span_id(context.span_id),
        parent_id=trace.format_span_id(span.parent.span_id) if span.parent else None,
        name=span.name,
        service=str(span.resource.attributes[SERVICE_NAME]),
        pid=pid,
        kind=span.kind.name.lower(),
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes={
            key: value for key, value in (span.attributes or {}).items() if isinstance(value, str | int | float)
        },
        error=(span.status.description or "failed") if not span.status.is_ok else None,
    )
