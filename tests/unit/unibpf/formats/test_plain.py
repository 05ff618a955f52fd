"""unibpf.formats.plain: what a guest says is counted, measured and shown before it is used."""

import pytest

from unibpf.formats.plain import MAX_NUMBER, MAX_ROWS, MAX_TEXT, RULE, at_most, natural, plain


def test_text_is_made_visible_wherever_it_stands():
    assert plain({0: ["a\x1b[2J", {"k": "\u202e"}], 1: b"\x1b"}) == {0: ["a\\u001b[2J", {"k": "\\u202e"}], 1: b"\x1b"}


@pytest.mark.parametrize(
    "item", [MAX_NUMBER + 1, -MAX_NUMBER - 1, "x" * (MAX_TEXT + 1), [0] * (MAX_ROWS + 1), [[{0: MAX_NUMBER + 1}]], None]
)
def test_what_no_honest_guest_says_is_refused(item):
    with pytest.raises(ValueError, match=r"^got "):
        plain(item)


@pytest.mark.parametrize("item", [MAX_NUMBER, "x" * MAX_TEXT, [0] * MAX_ROWS, b"x" * 100_000])
def test_the_most_that_one_may_say_passes(item):
    assert plain(item) == item


@pytest.mark.parametrize("item", [-1, "1", b"", [], True, None])
def test_a_natural_number_is_one(item):
    with pytest.raises(ValueError, match="not negative"):
        natural(item)
    assert natural(0) == 0


def test_rows_are_counted():
    assert at_most([1, 2], 2) == [1, 2]
    with pytest.raises(ValueError, match="got 3 rows, expected at most 2"):
        at_most([1, 2, 3], 2)


@pytest.mark.parametrize(
    ("rule", "is_one"), [("map-policy", True), ("a" * 48, True), ("a" * 49, False), ("a\n", False)]
)
def test_rules_have_names(rule, is_one):
    assert bool(RULE.fullmatch(rule)) is is_one
