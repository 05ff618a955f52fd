"""Pictures are what their text says: `make docs` made the SVGs that are committed."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/pictures"
SOURCES = sorted(FOLDER.glob("*.txt"))


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """One of the scripts, as Python runs it: what it imports lies beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for module in ("boxes", "sequence", "sheet"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    spec = importlib.util.spec_from_file_location(f"docs_pictures_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_picture_is_what_its_text_says(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = script("draw", monkeypatch).picture(source)
    assert made == source.with_suffix(".svg").read_text(), "run `make docs`"
    ElementTree.fromstring(made)


def test_a_picture_can_be_read_on_light_and_on_dark_pages() -> None:
    for source in SOURCES:
        style = source.with_suffix(".svg").read_text()
        assert 'class="page"' in style
        assert "prefers-color-scheme:dark" in style


def test_the_recording_plays_the_run_that_the_demo_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = script("record", monkeypatch).recording((ROOT / "docs/demo.md").read_text())
    assert made == (ROOT / "docs/demo.svg").read_text(), "run `make docs`"
    ElementTree.fromstring(made)


def test_lines_appear_in_the_order_and_at_the_seconds_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    record = script("record", monkeypatch)
    lines = record.transcript("<!-- demo -->\n    1  a  [0.0 s]\n    b\n    2  c  [4.0 s]\n<!-- /demo -->")
    assert lines == ["$ make demo", "", "1  a  [0.0 s]", "b", "2  c  [4.0 s]"]
    assert record.times(lines) == [0.0, 0.0, 1.0, 3.0, 5.0]
