"""Boxes on a grid, with arrows between them.

    title    words                          what the picture shows
    grid     COLUMNS ROWS WIDTH HEIGHT GAPX GAPY
    band     COLUMN ROW COLUMNS ROWS | words   a frame around cells, its words at the foot
    box      NAME KIND COLUMN ROW [COLUMNS ROWS] | name | line | line
    arrow    FROM -> TO [| words | words]   `<->` has two tips, `..>` is dashed
    note     COLUMN ROW | words | words     text without a box

Columns and rows may be fractions. An arrow is straight where both boxes share a row or column, else it has one corner, and
leaves sideways. Several words of an arrow are lines, the last one right above it.
"""

from dataclasses import dataclass

from sheet import Sheet

MARGIN = 26
FOOT = 28  # of a band, below its cells


@dataclass(frozen=True)
class Grid:
    """Sizes in pixels; `at` gives a cell's corner."""

    columns: float
    rows: float
    width: float
    height: float
    gap_x: float
    gap_y: float

    def at(self, column: float, row: float) -> tuple[float, float]:
        """The upper left corner of a cell."""
        return MARGIN + column * (self.width + self.gap_x), MARGIN + row * (self.height + self.gap_y)

    def span(self, columns: float, rows: float) -> tuple[float, float]:
        """Width and height of so many cells with the gaps between them."""
        return columns * (self.width + self.gap_x) - self.gap_x, rows * (self.height + self.gap_y) - self.gap_y


@dataclass(frozen=True)
class Box:
    """A drawn box; arrows end at its sides."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.width / 2, self.y + self.height / 2


def words(text: str) -> tuple[list[str], list[str]]:
    """What stands before the first bar, by spaces, and what after it, by bars."""
    first, *lines = (part.strip() for part in text.split("|"))
    return first.split(), lines


def draw(rows: list[tuple[str, str]]) -> Sheet:
    """The picture of a file's rows, each a keyword and what follows it."""
    values = dict(rows)
    grid = Grid(*(float(number) for number in values["grid"].split()))
    width, height = grid.span(grid.columns, grid.rows)
    sheet = Sheet(round(width + 2 * MARGIN), round(height + 2 * MARGIN + FOOT * ("band" in values)), values["title"])
    boxes: dict[str, Box] = {}
    for keyword, text in rows:
        match keyword:
            case "band":
                _band(sheet, grid, *words(text))
            case "box":
                _box(sheet, grid, boxes, *words(text))
            case "note":
                place, lines = words(text)
                x, y = grid.at(float(place[0]), float(place[1]))
                for at, line in enumerate(lines):
                    sheet.text(x, y + at * 16, line, "soft left")
            case "arrow":
                _arrow(sheet, boxes, *words(text))
    return sheet


def _band(sheet: Sheet, grid: Grid, place: list[str], lines: list[str]) -> None:
    column, row, columns, rows = (float(number) for number in place)
    x, y = grid.at(column, row)
    width, height = grid.span(columns, rows)
    sheet.box(x - 14, y - 14, width + 28, height + 14 + FOOT, "band")
    sheet.text(x + width / 2, y + height + 19, lines[0], "soft")


def _box(sheet: Sheet, grid: Grid, boxes: dict[str, Box], place: list[str], lines: list[str]) -> None:
    name, kind, *numbers = place
    column, row, columns, rows = [*(float(number) for number in numbers), 1.0, 1.0][:4]
    box = boxes[name] = Box(*grid.at(column, row), *grid.span(columns, rows))
    sheet.box(box.x, box.y, box.width, box.height, kind)
    sheet.block(*box.middle, lines)


def _arrow(sheet: Sheet, boxes: dict[str, Box], ends: list[str], lines: list[str]) -> None:
    start, sign, end = ends
    points = _path(boxes[start], boxes[end])
    sheet.arrow(points, both=sign == "<->", dashed=sign == "..>")
    (x0, y0), (x1, y1) = points[0], points[1]
    upright = x0 == x1
    for at, line in enumerate(lines):
        if upright:
            sheet.text(x0 + 9, (y0 + y1) / 2 + 4 + (at - (len(lines) - 1) / 2) * 15, line, "label halo left")
        else:
            sheet.text((x0 + x1) / 2, y0 - 8 - (len(lines) - 1 - at) * 15, line, "label halo")


def _path(start: Box, end: Box) -> list[tuple[float, float]]:
    (x0, y0), (x1, y1) = start.middle, end.middle
    right, down = x1 > x0, y1 > y0
    low, high = max(start.y, end.y), min(start.y + start.height, end.y + end.height)
    if low < high:  # they share a row
        y = (low + high) / 2
        return [(start.x + start.width if right else start.x, y), (end.x if right else end.x + end.width, y)]
    left, far = max(start.x, end.x), min(start.x + start.width, end.x + end.width)
    if left < far:  # or a column
        x = (left + far) / 2
        return [(x, start.y + start.height if down else start.y), (x, end.y if down else end.y + end.height)]
    side = start.x + start.width if right else start.x
    return [(side, y0), (x1, y0), (x1, end.y if down else end.y + end.height)]
