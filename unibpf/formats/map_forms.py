"""The form of one map: its sizes, and the layouts of its keys and values where the bundle knows them. Pure.

Words (map_words.py) become bytes by it, and bytes become words that mean the same under a later layout.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from unibpf.formats import layout, map_words
from unibpf.formats.bundle import BundleMap
from unibpf.formats.layout import Layout
from unibpf.formats.map_words import WordError
from unibpf.messages.maps import MAX_CHANGE_BYTES, MAX_CHANGES

Change = tuple[str, str | None]  # key and value in hex; value None deletes
Words = tuple[Any, Any]  # the same as written
Texts = tuple[str | None, str | None]  # layouts of keys and of values


class MapForm(Struct, frozen=True, kw_only=True):
    """`type` is Linux' number."""

    type: int
    key_size: int
    value_size: int
    key: Layout | None = None
    value: Layout | None = None

    def key_bytes(self, word: Any) -> bytes:
        """Raises WordError."""
        return map_words.key_bytes(word, self.key_size, shape=self.key, map_type=self.type)

    def change(self, key: Any, value: Any) -> Change:
        """In hex; raises WordError."""
        name = self.key_bytes(key).hex()
        return name, None if value is None else map_words.value_bytes(value, self.value_size, self.value).hex()

    def words(self, key: str, value: str | None) -> Words:
        """By fields where that reads back as the same bytes, else in hex."""
        shown = map_words.key_fields(key, self.type, self.key)
        fields = layout.decode(self.value, bytes.fromhex(value)) if self.value is not None and value else None
        return self._same(key, shown), None if value is None else self._same(value, fields, is_value=True)

    def _same(self, data: str, word: Any, *, is_value: bool = False) -> Any:
        try:
            word = json.loads(json.dumps(word, allow_nan=False))
            again = map_words.value_bytes(word, self.value_size, self.value) if is_value else self.key_bytes(word)
        except (WordError, ValueError):
            return f"hex:{data}"
        return word if again.hex() == data else f"hex:{data}"


def texts(maps: Iterable[BundleMap], name: str, *, key_size: int, value_size: int) -> Texts:
    """The layouts that a bundle has of a map, where they are those of a map of that size; raises LayoutError."""
    keys, values = layout.split(next((one.layout for one in maps if one.name == name), None))
    return _whole(keys, key_size), _whole(values, value_size)


def parsed(text: str | None) -> Layout | None:
    """Raises LayoutError."""
    return layout.parse(text) if text is not None else None


def parts(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes in runs that fit into one MapChange each."""
    run: list[Change] = []
    size = 0
    for change in changes:
        length = sum(len(part) // 2 for part in change if part is not None)
        if run and (size + length > MAX_CHANGE_BYTES or len(run) == MAX_CHANGES):
            yield run
            run, size = [], 0
        run.append(change)
        size += length
    if run:
        yield run


def _whole(text: str | None, size: int) -> str | None:
    """The layout, if it is one of that many bytes."""
    return text if text is not None and layout.parse(text).size == size else None
