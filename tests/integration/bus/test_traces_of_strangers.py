"""A trace to which strangers have sent spans too, on a real server: what is genuine is still shown."""

import json
from typing import Any, Final

import msgspec
import pytest

from tests.support.services.nats import NatsFixture
from unibpf import subjects
from unibpf.cli.reports.trace_tree import tree_lines
from unibpf.client import traces
from unibpf.messages.operations import SpanRecord

TRACE: Final = "ab" * 16
GENUINE: Final = SpanRecord(trace_id=TRACE, span_id="1" * 16, name="verify", service="verifier", start_ns=5, end_ns=9)


def foreign(**fields: object) -> dict[str, Any]:
    return {**msgspec.to_builtins(GENUINE), **fields}


STRANGE: Final = {
    "no JSON": b"\xff\x00{",
    "no list": b"{}",
    "one field of another kind": json.dumps([foreign(start_ns="soon")]).encode(),
    "a number beyond 64 bits": json.dumps([foreign(span_id="2" * 16, start_ns=1 << 80)]).encode(),
    "a span of another trace": json.dumps([foreign(trace_id="cd" * 16, span_id="3" * 16)]).encode(),
    "the same span once more": json.dumps([foreign(name="forged")]).encode(),
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("what", STRANGE)
async def test_what_strangers_send_changes_no_genuine_span(what: str, nats: NatsFixture) -> None:
    async with (
        await nats.connect("verifier") as verifier,
        await nats.connect("ci") as stranger,
        await nats.connect("cli") as reader,
    ):
        await verifier.jetstream.publish(subjects.trace(TRACE), msgspec.json.encode([GENUINE]))
        await stranger.jetstream.publish(subjects.trace(TRACE), STRANGE[what])
        assert await traces.load_trace(reader, TRACE) == [GENUINE]


async def test_circles_and_depth_are_drawn(nats: NatsFixture) -> None:
    chain = [foreign(span_id=f"{at:016x}", parent_id=f"{at - 1:016x}", start_ns=at) for at in range(2, 3000)]
    circle = [foreign(span_id="a" * 16, parent_id="b" * 16), foreign(span_id="b" * 16, parent_id="a" * 16)]
    async with await nats.connect("ci") as stranger:
        for spans in (chain, circle):
            await stranger.jetstream.publish(subjects.trace(TRACE), json.dumps(spans).encode())
        found = await traces.load_trace(stranger, TRACE)
    assert len(tree_lines(found)) == len(chain) + len(circle)
    assert len(traces.build_tree(found)) == 2


async def test_a_trace_has_an_end(nats: NatsFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "MOST_SPANS", 100)
    async with await nats.connect("ci") as stranger:
        for start in range(0, 400, 40):
            many = [foreign(span_id=f"{at:016x}") for at in range(start, start + 40)]
            await stranger.jetstream.publish(subjects.trace(TRACE), json.dumps(many).encode())
        assert len(await traces.load_trace(stranger, TRACE)) == 100
