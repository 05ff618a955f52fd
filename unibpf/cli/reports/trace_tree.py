"""A trace as a tree of lines: what, by whom, when it began, how long it took."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from unibpf.text import visible

DEEPEST: Final = 32
_STEM: Final = "│  "


class SpanLike(Protocol):
    """What a span must show to be printed; times are Unix nanoseconds."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def span_id(self) -> str: ...  # noqa: D102
    @property
    def parent_id(self) -> str | None: ...  # noqa: D102
    @property
    def start_ns(self) -> int: ...  # noqa: D102
    @property
    def end_ns(self) -> int: ...  # noqa: D102


def tree_lines(spans: Sequence[SpanLike]) -> list[str]:
    """One line a span, children under their parent by start time; a span whose parent is missing is a root.

    Anybody may send spans: those that are in a circle begin at the earliest of them, and what lies deeper than DEEPEST is
    drawn there.
    """
    if not spans:
        return []
    origin = min(span.start_ns for span in spans)
    rows = list(_rows(spans))
    left = max(len(label) for label, _ in rows)
    middle = max(len(span.service) for _, span in rows)
    lines = [
        f"{label.ljust(left)}  {span.service.ljust(middle)}  "
        f"{(span.start_ns - origin) / 1e6:>8.1f} ms  {(span.end_ns - span.start_ns) / 1e6:>9.3f} ms"
        for label, span in rows
    ]
    return list(map(visible, lines))


@dataclass(frozen=True)
class _Place:
    """Where a span stands: how deep, what is drawn before it and before what hangs on it."""

    span: SpanLike
    depth: int
    before: str
    below: str


def _rows(spans: Sequence[SpanLike]) -> Iterator[tuple[str, SpanLike]]:
    by_time = sorted(spans, key=lambda span: span.start_ns)
    known = {span.span_id for span in spans}
    children: dict[str, list[SpanLike]] = {}
    for span in by_time:
        if span.parent_id is not None:
            children.setdefault(span.parent_id, []).append(span)
    drawn: set[int] = set()
    roots = [span for span in by_time if span.parent_id not in known]
    for root in (*roots, *by_time):  # whoever was not drawn beneath a root is in a circle
        waiting = [_Place(root, 0, "", "")]
        while waiting:
            place = waiting.pop()
            if id(place.span) in drawn:
                continue
            drawn.add(id(place.span))
            yield place.before + place.span.name, place.span
            waiting += reversed(_below(place, children.pop(place.span.span_id, [])))


def _below(place: _Place, spans: Sequence[SpanLike]) -> list[_Place]:
    depth = min(place.depth + 1, DEEPEST)
    stem = place.below if depth > place.depth else place.below[: -len(_STEM)]
    last = len(spans) - 1
    return [
        _Place(span, depth, stem + ("└─ " if at == last else "├─ "), stem + ("   " if at == last else _STEM))
        for at, span in enumerate(spans)
    ]
