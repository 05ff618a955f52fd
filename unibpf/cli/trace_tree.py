"""A trace as a tree of lines: what, by whom, when it began, how long it took."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from unibpf.text import visible


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
    """One line a span, children under their parent by start time; a span whose parent is missing is a root."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanLike]] = {}
    for span in sorted(spans, key=lambda span: span.start_ns):
        parent = span.parent_id if span.parent_id in known else None
        children.setdefault(parent, []).append(span)
    if not spans:
        return []
    origin = min(span.start_ns for span in spans)
    rows = list(_rows(children, None, ""))
    left = max(len(label) for label, _ in rows)
    middle = max(len(span.service) for _, span in rows)
    lines = [
        f"{label.ljust(left)}  {span.service.ljust(middle)}  "
        f"{(span.start_ns - origin) / 1e6:>8.1f} ms  {(span.end_ns - span.start_ns) / 1e6:>9.3f} ms"
        for label, span in rows
    ]
    return list(map(visible, lines))


def _rows(
    children: dict[str | None, list[SpanLike]], parent: str | None, indent: str
) -> Iterable[tuple[str, SpanLike]]:
    siblings = children.get(parent, [])
    for index, span in enumerate(siblings):
        last = index == len(siblings) - 1
        branch = "" if parent is None else ("└─ " if last else "├─ ")
        yield indent + branch + span.name, span
        deeper = "" if parent is None else ("   " if last else "│  ")
        yield from _rows(children, span.span_id, indent + deeper)
