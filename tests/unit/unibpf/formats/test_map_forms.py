"""unibpf.formats.map_forms: words to bytes and back by a map's form; what is cut into how many messages."""

import pytest

from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.formats.map_forms import MapForm, parsed, parts, texts
from unibpf.messages.maps import MAX_CHANGE_BYTES, MAX_CHANGES


def test_changes_are_cut_into_messages_by_number_and_by_size_and_keep_their_order():
    small = [(f"{n:08x}", None) for n in range(MAX_CHANGES + 1)]
    assert [len(part) for part in parts(small)] == [MAX_CHANGES, 1]
    assert [change for part in parts(small) for change in part] == small

    largest = ("00" * 512, "00" * 65536)
    assert [len(part) for part in parts([largest, largest, ("00", "00")])] == [1, 1, 1]
    half = ("00" * 4, "00" * (MAX_CHANGE_BYTES // 2 - 4))
    assert [len(part) for part in parts([half] * 5)] == [2, 2, 1]
    assert list(parts([])) == []


def form(kind, key_size, value_size, key=None, value=None):
    return MapForm(type=kind, key_size=key_size, value_size=value_size, key=parsed(key), value=parsed(value))


FORMS = {
    "number": (form(MapType.HASH, 4, 4), "01000000", "02000000", (1, "hex:02000000")),
    "place": (form(MapType.ARRAY, 4, 8), "03000000", "0100000000000000", (3, "hex:0100000000000000")),
    "prefix": (form(MapType.LPM_TRIE, 8, 4), "080000000a000000", "05000000", ("10.0.0.0/8", "hex:05000000")),
    "address": (form(MapType.HASH, 4, 2, "n32", "u16"), "0a000001", "0500", ("10.0.0.1", 5)),
    "fields": (
        form(MapType.HASH, 8, 8, "struct{u32 a;u32 b;}", "struct{u32 weight;u8[4] id;}"),
        "0100000002000000",
        "0700000000010203",
        ({"a": 1, "b": 2}, {"weight": 7, "id": "00010203"}),
    ),
    "padding with something in it": (
        form(MapType.HASH, 8, 1, "struct{u32 a;u8 b;}"),
        "0100000002ffffff",
        "01",
        ("hex:0100000002ffffff", "hex:01"),
    ),
    "no number": (form(MapType.HASH, 4, 4, None, "f32"), "01000000", "0000c07f", (1, "hex:0000c07f")),
    "alone bytes": (
        form(MapType.HASH, 6, 4, "u8[6]", "u8[4]"),
        "020000000001",
        "01020304",
        ("02:00:00:00:00:01", "01020304"),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_entry_is_written_in_words_that_mean_the_same_bytes(name):
    made, key, value, words = FORMS[name]
    assert made.words(key, value) == words
    assert made.change(*words) == (key, value)
    assert made.change(*made.words(key, None)) == (key, None)


def test_a_layout_of_another_size_is_none():
    maps = [BundleMap(name="m", type=1, key_size=4, value_size=8, max_entries=1, layout="u32=>struct{u32 a;u32 b;}")]
    assert texts(maps, "m", key_size=4, value_size=8) == ("u32", "struct{u32 a;u32 b;}")
    assert texts(maps, "m", key_size=8, value_size=4) == (None, None)
    assert texts(maps, "other", key_size=4, value_size=8) == (None, None)
