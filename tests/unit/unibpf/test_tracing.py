"""unibpf.tracing: spans of this process and of guests, context in headers and in 25 bytes."""

import contextvars

import msgspec
import pytest
from opentelemetry import trace

from unibpf import tracing
from unibpf.messages.operations import SpanRecord
from unibpf.tracing import Tracing


class Sink:
    """The bus side of `attach`."""

    def __init__(self) -> None:
        self.published: list[tuple[str, list[SpanRecord]]] = []

    async def publish(self, subject: str, payload: bytes) -> None:
        self.published.append((subject, msgspec.json.decode(payload, type=list[SpanRecord])))

    def by_name(self) -> dict[str, SpanRecord]:
        return {span.name: span for _, spans in self.published for span in spans}


async def collect(current: Tracing) -> Sink:
    sink = Sink()
    current.attach(sink.publish)
    await current.close()
    return sink


async def test_nested_spans_are_published_under_their_trace_with_parent_service_and_pid() -> None:
    current = tracing.init("verifier", environ={})
    with tracing.span("outer", attributes={"n": 1}):
        trace_id = tracing.trace_id()
        with tracing.span("inner"):
            pass
    sink = await collect(current)
    assert [subject for subject, _ in sink.published] == [f"unibpf.v1.trace.{trace_id}"]
    spans = sink.by_name()
    assert spans["inner"].parent_id == spans["outer"].span_id
    assert spans["outer"].parent_id is None
    assert (spans["outer"].service, spans["outer"].attributes) == ("verifier", {"n": 1})
    assert spans["outer"].pid > 0 and spans["outer"].end_ns >= spans["inner"].end_ns > 0


async def test_context_crosses_processes_in_headers() -> None:
    current = tracing.init("cli", environ={})
    with tracing.span("send") as sent:
        headers = tracing.inject({})
    with tracing.span("process", parent=tracing.extract(headers)):
        pass
    spans = (await collect(current)).by_name()
    assert spans["process"].parent_id == trace.format_span_id(sent.get_span_context().span_id)
    assert spans["process"].trace_id == spans["send"].trace_id


async def test_a_malformed_traceparent_starts_a_new_trace() -> None:
    current = tracing.init("cli", environ={})
    with tracing.span("process", parent=tracing.extract({"traceparent": "00-zz-1-1"})):
        assert len(tracing.trace_id()) == 32
    assert (await collect(current)).by_name()["process"].parent_id is None


async def test_a_guests_step_is_a_span_of_the_guest_with_the_guests_times() -> None:
    current = tracing.init("reconfigurer", environ={})
    with tracing.span("update"):
        step = tracing.record("stage", start_ns=100, end_ns=300, service="guest/fw1")
        tracing.record("signature", start_ns=150, end_ns=200, parent=step, service="guest/fw1")
    spans = (await collect(current)).by_name()
    assert (spans["stage"].start_ns, spans["stage"].end_ns, spans["stage"].service) == (100, 300, "guest/fw1")
    assert spans["stage"].parent_id == spans["update"].span_id
    assert spans["signature"].parent_id == spans["stage"].span_id


async def test_an_exception_marks_its_span_as_failed() -> None:
    current = tracing.init("verifier", environ={})
    with pytest.raises(ValueError, match="bad"), tracing.span("work"):
        raise ValueError("bad")
    assert (await collect(current)).by_name()["work"].error == "ValueError: bad"


def test_the_context_bytes_are_trace_id_span_id_and_flags() -> None:
    tracing.init("reconfigurer", environ={})
    with tracing.span("update") as span:
        context = span.get_span_context()
        data = tracing.context_bytes()
    assert data is not None and len(data) == 25
    assert data[:16].hex() == trace.format_trace_id(context.trace_id)
    assert data[16:24].hex() == trace.format_span_id(context.span_id)
    assert tracing.context_bytes() is None


async def test_spans_beyond_the_queue_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "QUEUE_SPANS", 3)
    current = tracing.init("verifier", environ={})
    for number in range(5):
        with tracing.span(f"span {number}"):
            pass
    assert current.dropped == 2
    assert set((await collect(current)).by_name()) == {"span 0", "span 1", "span 2"}


async def test_a_bus_that_fails_costs_spans_and_nothing_else() -> None:
    async def fail(_subject: str, _payload: bytes) -> None:
        raise ConnectionError("away")

    current = tracing.init("verifier", environ={})
    current.attach(fail)
    with tracing.span("work"):
        pass
    await current.close()
    assert current.dropped == 1


async def test_a_long_trace_is_published_in_several_messages() -> None:
    current = tracing.init("verifier", environ={})
    with tracing.span("root"):
        for number in range(tracing.MESSAGE_SPANS):
            tracing.record(f"step {number}", start_ns=1, end_ns=2)
    sink = await collect(current)
    assert [len(spans) for _, spans in sink.published] == [tracing.MESSAGE_SPANS, 1]


async def test_only_the_first_bus_of_a_process_carries_its_spans() -> None:
    current = tracing.init("verifier", environ={})
    first, second = Sink(), Sink()
    assert current.attach(first.publish)
    assert not current.attach(second.publish)
    with tracing.span("work"):
        pass
    await current.close()
    assert set(first.by_name()) == {"work"}
    assert second.published == []


def test_without_init_a_span_costs_nothing_and_breaks_nothing() -> None:
    def body() -> None:
        with tracing.span("work"):
            assert tracing.trace_id() == ""
            assert tracing.inject({}) == {}
            assert tracing.record("step", start_ns=1, end_ns=2) is None

    contextvars.Context().run(body)
