"""The trace tree."""

from dataclasses import dataclass

from unibpf.cli.reports.trace_tree import DEEPEST, tree_lines


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


def labels(spans: list[Span]) -> list[str]:
    return [line[: line.index("cli")].rstrip() for line in tree_lines(spans)]


def test_a_circle_begins_at_its_earliest_span() -> None:
    circle = [Span("first", "a", "c", 1, 9), Span("second", "b", "a", 2, 8), Span("third", "c", "b", 3, 7)]
    assert labels(circle) == ["first", "└─ second", "   └─ third"]
    assert labels([Span("own parent", "a", "a", 1, 2), Span("root", "b", None, 5, 6)]) == ["root", "own parent"]


def test_two_spans_of_one_id_are_both_shown() -> None:
    twins = [Span("root", "a", None, 0, 9), Span("genuine", "b", "a", 1, 2), Span("forged", "b", "a", 3, 4)]
    assert labels([*twins, Span("leaf", "c", "b", 5, 6)]) == ["root", "├─ genuine", "│  └─ leaf", "└─ forged"]


def test_a_chain_of_thousands_is_drawn_to_a_depth() -> None:
    chain = [Span("s", str(at), str(at - 1), at, at + 1) for at in range(20_000)]
    lines = labels(chain)
    assert len(lines) == 20_000
    assert max(map(len, lines)) == 3 * DEEPEST + 1
