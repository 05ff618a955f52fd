"""The automaton and rules of `vnfs/ids` and `vnfs/ips` as their maps have them. Pure.

Aho and Corasick's automaton (1975) in the form where every state has a next state for every byte. A state is the set of
beginnings of contents that the bytes so far end with, so contents with and without regard to case fit into one.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from unibpf.vnf.rules import conditions
from unibpf.vnf.settings import Rows, SettingsError, Table, word

# As vnfs/ids/state.h.
STATES: Final = 4096
RULES: Final = 256
CONTENTS: Final = 256
RULE_BYTES: Final = 96
MOST_CONTENT: Final = 256  # bytes of one
ACTIONS: Final = ("alert", "drop")
BLOCKS: Final = ("nobody", "source", "destination")

Content = tuple[bytes, bool]  # the bytes, and whether their case matters
State = frozenset[tuple[int, int]]  # contents and how many bytes of each


class Automaton:
    """States in the order in which they were found; 0 is the start."""

    def __init__(self, contents: Sequence[Content]) -> None:
        self._contents = [tuple(_choices(byte, exact=exact) for byte in data) for data, exact in contents]
        self._numbers: dict[State, int] = {frozenset(): 0}
        self.next: list[list[int]] = []
        self.found: list[int] = []  # of each state: the contents that end there, as bits
        self._build()

    def _build(self) -> None:
        waiting: list[State] = [frozenset()]
        alphabet = {byte for content in self._contents for choices in content for byte in choices}
        for state in waiting:
            row = [0] * 256
            for byte in alphabet:
                after = self._after(state, byte)
                if after not in self._numbers:
                    if len(self._numbers) == STATES:
                        raise SettingsError(f"the contents need more than {STATES} states: fewer or shorter ones")
                    self._numbers[after] = len(self._numbers)
                    waiting.append(after)
                row[byte] = self._numbers[after]
            self.next.append(row)
            self.found.append(sum(1 << content for content, at in state if at == len(self._contents[content])))

    def _after(self, state: State, byte: int) -> State:
        begun = ((content, at) for content, at in state if at < len(self._contents[content]))
        anew = ((content, 0) for content in range(len(self._contents)))
        return frozenset(
            (content, at + 1)
            for source in (begun, anew)
            for content, at in source
            if byte in self._contents[content][at]
        )

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Entries of the map `states`."""
        for number, (row, found) in enumerate(zip(self.next, self.found, strict=True)):
            yield word(number), found.to_bytes(CONTENTS // 8, "little") + struct.pack("<256H", *row)


def _choices(byte: int, *, exact: bool) -> frozenset[int]:
    return frozenset({byte} if exact else {*bytes([byte]).lower(), *bytes([byte]).upper()})


def fill(document: Table) -> Rows:
    """Entries of the maps `states`, `rules` and `config`; raises SettingsError."""
    contents: dict[Content, int] = {}
    generation = document.number("generation", 1, least=1)
    values = [_rule(rule, contents) for rule in document.tables("rule")]
    document.done()
    if len(values) > RULES or len(contents) > CONTENTS:
        raise SettingsError(
            f"got {len(values)} rules, {len(contents)} contents: at most {RULES} and {CONTENTS} have room"
        )
    if len(values) < RULES:
        values.append(bytes(RULE_BYTES))  # the list ends
    return {
        "states": list(Automaton(list(contents)).rows()),
        "rules": [(word(number), value) for number, value in enumerate(values)],
        "config": [(word(0), word(generation))],
    }


def _rule(rule: Table, known: dict[Content, int]) -> bytes:
    wanted = 0
    exact = rule.choice("case", ("matters", "ignored"), "matters") == 0
    for text in rule.texts("contents"):
        content = (_content(rule, text), exact)
        wanted |= 1 << known.setdefault(content, len(known))
    if wanted.bit_length() > CONTENTS:
        raise SettingsError(f"{rule.place}: at most {CONTENTS} different contents have room")
    ends = conditions(rule)
    action, number = rule.choice("action", ACTIONS, "alert") + 1, rule.number("id", least=1)
    block = rule.choice("block", BLOCKS, "nobody")
    seconds = rule.number("block_seconds", 60 if block else 0)
    rule.text("message", "")
    rule.done()
    value = wanted.to_bytes(CONTENTS // 8, "little") + ends + struct.pack("<IIII", action, number, seconds, block)
    return value + bytes(RULE_BYTES - len(value))


def _content(rule: Table, text: str) -> bytes:
    """Text with bytes in hex between bars: `GET /|0d 0a|`."""
    parts = text.split("|")
    expected = f"{rule.place}: {text!r:.60} should have bytes in hex between bars, like `GET|0d 0a|`"
    if len(parts) % 2 == 0:
        raise SettingsError(expected)
    try:
        data = b"".join(bytes.fromhex(part) if number % 2 else part.encode() for number, part in enumerate(parts))
    except ValueError:
        raise SettingsError(
            f"{rule.place}: {text!r:.60} should have bytes in hex between bars, like `GET|0d 0a|`"
        ) from None
    if not 1 <= len(data) <= MOST_CONTENT:
        raise SettingsError(f"{rule.place}: a content has 1 to {MOST_CONTENT} bytes, {text!r:.60} has {len(data)}")
    return data
