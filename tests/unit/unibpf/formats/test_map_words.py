"""unibpf.formats.map_words: keys and values as people write them."""

import pytest

from unibpf.formats import layout, map_words
from unibpf.formats.map_words import WordError

STRUCT = layout.parse("struct{u64 packets;u32[2] hits;}")


@pytest.mark.parametrize(
    ("word", "size", "data"),
    [
        ("53", 4, "35000000"),
        ("0x35", 2, "3500"),
        ("-1", 4, "ffffffff"),
        ("18446744073709551615", 8, "ff" * 8),
        ("10.0.0.1", 4, "0a000001"),
        ("fd00::1", 16, "fd" + "00" * 14 + "01"),
        ("02:00:00:00:01:01", 6, "020000000101"),
        ("hex:10000000", 4, "10000000"),
        ("hex:0A0b0c", 3, "0a0b0c"),
    ],
)
def test_a_word_is_a_number_an_address_or_bytes(word, size, data):
    assert map_words.key_bytes(map_words.read_word(word), size).hex() == data
    assert map_words.value_bytes(map_words.read_word(word), size, None).hex() == data


@pytest.mark.parametrize("word", ["00000001", "0a000001", "07", "-07"])
def test_bare_hex_is_refused_on_the_command_line_because_some_of_it_is_a_number(word):
    with pytest.raises(WordError):
        map_words.key_bytes(map_words.read_word(word), 4)


@pytest.mark.parametrize(
    ("word", "size", "words"),
    [
        ("256", 1, "does not fit into 1 bytes"),
        ("-129", 1, "does not fit"),
        ("5", 6, "is a number, expected 6 bytes"),
        ("10.0.0.1", 8, "got 4 bytes, expected 8"),
        ("hex:0a", 4, "got 1 bytes, expected 4"),
        ("hex:0", 4, "cannot be read"),
        ("port", 4, "cannot be read"),
        ('{"a":', 4, "is not JSON"),
        ("true", 1, "has no layout"),
        ("[1]", 1, "has no layout"),
    ],
)
def test_what_does_not_fit_is_refused_not_cut_or_filled(word, size, words):
    with pytest.raises(WordError, match=words):
        map_words.key_bytes(map_words.read_word(word), size)


def test_a_value_goes_by_its_layout_where_that_is_known():
    word = map_words.read_word('{"packets": 1, "hits": [2, 3]}')
    assert map_words.value_bytes(word, 16, STRUCT).hex() == "01000000000000000200000003000000"
    assert map_words.value_bytes("hex:" + "05" * 16, 16, STRUCT) == b"\x05" * 16
    assert map_words.value_bytes(map_words.read_word("1.5"), 4, layout.parse("f32")).hex() == "0000c03f"
    assert map_words.value_bytes(map_words.read_word("true"), 1, layout.parse("b8")).hex() == "01"
    with pytest.raises(WordError, match="expected an object with `hits`, `packets`"):
        map_words.value_bytes(5, 16, STRUCT)


def test_a_dump_can_be_set_again_and_null_deletes():
    dump = {"map": "m", "entries": [{"key": "0a000001", "value": "01" * 8, "fields": 1}, {"key": 5, "value": None}]}
    rows = map_words.read_changes(dump)
    assert rows == [("0a000001", "01" * 8), (5, None)]
    assert map_words.key_bytes(rows[0][0], 4).hex() == "0a000001"
    assert map_words.read_changes([["10.0.0.1", 5]]) == [("10.0.0.1", 5)]


@pytest.mark.parametrize("document", [5, {"x": 1}, [5], [{"key": 1}], [[1, 2, 3]]])
def test_a_file_of_another_shape_is_refused(document):
    with pytest.raises(WordError, match="expected"):
        map_words.read_changes(document)


def test_keys_and_values_are_shown_so_that_they_can_be_written_again():
    assert map_words.shown_key("05000000", 2) == "5"
    assert map_words.shown_key("05000000", 1) == "hex:05000000"
    assert map_words.shown_value("01000000000000000200000003000000", STRUCT) == '{"packets": 1, "hits": [2, 3]}'
    assert map_words.shown_value("0102", None) == "hex:0102"
