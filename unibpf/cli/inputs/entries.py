"""What maps hold before the first packet of `unibpf run`: words and JSON files, as lines for `unibpf-run`. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from unibpf.formats import layout, map_words
from unibpf.formats.bundle import BundleMap
from unibpf.formats.layout import Layout, LayoutError
from unibpf.formats.map_words import WordError

Entry = tuple[str, Any, Any]  # map, key, value


def read_word(word: str) -> Entry:
    """Read `NAME:KEY=VALUE`, with keys and values as `unibpf map set` takes them; raises WordError."""
    name, colon, rest = word.partition(":")
    key, equals, value = rest.partition("=")
    if not (name and colon and key and equals and value):
        raise WordError(f"got `{word:.60}`, expected `NAME:KEY=VALUE`")
    return name, map_words.read_word(key), map_words.read_word(value)


def read_document(document: Any) -> Iterator[Entry]:
    """Yield the entries of `{"NAME": {"entries": [...]}}`, which is what `run --maps --json` prints under `maps`."""
    found = document.get("maps", document) if isinstance(document, Mapping) else document
    if not isinstance(found, Mapping):
        raise WordError(f"got {type(document).__name__}, expected an object with maps by their names")
    for name, rows in found.items():
        for key, value in map_words.read_changes(rows):
            yield name, key, value


def lines(entries: Iterable[Entry], maps: Iterable[BundleMap]) -> Iterator[str]:
    """Yield `NAME=KEY:VALUE` in hex, by the sizes and layouts that the bundle has; raises WordError."""
    known = {entry.name: entry for entry in maps}
    for name, key, value in entries:
        found = known.get(name)
        if found is None:
            raise WordError(f"the program has no map `{name:.60}`", f"it has {', '.join(known) or 'none'}")
        try:
            key_shape, shape = map(_shape, layout.split(found.layout))
        except LayoutError as error:
            raise WordError(f"map `{name}`: {error}") from error
        key_bytes = map_words.key_bytes(key, found.key_size, shape=key_shape, map_type=found.type)
        yield f"{name}={key_bytes.hex()}:{map_words.value_bytes(value, found.value_size, shape).hex()}"


def _shape(text: str | None) -> Layout | None:
    return layout.parse(text) if text is not None else None
