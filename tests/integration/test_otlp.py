"""unibpf.tracing towards an OTLP collector of the tests' own."""

import time

import pytest

from tests.support.services.otlp import OtlpReceiver
from unibpf import tracing


async def test_spans_of_process_and_guest_reach_the_collector_with_their_parents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OtlpReceiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        current = tracing.init("reconfigurer")
        with tracing.span("update"):
            tracing.record("stage", start_ns=100, end_ns=300, service="guest/fw1")
        await current.close()
    spans = {span.name: span for span in receiver.spans}
    assert set(spans) == {"update", "stage"}
    assert spans["stage"].parent_id == spans["update"].span_id
    assert {name: span.service for name, span in spans.items()} == {"update": "reconfigurer", "stage": "guest/fw1"}
    assert (spans["stage"].start_ns, spans["stage"].end_ns) == (100, 300)


async def test_a_collector_that_is_away_costs_the_work_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    current = tracing.init("reconfigurer")
    with tracing.span("update"):
        pass
    began = time.monotonic()
    await current.close()
    assert time.monotonic() - began < tracing.CLOSE_SECONDS + 1
