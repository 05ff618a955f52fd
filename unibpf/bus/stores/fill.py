"""How full a stream is, by the nearest of its limits; one that refuses when it is full is an alarm before it is. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

ALARM: Final = 0.9


class Fill(Struct, frozen=True, kw_only=True):
    """`used` is the part of the limit `by` that is taken; `is_alarm`: soon it takes nothing more."""

    stream: str
    used: float
    by: str
    is_alarm: bool

    def __str__(self) -> str:
        return f"stream {self.stream} is {self.used:.0%} full ({self.by})"


def of(config: Mapping[str, Any], state: Mapping[str, Any]) -> Fill:
    """From what the server says of a stream. One that forgets its oldest message is full in normal use."""
    parts = {
        "bytes": _part(state.get("bytes"), config.get("max_bytes")),
        "messages": _part(state.get("messages"), config.get("max_msgs")),
    }
    by = max(parts, key=lambda name: parts[name])
    is_alarm = config.get("discard") == "new" and parts[by] >= ALARM
    return Fill(stream=str(config["name"]), used=round(parts[by], 4), by=by, is_alarm=is_alarm)


def _part(held: int | None, limit: int | None) -> float:
    return (held or 0) / limit if limit is not None and limit > 0 else 0.0
