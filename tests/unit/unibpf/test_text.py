"""unibpf.text: what may reach a terminal, and what is shown instead of the rest."""

import io
import json

import pytest

from unibpf.text import VisibleStream, decoded, visible, visible_lines


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain, with a\ttab", "plain, with a\ttab"),
        ("Grüße, 漢字 \N{GRINNING FACE}", "Grüße, 漢字 \N{GRINNING FACE}"),
        ("\x1b[2K\r", r"\u001b[2K\u000d"),
        ("\x00\x07\x7f", r"\u0000\u0007\u007f"),
        ("\x9b2J", r"\u009b2J"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("a\u200bb\ufeff\u2028c", r"a\u200bb\ufeff\u2028c"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\ud800", r"\ud800"),
        ("two\nlines", r"two\u000alines"),
    ],
)
def test_what_could_move_or_hide_anything_is_shown_as_its_number(foreign: str, shown: str) -> None:
    assert visible(foreign) == shown


def test_lines_keep_their_ends_and_nothing_else() -> None:
    assert visible_lines("one\r\ntwo\x1b\n") == "one\\u000d\ntwo\\u001b\n"


def test_bytes_that_are_no_text_are_shown_one_by_one() -> None:
    assert decoded(b"a\xff\xc3\x28\x1b") == r"a\xff\xc3(\u001b"


def test_json_stays_the_same_document() -> None:
    document = {"name": "\x85\u202e\U000e0041\x7f"}
    assert json.loads(visible_lines(json.dumps(document, ensure_ascii=False))) == document


def test_a_stream_lets_nothing_through() -> None:
    beneath = io.BytesIO()
    stream = VisibleStream(beneath, encoding="utf-8", errors="backslashreplace")
    print("\x1b[31mred\x1b[0m", "\u202e", file=stream, flush=True)
    assert beneath.getvalue() == b"\\u001b[31mred\\u001b[0m \\u202e\n"
