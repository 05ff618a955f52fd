"""What a guest says, before anything is made of it: counted, measured and shown. Pure.

A guest may be taken over, and its MAC is then as good as before. So nothing that it says may be larger than what an honest
guest can say, which keeps one guest's answers from taking the time of others; and its text is foreign text (unibpf/text.py).
"""

import re
from typing import Any, Final

from unibpf.text import visible

MAX_NUMBER: Final = (1 << 63) - 1  # of what messages, spans and JSON readers hold
MAX_TEXT: Final = 1024  # bytes; a guest's own limit is 512 (guest/control/resources/status.cpp)
MAX_ROWS: Final = 4096  # of a page of a map, which has most
MAX_STEPS: Final = 64
MAX_MAPS: Final = 64  # guest/bpf/bundle/abi.hpp, max_maps
RULE: Final = re.compile(r"[a-z][a-z0-9-]{0,47}")


def plain(item: Any) -> Any:
    """The item with its text made visible; raises ValueError for what no honest guest says."""
    match item:
        case int():
            if not -MAX_NUMBER <= item <= MAX_NUMBER:
                raise ValueError(f"got the number {item}, expected at most {MAX_NUMBER}")
            return item
        case str():
            return text(item)
        case list():
            return [plain(one) for one in at_most(item, MAX_ROWS)]
        case dict():
            return {key: plain(value) for key, value in item.items()}
        case bytes():
            return item
    raise ValueError(f"got a {type(item).__name__}")


def text(item: str) -> str:
    """Foreign text of a bounded length."""
    if len(item) > MAX_TEXT:
        raise ValueError(f"got a text of {len(item)} characters, expected at most {MAX_TEXT}")
    return visible(item)


def at_most(rows: list[Any], count: int) -> list[Any]:
    """`rows`, if they are no more than that."""
    if len(rows) > count:
        raise ValueError(f"got {len(rows)} rows, expected at most {count}")
    return rows


def natural(number: Any) -> int:
    """A `uint` of the CDDL."""
    if type(number) is not int or number < 0:
        raise ValueError(f"got `{number!r:.80}`, expected a number that is not negative")
    return number
