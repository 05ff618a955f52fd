"""unibpf.formats.map_words: keys by their layout, read and shown in one form."""

from typing import Any

import pytest

from unibpf.formats import layout
from unibpf.formats.bpf import MapType
from unibpf.formats.map_words import WordError, key_bytes, key_fields, read_word, shown_key

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
