"""The automaton: it finds what a search finds; rules that are wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unibpf.vnf import automaton
from unibpf.vnf.automaton import Automaton, Content
from unibpf.vnf.settings import SettingsError, Table, read

LETTERS = st.binary(min_size=1, max_size=4).map(lambda data: bytes(b"aAbB\x00"[byte % 5] for byte in data))


def found(machine: Automaton, data: bytes) -> int:
    state, bits = 0, 0
    for byte in data:
        state = machine.next[state][byte]
        bits |= machine.found[state]
    return bits


@given(st.lists(st.tuples(LETTERS, st.booleans()), max_size=5, unique=True), st.lists(LETTERS, max_size=6))
def test_it_finds_what_a_search_finds(contents: list[Content], parts: list[bytes]) -> None:
    data = b"".join(parts)
    expected = sum(
        1 << number
        for number, (content, exact) in enumerate(contents)
        if (content in data if exact else content.lower() in data.lower())
    )
    assert found(Automaton(contents), data) == expected


def test_states_are_as_many_as_beginnings() -> None:
    machine = Automaton([(b"he", True), (b"she", True), (b"his", True), (b"hers", True)])
    assert len(machine.next) == 10  # the example of the paper


WRONG = [
    ('[[rule]]\ncontents = ["a"]', "`id` is missing"),
    ('[[rule]]\nid = 1\ncontents = "a"', "expected a list of texts"),
    ('[[rule]]\nid = 1\ncontents = [""]', "a content has 1 to 256 bytes"),
    ('[[rule]]\nid = 1\ncontents = ["a|0"]', "bytes in hex between bars"),
    ('[[rule]]\nid = 1\ncontents = ["a|0|"]', "bytes in hex between bars"),
    ('[[rule]]\nid = 1\naction = "reset"', "expected `alert`, `drop`"),
    ('[[rule]]\nid = 1\nblock = "both"', "expected `nobody`, `source`, `destination`"),
    ("[[rule]]\nid = 1\n" * 257, "at most 256"),
    (
        "".join(f'[[rule]]\nid = 1\ncontents = ["{number}{"x" * 250}"]\n' for number in range(20)),
        "more than 4096 states",
    ),
    ("generation = 0", "expected a number from 1"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_wrong_rules_are_refused(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        automaton.fill(Table("", read(text.encode())))
    assert said in str(refused.value)


def test_bytes_between_bars_are_hex() -> None:
    rows = automaton.fill(Table("", read(b'[[rule]]\nid = 1\ncontents = ["a|0d 0A|b"]')))
    assert len(rows["states"]) == 5
