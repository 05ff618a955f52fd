"""One trace joins every step: checked by an OTLP receiver of the test's own, for parentage and process of each span."""

import time
from collections.abc import Iterator

import pytest

from tests.support.folders import short_folder
from tests.support.services.cli import StackProcess, eventually
from tests.support.services.otlp import OtlpReceiver, Span
from tests.system import firewall

GUEST = "traced-1"
STEPS = ("signature", "load", "swap")


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(receiver: OtlpReceiver) -> Iterator[StackProcess]:
    with short_folder() as folder:
        stack = StackProcess(folder / "state", {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint})
        try:
            yield stack
            stack.cli.run("guest", "delete", GUEST, "--wait", "--json")
        finally:
            stack.stop()


@pytest.fixture(scope="module")
def update(traced: StackProcess, receiver: OtlpReceiver) -> tuple[str, list[Span], dict[str, int]]:
    """(trace id, its spans, the services' pids) of an update that reached a guest."""
    firewall.push(traced.cli, 9)
    firewall.apply(traced.cli, GUEST)
    trace_id = firewall.push(traced.cli, 4000).json["trace_id"]

    def received() -> list[Span]:
        return [span for span in receiver.spans if span.trace_id == trace_id]

    def arrived() -> bool:
        """Each process exports in its own time: wait for all of them, then until nothing more comes."""
        names = {span.name for span in received() if span.service == f"guest/{GUEST}"}
        count, services = len(received()), {span.service for span in received()}
        time.sleep(1)
        return (
            set(STEPS) <= names
            and services >= {"cli", "verifier", "signer", "reconfigurer"}
            and count == len(received())
        )

    eventually(arrived, what="the whole trace at the receiver")
    return trace_id, received(), traced.pids()


def test_every_span_has_its_parent_and_the_push_is_the_only_root(update) -> None:
    _, spans, _ = update
    known = {span.span_id for span in spans}
    roots = [span for span in spans if not span.parent_id]
    assert [(root.name, root.service) for root in roots] == [("push firewall", "cli")]
    assert [span for span in spans if span.parent_id and span.parent_id not in known] == []


def test_each_service_reports_its_own_spans_from_its_own_process(update) -> None:
    _, spans, pids = update
    for service in ("verifier", "signer", "reconfigurer"):
        assert {span.pid for span in spans if span.service == service} == {pids[service]}


def test_the_steps_follow_each_other(update) -> None:
    _, spans, _ = update
    first = {service: min(span.start_ns for span in spans if span.service == service)
             for service in ("cli", "verifier", "signer", "reconfigurer", f"guest/{GUEST}")}  # fmt: skip
    assert sorted(first, key=lambda service: first[service]) == list(first)


def test_a_childs_time_lies_inside_the_trace(update) -> None:
    _, spans, _ = update
    assert all(span.start_ns <= span.end_ns for span in spans)


def test_the_command_line_prints_the_same_trace_as_a_tree(update, traced: StackProcess) -> None:
    trace_id, spans, _ = update
    answer = traced.cli.run("trace", trace_id)
    for name in ("push firewall", *STEPS):
        assert name in answer.out
    told = traced.cli.run("trace", trace_id, "--json").json["spans"]
    assert {span["span_id"] for span in told} >= {span.span_id for span in spans}
