"""Figures: percentiles, and a table that says for each what was demanded and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure; `limit` None means that nothing is demanded of it."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    how: str = ""

    @property
    def holds(self) -> bool:
        return self.limit is None or self.value <= self.limit


def percentile(values: Sequence[float], fraction: float) -> float:
    """The nearest-rank percentile of `values`."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(fraction * len(ordered) + 0.5) - 1))]


def table(title: str, figures: Sequence[Figure]) -> str:
    """A Markdown table."""
    lines = [f"### {title}", "", "| figure | measured | must be | holds | how |", "|---|---|---|---|---|"]
    for one in figures:
        demanded = f"<= {one.limit:g} {one.unit}" if one.limit is not None else "-"
        verdict = "-" if one.limit is None else ("yes" if one.holds else "NO")
        lines.append(f"| {one.name} | {one.value:.4g} {one.unit} | {demanded} | {verdict} | {one.how} |")
    return "\n".join([*lines, ""])
