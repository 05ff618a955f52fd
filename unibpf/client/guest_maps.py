"""`[maps]` of a guest file: entries that the guest's maps are to have, as `unibpf map set` takes them. Pure.

[maps.lb.weights]                       # element, map
"10.0.0.0/8" = { weight = 3 }           # KEY = VALUE, as words of the command line
53 = 1

[maps.lb]
backends = [{ key = 0, value = "hex:0a000001" }, [1, "10.0.0.2"]]      # or as in the file of `map set --file`
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from unibpf.formats import map_words
from unibpf.formats.map_forms import Words
from unibpf.formats.map_words import WordError
from unibpf.messages.desired_maps import MAX_BYTES, MAX_ENTRIES, DesiredMap

SHOWN: Final = 60
_TIMES: Final = (datetime.datetime, datetime.date, datetime.time)


def desired_maps(table: Any) -> tuple[list[DesiredMap], list[str]]:
    """What the table asks for, and all that is wrong with it."""
    if not isinstance(table, Mapping):
        return [], [f"`maps`: got {type(table).__name__}, expected tables `[maps.ELEMENT.MAP]`"]
    found: list[DesiredMap] = []
    faults: list[str] = []
    for element, maps in table.items():
        if not isinstance(maps, Mapping):
            faults.append(f"`maps.{element}`: got {type(maps).__name__}, expected a table of maps")
            continue
        for name, rows in maps.items():
            try:
                found.append(_desired(element, name, rows))
            except (WordError, msgspec.ValidationError) as error:
                hint = f"; {error.hint}" if isinstance(error, WordError) and error.hint else ""
                faults.append(f"`maps.{element}.{name}`: {error}{hint}")
    return found, faults + list(_too_many(found))


def _desired(element: str, name: str, rows: Any) -> DesiredMap:
    words = _of_table(rows) if isinstance(rows, Mapping) else map_words.read_changes(rows)
    for key, value in words:
        if value is None or _has_time((key, value)):
            raise WordError(f"`{key!r:.{SHOWN}}`: got `{value!r:.{SHOWN}}`, expected a number, text, a table or a list")
    return msgspec.convert({"element": element, "map": name, "entries": words}, type=DesiredMap)


def _of_table(rows: Mapping[str, Any]) -> list[Words]:
    return [
        (map_words.read_word(key), map_words.read_word(value) if isinstance(value, str) else value)
        for key, value in rows.items()
    ]


def _has_time(value: Any) -> bool:
    """TOML has times, maps have none."""
    if isinstance(value, Mapping):
        return any(_has_time(one) for one in value.values())
    return any(_has_time(one) for one in value) if isinstance(value, list | tuple) else isinstance(value, _TIMES)


def _too_many(found: list[DesiredMap]) -> Iterator[str]:
    entries = sum(len(one.entries) for one in found)
    if entries > MAX_ENTRIES:
        yield f"`maps`: got {entries} entries, expected at most {MAX_ENTRIES}"
    size = len(msgspec.json.encode(found))
    if size > MAX_BYTES:
        yield f"`maps`: got {size} bytes, expected at most {MAX_BYTES}"
