"""Who says what to whom, in the order of time.

title    words
width    PIXELS between two lifelines
who      NAME KIND | name | line        a lifeline, from left to right
say      FROM -> TO | words | words     the first line above the arrow, others below it
do       NAME [KIND] | words | words    what somebody does meanwhile, in a box on the lifeline
phase    words                          a line across
"""

from boxes import MARGIN, words
from sheet import Sheet

HEAD, TOP = 46, 96
ASIDE = 44  # room at the right for what the last one does


class Sequence:
    """Draws from the top; `y` is how far it came."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self.rows = rows
        self.pitch = float(dict(rows)["width"])
        self.people = [(*words(text)[0], words(text)[1]) for keyword, text in rows if keyword == "who"]
        self.width = round(2 * MARGIN + self.pitch * len(self.people) + ASIDE)
        self.lines = {name: MARGIN + self.pitch * (at + 0.5) for at, (name, _, _) in enumerate(self.people)}

    def draw(self) -> Sheet:
        """The picture: lifelines first, so that what happens lies on them."""
        heights = [self._height(keyword, text) for keyword, text in self.rows]
        bottom = TOP + sum(heights)
        sheet = Sheet(self.width, bottom + MARGIN, dict(self.rows)["title"])
        for name, kind, lines in self.people:
            x = self.lines[name]
            sheet.parts.append(f'<path class="line dash" style="opacity:.45" d="M{x:g} {MARGIN + HEAD}V{bottom + 6}"/>')
            sheet.box(x - self.pitch / 2 + 8, MARGIN, self.pitch - 16, HEAD, kind)
            sheet.block(x, MARGIN + HEAD / 2, lines)
        y = float(TOP)
        for (keyword, text), height in zip(self.rows, heights, strict=True):
            self._row(sheet, keyword, text, y)
            y += height
        return sheet

    def _height(self, keyword: str, text: str) -> int:
        count = len(words(text)[1])
        return {"say": 30 + 15 * count, "do": 22 + 16 * count, "phase": 34}.get(keyword, 0)

    def _row(self, sheet: Sheet, keyword: str, text: str, y: float) -> None:
        place, lines = words(text)
        if keyword == "say":
            x0, x1 = self.lines[place[0]], self.lines[place[2]]
            sheet.arrow([(x0, y + 20), (x1, y + 20)], dashed=place[1] == "..>")
            for at, line in enumerate(lines):
                sheet.text((x0 + x1) / 2, y + 13 + (at and 8 + 15 * at), line, "soft halo" if at else "label halo")
        elif keyword == "do":
            x, kind = self.lines[place[0]], place[1] if place[1:] else "outside"
            width = 22 + max(len(line) for line in lines) * 6.2
            x = min(x, self.width - MARGIN - width / 2)
            x = max(x, MARGIN + width / 2)
            sheet.box(x - width / 2, y, width, 8 + 16 * len(lines), kind)
            for at, line in enumerate(lines):
                sheet.text(x, y + 16 + 16 * at, line)
        elif keyword == "phase":
            sheet.parts.append(f'<path class="band" d="M{MARGIN} {y + 14}H{sheet.width - MARGIN}"/>')
            sheet.text(sheet.width / 2, y + 18, text, "soft halo")


def draw(rows: list[tuple[str, str]]) -> Sheet:
    """The picture of a file's rows."""
    return Sequence(rows).draw()
