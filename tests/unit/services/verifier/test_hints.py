"""hints.py: what to write, in the words of the source line."""

import pytest

from services.verifier import hints
from services.verifier.frontend.debug.lines import SourceLine

HINT = "return before this line unless `data + 38 <= data_end`"


def row(text: str) -> SourceLine:
    return SourceLine(0, "p.c", 1, 1, text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("if (tcp->dest == bpf_htons(23))", "`(void *)(tcp + 1) <= data_end`"),
        ("s += p[i];", "`(void *)(p + i + 1) <= data_end`"),
        ("if (p[0] == 5) return XDP_DROP;", "`(void *)(p + 1) <= data_end`"),
        ("key = *cursor;", "`(void *)(cursor + 1) <= data_end`"),
        ("sum += ip->saddr + udp->source;", "`data + 38 <= data_end`"),
        ("return first(ctx);", "`data + 38 <= data_end`"),
    ],
)
def test_a_comparison_is_written_with_the_pointer_of_the_line(line: str, expected: str) -> None:
    assert (hints.in_c(HINT, row(line), [row(line)]) or "").endswith(expected)


def test_the_packets_end_has_its_name() -> None:
    source = [row("void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;")]
    assert hints.in_c(HINT, row("x = tcp->dest;"), source) == (
        "return before this line unless `(void *)(tcp + 1) <= end`"
    )


@pytest.mark.parametrize("hint", [None, "bound the loop by a constant"])
def test_other_hints_stay(hint: str | None) -> None:
    assert hints.in_c(hint, row("x = tcp->dest;"), []) == hint
