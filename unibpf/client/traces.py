"""Traces read back from the bus: what every process published under `unibpf.v1.trace.<trace id>`.

Spans arrive in any order and, after a crash, incompletely: a span whose parent never came is a root of its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from unibpf import subjects
from unibpf.bus import Bus
from unibpf.messages.operations import SpanRecord

_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, kw_only=True)
class TraceNode:
    """One span and the spans below it, by start time."""

    span: SpanRecord
    children: list["TraceNode"] = field(default_factory=list)


async def load_trace(bus: Bus, trace_id: str) -> list[SpanRecord]:
    """All spans of a trace that have arrived, by start time; empty for an unknown id or one that is no trace id."""
    if not _TRACE_ID.match(trace_id):
        return []
    found: dict[str, SpanRecord] = {}
    async for message in bus.history(subjects.TRACES, subjects.trace(trace_id)):
        for span in msgspec.json.decode(message.data, type=list[SpanRecord]):
            found[span.span_id] = span
    return sorted(found.values(), key=lambda span: (span.start_ns, span.end_ns))


def build_tree(spans: Sequence[SpanRecord]) -> list[TraceNode]:
    """The roots; every span is in exactly one place."""
    nodes = {span.span_id: TraceNode(span=span) for span in spans}
    roots: list[TraceNode] = []
    for span in sorted(spans, key=lambda span: span.start_ns):
        parent = nodes.get(span.parent_id) if span.parent_id is not None else None
        (roots if parent is None else parent.children).append(nodes[span.span_id])
    return roots
