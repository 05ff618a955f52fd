"""A graph as an SVG picture: boxes along the way of the packets, ports as Click draws them, one colour for each family.

A port is a triangle (input) or a square (output): filled where it pushes, empty where it pulls, grey where the element takes
either. With counters, the numbers of packets and drops stand below an element's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from unibpf.cli.reports.graph_layout import Place, arranged
from unibpf.host.graph_check import Connection, Element, GraphReport

BOX, HEIGHT = 178, 64
ACROSS, DOWN, MARGIN = 74, 34, 28
MOST_LETTERS: Final = 24
FAMILIES: Final = (  # by the first part of a class's name that fits
    (("FromDevice", "ToDevice"), "#d7efe2", "#1f7a4d"),
    (("BPF",), "#e6ddf8", "#6438b3"),
    (("Queue", "Unqueue", "SimpleQueue", "ThreadSafeQueue", "FrontDropQueue", "RED", "Shaper"), "#fbeecb", "#9a6a00"),
    (("Classifier", "IPClassifier", "IPFilter", "Switch", "CheckPaint", "Paint"), "#dcebfb", "#1c62a8"),
    (("Discard", "Idle"), "#eceff1", "#5b6770"),
)
PLAIN: Final = ("#ffffff", "#3c4650")
STYLE: Final = (
    "text{font-family:'Inter','Helvetica Neue',Arial,sans-serif}"
    ".name{font-size:13px;font-weight:600}.class{font-size:11px}.note{font-size:10px;fill:#6b7680}"
    ".push{fill:none;stroke:#2f3a44;stroke-width:1.6}"
    ".pull{fill:none;stroke:#2f3a44;stroke-width:1.6;stroke-dasharray:5 4}"
)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What went through an element."""

    packets: int
    drops: int


@dataclass(frozen=True)
class _Point:
    x: float
    y: float


def picture(report: GraphReport, *, counters: Mapping[str, Counted] | None = None, title: str = "") -> str:
    """The SVG document."""
    layout = arranged(len(report.elements), report.connections)
    corners = [_corner(one) for one in layout.elements]
    all_corners = corners + [_corner(one) for way in layout.ways for one in way]
    width = max((one.x for one in all_corners), default=0) + BOX + MARGIN
    height = max((one.y for one in all_corners), default=0) + HEIGHT + MARGIN + 18
    ports = _Ports(report, corners)
    parts = [_line(one, ports, way) for one, way in zip(report.connections, layout.ways, strict=True)]
    for index, element in enumerate(report.elements):
        counted = counters.get(element.name) if counters else None
        parts += [_box(element, corners[index], counted), *ports.of(index, element)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        f'role="img"><title>{escape(title or "graph")}</title><style>{STYLE}</style>'
        f'<rect width="{width:g}" height="{height:g}" fill="#fbfcfd"/>'
    )
    legend = f'<text class="note" x="{MARGIN}" y="{height - 12:g}">solid: pushed · dashed: pulled</text>'
    return "\n".join([head, *parts, legend, "</svg>", ""])


class _Ports:
    """Where the ports of every element are: spread over its sides."""

    def __init__(self, report: GraphReport, corners: list[_Point]) -> None:
        self._corners = corners
        self._counts = [[0, 0] for _ in report.elements]  # inputs, outputs
        self._push: dict[tuple[int, int, bool], bool] = {}
        for one in report.connections:
            for element, port, output in ((one.to, one.to_port, False), (one.from_element, one.from_port, True)):
                counts = self._counts[element]
                counts[output] = max(counts[output], port + 1)
                self._push[(element, port, output)] = one.push

    def point(self, element: int, port: int, *, output: bool) -> _Point:
        corner = self._corners[element]
        y = corner.y + HEIGHT * (port + 1) / (self._counts[element][output] + 1)
        return _Point(corner.x + (BOX if output else 0), y)

    def of(self, index: int, element: Element) -> list[str]:
        marks = []
        for output in (False, True):
            for port in range(self._counts[index][output]):
                at = self.point(index, port, output=output)
                push = self._push.get((index, port, output), True)
                fill = "#aab4bd" if _agnostic(element, port, output=output) else "#2f3a44" if push else "#ffffff"
                shape = (
                    f'<rect x="{at.x - 4:g}" y="{at.y - 4:g}" width="8" height="8"'
                    if output
                    else f'<path d="M{at.x - 4:g} {at.y - 5:g}l9 5l-9 5z"'
                )
                marks.append(f'{shape} fill="{fill}" stroke="#2f3a44"/>')
        return marks


def _agnostic(element: Element, port: int, *, output: bool) -> bool:
    code = element.processing.partition("/")[2 if output else 0]
    return bool(code) and code[min(port, len(code) - 1)] == "a"


def _colours(name: str) -> tuple[str, str]:
    return next(((fill, ink) for names, fill, ink in FAMILIES if name.startswith(names)), PLAIN)


def _shown(text: str) -> str:
    flat = " ".join(text.split())
    return escape(flat if len(flat) <= MOST_LETTERS else flat[: MOST_LETTERS - 1] + "…")


def _box(element: Element, corner: _Point, counted: Counted | None) -> str:
    fill, ink = _colours(element.class_name)
    name, kind = element.name, element.class_name
    about = element.configuration
    note = (
        f"{counted.packets:,} packets" + (f", {counted.drops:,} dropped" if counted.drops else "") if counted else about
    )
    anonymous = name.rpartition("/")[2].partition("@")[0] == kind
    title = escape(f"{name} :: {kind}({about})" if about else f"{name} :: {kind}")
    middle = corner.x + BOX / 2
    lines = [("name", kind), ("class", "")] if anonymous else [("name", name), ("class", kind)]
    texts = "".join(
        f'<text class="{style}" x="{middle:g}" y="{corner.y + 22 + 16 * row:g}" text-anchor="middle" '
        f'fill="{ink}">{_shown(text)}</text>'
        for row, (style, text) in enumerate(lines)
        if text
    )
    texts += f'<text class="note" x="{middle:g}" y="{corner.y + 54:g}" text-anchor="middle">{_shown(note)}</text>'
    return (
        f'<g><title>{title}</title><rect x="{corner.x:g}" y="{corner.y:g}" width="{BOX}" height="{HEIGHT}" rx="9" '
        f'fill="{fill}" stroke="{ink}" stroke-width="1.2"/>{texts}</g>'
    )


def _corner(place: Place) -> _Point:
    return _Point(MARGIN + place.layer * (BOX + ACROSS), MARGIN + place.row * (HEIGHT + DOWN))


def _line(one: Connection, ports: _Ports, passed: list[Place]) -> str:
    start, end = (
        ports.point(one.from_element, one.from_port, output=True),
        ports.point(one.to, one.to_port, output=False),
    )
    way, at = f"M{start.x:g} {start.y:g}", start
    for corner in map(_corner, passed):
        left = _Point(corner.x, corner.y + HEIGHT / 2)
        way += _curve(at, left) + f"H{left.x + BOX:g}"
        at = _Point(left.x + BOX, left.y)
    return f'<path class="{"push" if one.push else "pull"}" d="{way}{_curve(at, end)}"/>'


def _curve(start: _Point, end: _Point) -> str:
    bend = max(abs(end.x - start.x) / 2, 36.0)
    return f"C{start.x + bend:g} {start.y:g} {end.x - bend:g} {end.y:g} {end.x:g} {end.y:g}"
