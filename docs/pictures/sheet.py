"""A sheet of SVG that can be read on light and on dark pages: one style for all pictures, and what they are drawn with.

Every sheet has a background of its own, so it never depends on the page around it; the reader's colour scheme picks one of
two palettes. Coordinates are pixels, text is placed by its middle unless said otherwise.
"""

from xml.sax.saxutils import escape

# kind of box: fill and stroke, light and dark
KINDS = {
    "outside": ("#f6f8fa", "#8c959f", "#161b22", "#6e7681"),
    "service": ("#ddf4ff", "#0969da", "#0c2338", "#4493f8"),
    "guest": ("#dafbe1", "#1a7f37", "#0e2a18", "#3fb950"),
    "store": ("#fff8c5", "#9a6700", "#2b2410", "#d29922"),
    "trust": ("#fbefff", "#8250df", "#231634", "#ab7df8"),
    "bad": ("#ffebe9", "#cf222e", "#301214", "#f85149"),
}
LIGHT = {"page": "#ffffff", "edge": "#d0d7de", "text": "#1f2328", "soft": "#57606a", "line": "#57606a"}
DARK = {"page": "#0d1117", "edge": "#30363d", "text": "#e6edf3", "soft": "#9198a1", "line": "#9198a1"}


def _colours(palette: dict[str, str], offset: int) -> str:
    """The rules that differ between the palettes; `offset` is where its colours begin in a row of KINDS."""
    kinds = (f".{kind}{{fill:{row[offset]};stroke:{row[offset + 1]}}}" for kind, row in KINDS.items())
    return (
        "text,.label{{fill:{text}}}.soft{{fill:{soft}}}.tip{{fill:{line}}}.page{{fill:{page}}}.halo{{stroke:{page}}}"
        ".line{{stroke:{line}}}.band{{stroke:{edge}}}".format(**palette)
        + "".join(kinds)
    )


SHAPES = """
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;text-anchor:middle}
.name{font-size:14px;font-weight:600}.soft,.label{font-size:11.5px}.left{text-anchor:start}
.halo{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}
.line{fill:none;stroke-width:1.6}.dash{stroke-dasharray:5 4}.band{fill:none;stroke-width:1.5;stroke-dasharray:7 5}
rect{stroke-width:1.5}
"""
# Plain rules and no variables: what draws SVG outside browsers knows none.
STYLE = (SHAPES + _colours(LIGHT, 0) + f"\n@media (prefers-color-scheme:dark){{{_colours(DARK, 2)}}}").strip()


class Sheet:
    """What is drawn, in order: what comes later lies on top."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """A rounded box; `kind` is a key of KINDS or `band`."""
        self.parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8"/>')

    def text(self, x: float, y: float, words: str, look: str = "label") -> None:
        """One line; `look` is a class or several."""
        self.parts.append(f'<text class="{look}" x="{x:g}" y="{y:g}">{escape(words)}</text>')

    def block(self, x: float, middle: float, lines: list[str]) -> None:
        """The first line as a name, the others softly below it; `middle` is the block's."""
        y = middle - (len(lines) - 1) * 8 + 5
        for at, words in enumerate(lines):
            self.text(x, y + at * 16.5, words, "soft" if at else "name")

    def arrow(self, points: list[tuple[float, float]], *, both: bool = False, dashed: bool = False) -> None:
        """Straight pieces from the first point to the last, with a tip there, and one at the start if `both`."""
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        self.parts.append(f'<path class="line{" dash" if dashed else ""}" d="{path}"/>')
        self._tip(points[-2], points[-1])
        if both:
            self._tip(points[1], points[0])

    def _tip(self, before: tuple[float, float], end: tuple[float, float]) -> None:
        (x0, y0), (x, y) = before, end
        length = max(abs(x - x0), abs(y - y0)) or 1
        dx, dy = (x - x0) / length * 9, (y - y0) / length * 9
        corners = f"{x:g},{y:g} {x - dx - dy / 2.2:g},{y - dy + dx / 2.2:g} {x - dx + dy / 2.2:g},{y - dy - dx / 2.2:g}"
        self.parts.append(f'<polygon class="tip" points="{corners}"/>')

    def svg(self) -> str:
        """The whole file."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}"'
        page = f'<rect width="{self.width}" height="{self.height}" rx="10" class="page"/>'
        return "\n".join(
            [
                f'{head} height="{self.height}" role="img" aria-label="{escape(self.title)}">',
                f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>",
                page,
                *self.parts,
                "</svg>\n",
            ]
        )
