"""`python docs/pictures/record.py` makes docs/demo.svg: the run of the demo that docs/demo.md shows, as a terminal plays it.

Steps appear at the seconds that the run itself printed, the lines of a step one after the other until the next. Long lines are
cut. What plays no animations, or was asked for less motion, shows the first screen.
"""

import re
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parents[1]
COLUMNS, ROWS, LINE, CHARACTER = 108, 30, 17, 7.25
LEFT, TOP, HOLD = 18, 46, 7.0  # the last screen stays for so many seconds
LOOKS = (("step", r"\d+  "), ("bad", r"error\[|replayed|tampered"), ("soft", r"(-->|known|led|hint|\d+: r|5: if)"))


def transcript(page: str) -> list[str]:
    """The lines between the page's marks, without their indent; a command before them."""
    block = re.search(r"<!-- demo -->\n(.*?)<!-- /demo -->", page, re.DOTALL)
    assert block is not None
    return ["$ make demo", "", *(line[4:].rstrip() for line in block.group(1).splitlines())]


def times(lines: list[str]) -> list[float]:
    """When each line appears: a step at its own second, what stands below it spread over the time to the next step."""
    marks = [
        (at, float(found[1])) for at, line in enumerate(lines) if (found := re.match(r"\d .*\[([\d.]+) s\]$", line))
    ]
    stops = [*marks, (len(lines), marks[-1][1] + 1.5)]
    moments = [0.0] * marks[0][0]
    for (first, began), (last, ended) in pairwise(stops):
        moments += [1.0 + began + (ended - began) * at / (last - first) for at in range(last - first)]
    return moments


def look(line: str) -> str:
    """The class of a line: what it begins with."""
    text = line.strip()
    return next((name for name, pattern in LOOKS if re.match(pattern, text)), "plain")


def frames(moments: list[float]) -> str:
    """Key frames for each line, and for the scroll once more lines are there than rows."""
    length = moments[-1] + HOLD
    rules = [f"text,#roll{{animation:{length:g}s infinite step-end}}"]
    for at, moment in enumerate(moments):
        share = 100 * moment / length
        rules.append(
            f"@keyframes l{at}{{0%{{opacity:0}}{share:.2f}%{{opacity:1}}}}#l{at}{{animation-name:l{at}}}"
            if share
            else ""
        )
    stops = [
        f"{100 * moment / length:.2f}%{{transform:translateY({-(at - ROWS + 1) * LINE}px)}}"
        for at, moment in enumerate(moments)
        if at >= ROWS
    ]
    rules.append(f"@keyframes roll{{0%{{transform:none}}{''.join(stops)}}}#roll{{animation-name:roll}}")
    return "".join(rules)


def recording(page: str) -> str:
    """The whole SVG."""
    lines = transcript(page)
    width, height = round(2 * LEFT + COLUMNS * CHARACTER), TOP + ROWS * LINE + 10
    cut = [line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…" for line in lines]
    texts = [
        f'<text id="l{at}" class="{look(line)}" x="{LEFT}" y="{TOP + at * LINE + 12}">{escape(line)}</text>'
        for at, line in enumerate(cut)
        if line
    ]
    style = (
        "text{font:12px ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;white-space:pre;fill:#c9d1d9}"
        ".step{font-weight:600;fill:#58a6ff}.bad{fill:#ff7b72}.soft{fill:#8b949e}"
        f"@media (prefers-reduced-motion:no-preference){{{frames(times(lines))}}}"
    )
    title = "make demo: a push is verified, signed and swapped into a running guest; bad updates are refused; one trace"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{title}" xml:space="preserve">',
            f"<title>{title}</title><style>{style}</style>",
            f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10" fill="#0d1117" stroke="#30363d"/>',
            *(
                f'<circle cx="{22 + 20 * at}" cy="20" r="6" fill="{fill}"/>'
                for at, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            f'<clipPath id="screen"><rect x="0" y="{TOP}" width="{width}" height="{ROWS * LINE + 2}"/></clipPath>',
            '<g clip-path="url(#screen)"><g id="roll">',
            *texts,
            "</g></g></svg>\n",
        ]
    )


if __name__ == "__main__":
    (DOCS / "demo.svg").write_text(recording((DOCS / "demo.md").read_text()))
