"""docs/performance.md is what the benchmarks write: its tables and figures are theirs, and none is missing."""

import re
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import __main__ as command
from benchmarks import document, engines

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/performance.md").read_text()
# What one run measures; others have commands of their own.
MODULES = [command, command.boot, command.engines, command.loading, command.maps, command.update]
SOURCES = "\n".join(Path(str(module.__file__)).read_text() for module in MODULES)


def first_cells(title: str) -> list[str]:
    """The first column of a table, without its heading."""
    rows = re.findall(r"^\| (.+?) \|", TEXT.partition(f"### {title}\n")[2].partition("\n### ")[0], re.MULTILINE)
    return [name for name in rows if name not in ("figure", "program", "map")]


def test_every_table_of_the_document_is_named_in_the_benchmarks() -> None:
    titles = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    assert len(titles) >= 5
    assert [title for title in titles if f'"{title}"' not in SOURCES and f'"### {title}"' not in SOURCES] == []


def test_every_figure_of_the_document_is_measured_and_every_one_measured_is_there() -> None:
    matrices = ("Engines, ns", "Map operations")
    titles = [title for title in re.findall(r"^### (.+)$", TEXT, re.MULTILINE) if not title.startswith(matrices)]
    shown = {name for title in titles for name in first_cells(title)}
    assert shown == set(re.findall(r'Figure\(name="([^"]+)"', SOURCES))


def test_every_program_is_a_row() -> None:
    assert first_cells("Engines, ns per packet (times native)") == [program.name for program in engines.PROGRAMS]


def test_the_head_says_where_when_and_how() -> None:
    head = document.text([], host="M", load=4321.0, when=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    pattern = re.escape(head.strip())
    for filled, expected in (
        ("Machine: M", ".+"),
        ("4321.0", r"[\d.]+"),
        ("2026-01-02 03:04", r"20\d\d-\d\d-\d\d \d\d:\d\d"),
    ):
        pattern = pattern.replace(re.escape(filled), expected)
    assert re.match(pattern, TEXT)
    assert document.COMMAND in head
