"""unibpf.formats.map_words: keys and values as people write them."""

from typing import Any

import pytest

from unibpf.formats import layout, map_words
from unibpf.formats.bpf import MapType
from unibpf.formats.map_words import WordError, key_bytes, key_fields, read_word, shown_key

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


# --- keys by their layout ---

FLOW = layout.parse("struct{n32 src;n32 dst;n16 sport;n16 dport;u8 proto;}#13")
LPM = layout.parse("struct{u32 len;u32 addr;}")
PADDED = layout.parse("struct{u8 proto;u32 port;}")
NESTED = layout.parse("struct{struct{n32 a;n16 p;} l;union{u32 v4;u8[16] v6;} r;}")
FLOW_JSON = '{"src": "10.0.0.1", "dst": "10.0.0.2", "sport": 53, "dport": 8080, "proto": 17}'

FORMS = [
    (FLOW_JSON, FLOW, MapType.HASH, "0a0000010a00000200351f9011"),
    ("10.0.0.0/8", LPM, MapType.LPM_TRIE, "080000000a000000"),
    ("2001:db8::/32", None, MapType.LPM_TRIE, "2000000020010db8000000000000000000000000"),
    ('{"proto": 6, "port": 80}', PADDED, MapType.LRU_HASH, "0600000050000000"),
    ("10.0.0.1", layout.parse("n32"), MapType.HASH, "0a000001"),
    ("fd00::1", layout.parse("n128"), MapType.HASH, "fd000000000000000000000000000001"),
    ("02:00:00:00:01:01", layout.parse("u8[6]"), MapType.HASH, "020000000101"),
    ("hex:0102030405060708", layout.parse("u8[8]"), MapType.HASH, "0102030405060708"),
    ("443", layout.parse("n16"), MapType.HASH, "01bb"),
    ("443", None, MapType.HASH, "bb01"),
    ("7", None, MapType.ARRAY, "07000000"),
    ("hex:0102030405", None, MapType.HASH, "0102030405"),
]


@pytest.mark.parametrize(("word", "shape", "kind", "data"), FORMS)
def test_a_key_is_shown_as_it_is_written(word: str, shape: Any, kind: int, data: str) -> None:
    assert key_bytes(read_word(word), len(data) // 2, shape=shape, map_type=kind).hex() == data
    assert shown_key(data, kind, shape) == word


@pytest.mark.parametrize(("shape", "kind", "data"), [(one[1], one[2], one[3]) for one in FORMS])
def test_bytes_are_taken_for_every_key(shape: Any, kind: int, data: str) -> None:
    for text in (f"hex:{data}", data):
        assert key_bytes(text, len(data) // 2, shape=shape, map_type=kind).hex() == data


@pytest.mark.parametrize(("shape", "kind", "data"), [(one[1], one[2], one[3]) for one in FORMS])
def test_what_is_shown_in_json_is_taken_again(shape: Any, kind: int, data: str) -> None:
    shown = key_fields(data, kind, shape)
    assert shown is None or key_bytes(shown, len(data) // 2, shape=shape, map_type=kind).hex() == data


def test_fields_that_are_aggregates_and_unions() -> None:
    key = key_bytes({"l": {"a": "1.2.3.4", "p": 1}, "r": {"v4": "9.9.9.9"}}, NESTED.size, shape=NESTED)
    assert key.hex() == "010203040001000009090909" + "00" * 12


@pytest.mark.parametrize(
    ("word", "shape", "kind", "said"),
    [
        ('{"src": "10.0.0.1"}', FLOW, MapType.HASH, "has no field `dst`"),
        (FLOW_JSON.replace("src", "source"), FLOW, MapType.HASH, "`source`"),
        (FLOW_JSON.replace("10.0.0.1", "fd00::1"), FLOW, MapType.HASH, "IPv4 address"),
        (FLOW_JSON.replace("53", "70000"), FLOW, MapType.HASH, "sport"),
        ("10.0.0.0/8", FLOW, MapType.HASH, "cannot be read"),
        ("fd00::/8", LPM, MapType.LPM_TRIE, "IPv4 prefix"),
        ("10.0.0.0/40", LPM, MapType.LPM_TRIE, "at most 32"),
        ("53", FLOW, MapType.HASH, "expected an object"),
        ('{"a": 1}', None, MapType.HASH, "no layout"),
        ("[1, 2]", FLOW, MapType.HASH, "expected an object"),
    ],
)
def test_a_key_that_does_not_fit_is_named(word: str, shape: Any, kind: int, said: str) -> None:
    size = shape.size if shape is not None else 5
    with pytest.raises(WordError, match=said):
        key_bytes(read_word(word), size, shape=shape, map_type=kind)


def test_four_bytes_of_which_nothing_is_known_may_be_an_address_so_people_see_bytes() -> None:
    assert shown_key("0a000001", MapType.HASH) == "hex:0a000001"
    assert key_fields("05000000", MapType.HASH, None) == 5
