"""Programs that are hard on an analyser, as assembly text: as large, as deep or as branchy as the ABI lets them be.

None of them does anything sensible. Whatever an analyser thinks of them, it has to end within its limits; `SHAPES` names them
all with the verdicts that are right.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

LARGEST: Final = 100_000  # abi::max_instructions
_REACH: Final = 30_000  # of a branch, in slots
_RANDOM: Final = "call_helper 7"  # bpf_get_prandom_u32


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A program and what may be said of it."""

    code: Callable[[], str]
    verdicts: frozenset[str]


def straight_line(size: int = LARGEST) -> str:
    """Arithmetic on one unknown number, without a branch."""
    steps = ("add64 r6, r7", "xor64 r7, 21", "lsh64 r6, 1", "stxdw [r10-8], r6", "and64 r7, r6", "ldxdw r7, [r10-8]")
    body = [steps[at % len(steps)] for at in range(size - 6)]
    return _program([_RANDOM, "mov64 r6, r0", "mov64 r7, r0", "stxdw [r10-8], r0", *body])


def jumps_over(size: int = LARGEST) -> str:
    """Each branch jumps over one instruction: two paths meet again at once, n times."""
    pairs = (size - 4) // 2
    return _program([_RANDOM, "mov64 r6, r0", *_pairs(pairs)])


def _pairs(count: int) -> Iterator[str]:
    for at in range(count):
        yield f"jeq64 r6, {at}, over{at}"
        yield "add64 r0, 1"
        yield f"over{at}:"


def one_target(size: int = LARGEST) -> str:
    """A switch with tens of thousands of cases that all end in one place."""
    return _program([_RANDOM, *_hopping([f"jeq64 r0, {at}, out" for at in range(size - 20)])])


def one_target_with_much_known(size: int = 50_000) -> str:
    """The same, with a stack full of unknown numbers that each path changes."""
    lines = [*_filled_stack(40)]
    for at in range((size - len(lines)) // 2 - 2):
        lines += [f"stxdw [r10-{8 * (at % 40 + 1)}], r0", f"jeq64 r0, {at}, out"]
    return _program(_hopping(lines))


def _hopping(lines: list[str]) -> list[str]:
    """Branches to `out` after the last line, by way of a far jump where 16 bits of offset do not reach."""
    hopping: list[str] = []
    for start in range(0, len(lines), _REACH):
        chunk = start // _REACH
        hopping += [line.replace(", out", f", out{chunk}") for line in lines[start : start + _REACH]]
        hopping += [f"ja over{chunk}", f"out{chunk}:", "gotol out", f"over{chunk}:"]
    return [*hopping, "out:"]


def wide_switch(cases: int = 6_000) -> str:
    """As many cases, each with a body of its own."""
    lines = [_RANDOM, "mov64 r6, r0", *(f"jeq64 r6, {at}, case{at}" for at in range(cases)), "ja out"]
    for at in range(cases):
        lines += [f"case{at}:", f"mov64 r7, {at}", "add64 r7, r6", "stxdw [r10-8], r7", "ja out"]
    return _program([*lines, "out:"])


def nested_loops(depth: int = 60, rounds: int = 1000) -> str:
    """Loops inside loops, each with its own counter on the stack."""
    lines = []
    for at in range(depth):
        lines += [f"stdw [r10-{8 * (at + 1)}], 0", f"loop{at}:"]
    for at in reversed(range(depth)):
        place = f"[r10-{8 * (at + 1)}]"
        lines += [f"ldxdw r1, {place}", "add64 r1, 1", f"stxdw {place}, r1", f"jlt64 r1, {rounds}, loop{at}"]
    return _program(lines)


def undecided_loops(depth: int = 12) -> str:
    """Loops inside loops that any number may leave: what is unrolled is unrolled in vain."""
    lines = ["mov64 r6, 0", *(f"loop{at}:\n{_RANDOM}\nadd64 r6, r0" for at in range(depth))]
    lines += [f"{_RANDOM}\njgt64 r0, {at}, loop{at}" for at in reversed(range(depth))]
    return _program(lines)


def calls_that_explode(width: int = 10, depth: int = 7) -> str:
    """Each function calls the next one `width` times: inlined, that is width ** depth copies."""
    lines = [*["call_local f1"] * width, "mov64 r0, 0", "exit"]
    for at in range(1, depth):
        lines += [f"f{at}:", *["call_local " + f"f{at + 1}"] * width, "exit"]
    return "\n".join([*lines, f"f{depth}:", "mov64 r0, 0", "exit"])


def many_functions(count: int = 255, size: int = 380) -> str:
    """As many functions as there may be, each called once."""
    lines = [*(f"call_local f{at}" for at in range(count)), "mov64 r0, 0", "exit"]
    for at in range(count):
        lines += [f"f{at}:", "mov64 r0, 0", *["add64 r0, 1"] * (size - 2), "exit"]
    return "\n".join(lines)


def backwards(size: int = LARGEST) -> str:
    """Every block lies before the one that leads to it, so that what flows backwards through the graph flows forwards."""
    blocks = (size - 3) // 2
    lines = ["mov64 r6, 1", f"gotol block{blocks - 1}"]
    for at in range(blocks):
        lines += [f"block{at}:", "add64 r6, 1", f"ja block{at - 1}" if at else "exit"]
    return "\n".join(["mov64 r0, 0", *lines])


def irreducible(size: int = 6_000, seed: int = 1) -> str:
    """Branches from anywhere to anywhere: cycles with many entries."""
    rng = random.Random(seed)
    lines = ["mov64 r6, 0"]
    for at in range(size // 3):
        lines += [f"at{at}:", _RANDOM, f"jgt64 r0, {at}, at{rng.randrange(size // 3)}", "add64 r6, 1"]
    return _program(lines)


def joins_with_many_symbols(size: int = 30_000) -> str:
    """Sums, differences and order tests of sixty unknown numbers on the stack, in every combination, joined all the time."""
    rng = random.Random(2)
    lines = [*_filled_stack(60)]
    for at in range((size - len(lines)) // 6):
        one, two, three = (8 * rng.randrange(1, 61) for _ in range(3))
        lines += [f"ldxdw r1, [r10-{one}]", f"ldxdw r2, [r10-{two}]", f"jgt64 r1, r2, over{at}", "add64 r1, r2"]
        lines += [f"stxdw [r10-{three}], r1", f"over{at}:", "sub64 r2, r1"]
    return _program(lines)


def packet_cursor(size: int = 30_000) -> str:
    """A pointer that moves by an unknown distance again and again, tested each time."""
    lines = ["mov64 r6, r1", "ldxw r7, [r6+0]", "ldxw r8, [r6+4]"]
    for _ in range((size - 6) // 6):
        lines += ["mov64 r2, r7", "add64 r2, 4", "jgt64 r2, r8, out", "ldxb r3, [r7+0]", "and64 r3, 15", "add64 r7, r3"]
    return _program([*lines, "out:"])


def _filled_stack(slots: int) -> Iterator[str]:
    for at in range(slots):
        yield _RANDOM
        yield f"stxdw [r10-{8 * (at + 1)}], r0"


def _program(lines: list[str]) -> str:
    return "\n".join([*lines, "mov64 r0, 0", "exit"])


def small_shapes() -> list[str]:
    """Every shape in a size that a fuzzer can turn over."""
    return [
        straight_line(60),
        jumps_over(60),
        one_target(60),
        one_target_with_much_known(120),
        wide_switch(8),
        nested_loops(3, 4),
        undecided_loops(3),
        calls_that_explode(2, 3),
        many_functions(4, 6),
        backwards(40),
        irreducible(24),
        joins_with_many_symbols(200),
        packet_cursor(60),
    ]


_ANY: Final = frozenset({"safe", "unsafe", "gave_up"})
_SAFE: Final = frozenset({"safe"})

SHAPES: Final = {
    "straight line": Shape(code=straight_line, verdicts=_SAFE),
    "jumps over": Shape(code=jumps_over, verdicts=_SAFE),
    "one target": Shape(code=one_target, verdicts=_SAFE),
    "one target with much known": Shape(code=one_target_with_much_known, verdicts=_SAFE),
    "wide switch": Shape(code=wide_switch, verdicts=_SAFE),
    "nested loops": Shape(code=nested_loops, verdicts=_ANY),
    "undecided loops": Shape(code=undecided_loops, verdicts=frozenset({"unsafe", "gave_up"})),
    "calls that explode": Shape(code=calls_that_explode, verdicts=frozenset({"gave_up"})),
    "many functions": Shape(code=many_functions, verdicts=_SAFE),
    "backwards": Shape(code=backwards, verdicts=_SAFE),
    "irreducible": Shape(code=irreducible, verdicts=frozenset({"unsafe", "gave_up"})),
    "joins with many symbols": Shape(code=joins_with_many_symbols, verdicts=_SAFE),
    "packet cursor": Shape(code=packet_cursor, verdicts=_ANY),
}
