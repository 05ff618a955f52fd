"""Foreign text on its way to people: the one place that says what may reach a terminal.

Names, source lines, console output and answers come from strangers. Control characters (C0, C1, escape), marks that turn the
direction of writing, invisible characters, line separators, and what is no Unicode are shown as `\\uXXXX`, never passed on: so
nothing can erase, recolour or reorder what stands beside it. The form is JSON's, so that JSON stays the same document.

`visible` is for text that belongs in one line; what a process writes goes through `guard_streams` besides, so that no forgotten
place lets anything through.
"""

import io
import sys
import unicodedata
from typing import Final

_KEPT_IN_A_LINE: Final = frozenset("\t")
_KEPT_IN_LINES: Final = frozenset("\t\n")
# Control, format (direction, invisible), surrogate, private use, unassigned; line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """`text` as part of one line."""
    return _shown(text, _KEPT_IN_A_LINE)


def visible_lines(text: str) -> str:
    """`text` as lines."""
    return _shown(text, _KEPT_IN_LINES)


def decoded(data: bytes) -> str:
    """Foreign bytes as lines of text: what is not UTF-8 is shown as `\\xNN`."""
    return visible_lines(data.decode("utf-8", errors="backslashreplace"))


class VisibleStream(io.TextIOWrapper):
    """A text stream that shows what it may not pass on."""

    def write(self, text: str) -> int:
        """Write `text` as `visible_lines` has it."""
        super().write(visible_lines(text))
        return len(text)


def guard_streams() -> None:
    """From now on stdout and stderr of this process are such streams."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, VisibleStream):
            continue
        stream.flush()
        line_buffering = stream.line_buffering or name == "stderr"
        guarded = VisibleStream(
            stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=line_buffering
        )
        setattr(sys, name, guarded)


def _shown(text: str, kept: frozenset[str]) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in kept or _is_shown(one) else _escaped(one) for one in text)


def _is_shown(one: str) -> bool:
    return unicodedata.category(one) not in _HIDDEN


def _escaped(one: str) -> str:
    units = one.encode("utf-16-be", errors="surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
