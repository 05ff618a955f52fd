"""unibpf.client.traces: the tree of a trace, however incomplete."""

from unibpf.client.traces import TraceNode, build_tree
from unibpf.messages.operations import SpanRecord


def span(number: int, parent: int | None, start: int) -> SpanRecord:
    return SpanRecord(
        trace_id="0" * 32,
        span_id=f"{number:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=f"span {number}",
        service="test",
        start_ns=start,
        end_ns=start + 1,
    )


def shape(nodes: list[TraceNode]) -> list[object]:
    return [(int(node.span.span_id, 16), shape(node.children)) for node in nodes]


def test_children_hang_below_their_parent_by_start_time() -> None:
    spans = [span(3, 1, 30), span(2, 1, 20), span(1, None, 10), span(4, 2, 25)]
    assert shape(build_tree(spans)) == [(1, [(2, [(4, [])]), (3, [])])]


def test_a_span_whose_parent_never_came_is_a_root() -> None:
    assert shape(build_tree([span(1, 99, 10), span(2, 1, 11)])) == [(1, [(2, [])])]


def test_a_circle_hangs_below_its_earliest_span() -> None:
    spans = [span(1, 3, 10), span(2, 1, 20), span(3, 2, 30), span(4, 3, 40), span(5, 5, 50)]
    assert shape(build_tree(spans)) == [(1, [(2, [(3, [(4, [])])])]), (5, [])]
