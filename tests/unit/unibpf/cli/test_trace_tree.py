"""The trace tree."""

from dataclasses import dataclass

from unibpf.cli.trace_tree import tree_lines


@dataclass(frozen=True)
class Span:
    name: str
    span_id: str
    parent_id: str | None
    start_ns: int
    end_ns: int
    service: str = "cli"


def test_children_stand_under_their_parent_in_order_of_time() -> None:
    lines = tree_lines(
        [
            Span("late", "c", "a", 3_000_000, 4_000_000),
            Span("root", "a", None, 0, 10_000_000),
            Span("early", "b", "a", 1_000_000, 2_500_000),
            Span("leaf", "d", "b", 1_500_000, 1_600_000),
        ]
    )
    assert [line[: line.index("cli")].rstrip() for line in lines] == ["root", "├─ early", "│  └─ leaf", "└─ late"]
    assert lines[1].endswith("1.0 ms      1.500 ms")


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    assert len(tree_lines([Span("orphan", "a", "gone", 0, 1)])) == 1


def test_no_spans_give_no_lines() -> None:
    assert tree_lines([]) == []
