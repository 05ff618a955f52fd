"""unibpf/cli/entries.py: what maps hold at first, from words and from JSON."""

from typing import Any

import pytest

from unibpf.cli.inputs import entries
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.formats.map_words import WordError

MAPS = (
    BundleMap(name="ports", type=MapType.DEVMAP, key_size=4, value_size=4, max_entries=8),
    BundleMap(
        name="hits",
        type=MapType.HASH,
        key_size=6,
        value_size=16,
        max_entries=8,
        layout="struct{u64 packets;u64 bytes;}",
    ),
)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("ports:1=2", "ports=01000000:02000000"),
        ("ports:0x10=hex:00000007", "ports=10000000:00000007"),
        ('hits:02:00:00:00:01:01={"packets": 3}', "hits=020000000101:0300000000000000" + "00" * 8),
    ],
)
def test_words_become_hex_by_sizes_and_layout(word: str, line: str) -> None:
    assert list(entries.lines([entries.read_word(word)], MAPS)) == [line]


def test_what_a_run_printed_is_read_back() -> None:
    printed = {"maps": {"ports": {"type": "devmap", "entries": [{"key": "01000000", "value": "02000000"}]}}}
    found = list(entries.read_document(printed))
    assert found == list(entries.read_document(printed["maps"]))
    assert list(entries.lines(found, MAPS)) == ["ports=01000000:02000000"]


@pytest.mark.parametrize("word", ["ports", "ports:1", ":1=2", "ports:=2", "ports:1="])
def test_a_word_that_is_no_entry_is_refused(word: str) -> None:
    with pytest.raises(WordError, match="expected `NAME:KEY=VALUE`"):
        entries.read_word(word)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (("port", 1, 2), "no map `port`"),
        (("ports", 1 << 40, 2), "does not fit into 4 bytes"),
        (("hits", "02:00:00:00:01", {"packets": 1}), "got 5 bytes, expected 6"),
        (("hits", "02:00:00:00:01:01", {"colour": 1}), "colour"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(entry: tuple[str, Any, Any], reason: str) -> None:
    with pytest.raises(WordError, match=reason):
        list(entries.lines([entry], MAPS))


def test_a_document_of_another_shape_is_refused() -> None:
    with pytest.raises(WordError, match="expected an object with maps"):
        list(entries.read_document([]))
