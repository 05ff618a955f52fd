"""Traces read back from the bus: what every process published under `unibpf.v1.trace.<trace id>`.

Spans arrive in any order and, after a crash, incompletely: a span whose parent never came is a root of its own.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from unibpf import subjects
from unibpf.bus import Bus
from unibpf.messages.operations import SpanRecord

logger = logging.getLogger(__name__)

MOST_SPANS: Final = 10_000
_MOST: Final = 1 << 63
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class TraceNode:
    """One span and the spans below it, by start time."""

    span: SpanRecord
    children: list["TraceNode"] = field(default_factory=list)


async def load_trace(bus: Bus, trace_id: str) -> list[SpanRecord]:
    """All spans of a trace that have arrived, by start time; empty for an unknown id or one that is no trace id.

    Anybody may publish spans. What is no list of spans of this trace is left out; of two spans with one id the earlier
    arrival stands (ids are random, so who comes first has made it); beyond MOST_SPANS nothing more is read.
    """
    if not _TRACE_ID.fullmatch(trace_id):
        return []
    found: dict[str, SpanRecord] = {}
    async for message in bus.history(subjects.TRACES, subjects.trace(trace_id)):
        for span in _spans(message.data, trace_id):
            found.setdefault(span.span_id, span)
        if len(found) >= MOST_SPANS:
            logger.warning("trace %s has more than %d spans; the rest is not read", trace_id, MOST_SPANS)
            break
    return sorted(found.values(), key=lambda span: (span.start_ns, span.end_ns))[:MOST_SPANS]


def _spans(data: bytes, trace_id: str) -> list[SpanRecord]:
    try:
        spans = msgspec.json.decode(data, type=list[SpanRecord])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        logger.warning("spans of trace %s that cannot be read are left out: %s", trace_id, error)
        return []
    return [span for span in spans if span.trace_id == trace_id and _is_sound(span)]


def _is_sound(span: SpanRecord) -> bool:
    """Whether its numbers are such as fit everywhere; JSON has no bounds of its own."""
    numbers = [span.start_ns, span.end_ns, span.pid, *(v for v in span.attributes.values() if isinstance(v, int))]
    return span.start_ns >= 0 and all(abs(number) < _MOST for number in numbers)


def build_tree(spans: Sequence[SpanRecord]) -> list[TraceNode]:
    """The roots; every span is in exactly one place, those in a circle below the earliest of them."""
    by_time = sorted(spans, key=lambda span: span.start_ns)
    nodes = {span.span_id: TraceNode(span=span) for span in reversed(by_time)}
    heads = _heads_of_circles({name: node.span for name, node in nodes.items()})
    roots: list[TraceNode] = []
    for span in by_time:
        parent = None if span.parent_id is None or span.span_id in heads else nodes.get(span.parent_id)
        (roots if parent is None else parent.children).append(nodes[span.span_id])
    return roots


def _heads_of_circles(spans: Mapping[str, SpanRecord]) -> set[str]:
    """The earliest span of each circle; every span is walked over once."""
    walks: dict[str, str] = {}  # by which walk a span was reached first
    heads: set[str] = set()
    for first in spans:
        name = first
        path: list[str] = []
        while name in spans and name not in walks:
            walks[name] = first
            path.append(name)
            name = spans[name].parent_id or ""
        if walks.get(name) == first:
            heads.add(min(path[path.index(name) :], key=lambda one: spans[one].start_ns))
    return heads
