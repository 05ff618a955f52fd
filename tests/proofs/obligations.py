"""What is proved of the scalar domain, for all inputs: each operation's result holds what the machine computes (RFC 9669 4).

An obligation names a function of operations.cpp. `a` and `b` are any words in the scalars A and B, any scalars that are well
formed: known bits have no bit both known and unknown. Functions that others call are proved by themselves and stand in the
others' proofs as what they promise (contracts): for each of the words that a proof follows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import z3

from tests.proofs.machine import Contract, Machine, Memory, Pieces, Pointer, Value

_FIELDS: Final = (
    ("u64", 0, 8),
    ("s64", 16, 8),
    ("u32", 32, 4),
    ("s32", 40, 4),
    ("bits", 48, 8),
)  # first of two, each so long


@dataclass(frozen=True)
class Scalar:
    """The parts of one, as words of z3, by the layout that the compiler gives struct Scalar."""

    words: dict[str, tuple[Any, Any]]

    @classmethod
    def at(cls, memory: Memory, place: Pointer) -> "Scalar":
        return cls(
            {
                name: (memory.load(place.moved(at), size), memory.load(place.moved(at + size), size))
                for name, at, size in _FIELDS
            }
        )

    @property
    def is_well_formed(self) -> Any:
        value, mask = self.words["bits"]
        return value & mask == 0

    def contains(self, word: Any) -> Any:
        return z3.And(*self.holds(word))

    def holds(self, word: Any) -> list[Any]:
        """What has to hold for a word to be in it, part by part."""
        low = z3.Extract(31, 0, word)
        (u, v), (s, t) = self.words["u64"], self.words["s64"]
        (p, q), (m, n) = self.words["u32"], self.words["s32"]
        value, mask = self.words["bits"]
        return [
            *(z3.ULE(u, word), z3.ULE(word, v), s <= word, word <= t),
            *(z3.ULE(p, low), z3.ULE(low, q), m <= low, low <= n),
            word & ~mask == value,
        ]


def any_scalar() -> Pieces:
    """A scalar of which nothing is known, in the pieces of struct Scalar."""
    places = [(at + part * size, size) for _, at, size in _FIELDS for part in (0, 1)]
    return tuple((at, z3.FreshConst(z3.BitVecSort(8 * size), "part")) for at, size in places)


# --- contracts ---------------------------------------------------------------------------------------------------------------

_SCALAR: Final = "_ZN6unibpf8analyser6Scalar"
NORMALISE: Final = f"{_SCALAR}9normaliseEv"
JOIN: Final = "_ZN6unibpf8analyser4joinERKNS0_6ScalarES3_"
MEET: Final = "_ZN6unibpf8analyser4meetERKNS0_6ScalarES3_"
UNSIGNED: Final = f"{_SCALAR}14unsigned_rangeEmm"
SIGNED: Final = f"{_SCALAR}12signed_rangeEll"


def contracts(words: list[Any], *, but: str = "") -> dict[str, Contract]:
    """Return what the functions promise of these words; `but` is the one that is being proved.

    What a promise asks for is proved where the call stands, part by part; where it cannot be, it stays a condition.
    """

    def renewed(
        machine: Machine, place: Value, memory: Memory, demands: list[Any], claims: Callable[[Any], list[Any]]
    ) -> None:
        conditions = [z3.And(*([] if machine.follows(claims(word)) else claims(word))) for word in words]
        formed = z3.And(*([] if machine.follows(demands) else demands))
        _overwrite(memory, place)
        found = _scalar(memory, place)
        machine.facts.append(z3.Implies(z3.And(machine.path, formed), found.is_well_formed))
        for condition, word in zip(conditions, words, strict=True):
            machine.facts += [z3.Implies(z3.And(machine.path, formed, condition), one) for one in found.holds(word)]

    def normalise(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        before = _scalar(memory, arguments[0])
        renewed(machine, arguments[0], memory, [before.is_well_formed], before.holds)

    def join(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        one, other = _scalar(memory, arguments[1]), _scalar(memory, arguments[2])
        either = lambda word: [z3.Or(one.contains(word), other.contains(word))]  # noqa: E731
        renewed(machine, arguments[0], memory, [one.is_well_formed, other.is_well_formed], either)

    def meet(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        one, other = _scalar(memory, arguments[1]), _scalar(memory, arguments[2])
        both = lambda word: [*one.holds(word), *other.holds(word)]  # noqa: E731
        renewed(machine, arguments[0], memory, [one.is_well_formed, other.is_well_formed], both)

    def unsigned(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        low, high = arguments[1], arguments[2]
        renewed(machine, arguments[0], memory, [], lambda w: [z3.ULE(low, w), z3.ULE(w, high)])

    def signed(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        low, high = arguments[1], arguments[2]
        renewed(machine, arguments[0], memory, [], lambda w: [low <= w, w <= high])

    known = {NORMALISE: normalise, JOIN: join, MEET: meet, UNSIGNED: unsigned, SIGNED: signed}
    return {name: contract for name, contract in known.items() if name != but}


def _scalar(memory: Memory, value: Value) -> Scalar:
    if not isinstance(value, Pointer):
        raise TypeError("a scalar is handed on by its address")
    return Scalar.at(memory, value)


def _overwrite(memory: Memory, value: Value) -> None:
    if not isinstance(value, Pointer):
        raise TypeError("a scalar is handed on by its address")
    [(_, thing, at)] = value.places
    memory.replace(thing, tuple((at + start, word) for start, word in any_scalar()))


# --- obligations -------------------------------------------------------------------------------------------------------------

Word = Any


@dataclass(frozen=True, kw_only=True)
class Obligation:
    """`name` of operations.cpp. `result` is what the machine computes of a and b; `follows` are words in between.

    `form`: how the function is called: binary and unary (out is last), refine (both are changed, where `holds`), or one of the
    functions that are contracts. `proves`: the contract that is proved here, which must not stand for itself.
    """

    name: str
    form: str
    result: Callable[[Word, Word], Word] = lambda a, _b: a
    follows: Callable[[Word, Word], list[Word]] = lambda _a, _b: []
    proves: str = ""
    hard: bool = False  # for a solver, at full width: nonlinear


def _low(word: Word) -> Word:
    return z3.ZeroExt(32, z3.Extract(31, 0, word))


def _signed_low(word: Word) -> Word:
    return z3.SignExt(32, z3.Extract(31, 0, word))


def _divide(a: Word, b: Word) -> Word:
    return z3.If(b == 0, z3.BitVecVal(0, a.size()), z3.UDiv(a, b))


def _modulo(a: Word, b: Word) -> Word:
    return z3.If(b == 0, a, z3.URem(a, b))


def _divide_signed(a: Word, b: Word) -> Word:
    return z3.If(b == 0, z3.BitVecVal(0, a.size()), a / b)


def _modulo_signed(a: Word, b: Word) -> Word:
    return z3.If(b == 0, a, z3.SRem(a, b))


_OPERATORS: Final[dict[str, Callable[[Word, Word], Word]]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "or": lambda a, b: a | b, "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b, "neg": lambda a, _b: -a, "mov": lambda _a, b: b,
    "lsh": lambda a, b: a << (b & (a.size() - 1)), "rsh": lambda a, b: z3.LShR(a, b & (a.size() - 1)),
    "arsh": lambda a, b: a >> (b & (a.size() - 1)),
    "mul": lambda a, b: a * b, "div": _divide, "mod": _modulo, "sdiv": _divide_signed, "smod": _modulo_signed,
}  # fmt: skip
_HARD: Final = frozenset({"mul", "div", "mod", "sdiv", "smod"})


def _half(operator: Callable[[Word, Word], Word]) -> Callable[[Word, Word], Word]:
    """RFC 9669 4.1: on the low halves, and the upper half is zero."""
    return lambda a, b: z3.ZeroExt(32, operator(z3.Extract(31, 0, a), z3.Extract(31, 0, b)))


def _wide_steps(name: str, operator: Callable[[Word, Word], Word]) -> Callable[[Word, Word], list[Word]]:
    """What the words are on the way, where 32 bits are computed by 64."""

    def steps(a: Word, b: Word) -> list[Word]:
        low, signed = (_low(a), _low(b)), (_signed_low(a), _signed_low(b))
        if name in {"lsh", "rsh", "div", "mod"}:
            pairs = [low]
        elif name in {"arsh", "sdiv", "smod"}:
            pairs = [signed]
        else:
            return [operator(a, b)]
        x, y = pairs[0]
        return [x, y, operator(x, y & 31) if name in {"lsh", "rsh", "arsh"} else operator(x, y)]

    return steps


_TESTS: Final[dict[str, Callable[[Word, Word], Any]]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "set": lambda a, b: a & b != 0,
    "gt": z3.UGT, "ge": z3.UGE, "lt": z3.ULT, "le": z3.ULE,
    "sgt": lambda a, b: a > b, "sge": lambda a, b: a >= b, "slt": lambda a, b: a < b, "sle": lambda a, b: a <= b,
}  # fmt: skip


def _extend(bytes_: int, signed: bool) -> Callable[[Word, Word], Word]:
    def extended(a: Word, _b: Word) -> Word:
        kept = z3.Extract(8 * bytes_ - 1, 0, a)
        return z3.SignExt(64 - 8 * bytes_, kept) if signed else z3.ZeroExt(64 - 8 * bytes_, kept)

    return extended


def _swapped(bytes_: int) -> Callable[[Word, Word], Word]:
    def swapped(a: Word, _b: Word) -> Word:
        word = z3.Concat(*[z3.Extract(at + 7, at, a) for at in range(0, 8 * bytes_, 8)])
        return z3.ZeroExt(64 - 8 * bytes_, word)

    return swapped


def obligations() -> Iterator[Obligation]:
    """Yield all of them."""
    yield Obligation(name="normalise_of", form="normalise", proves=NORMALISE)
    yield Obligation(name="unsigned_range_of", form="unsigned", proves=UNSIGNED)
    yield Obligation(name="signed_range_of", form="signed", proves=SIGNED)
    yield Obligation(name="join_of", form="join", proves=JOIN)
    yield Obligation(name="meet_of", form="meet", proves=MEET)
    yield Obligation(name="constant_of", form="constant")
    yield Obligation(name="leq_of", form="leq")
    yield Obligation(name="contains_of", form="contains")
    for name, operator in _OPERATORS.items():
        yield Obligation(name=f"{name}_64", form="binary", result=operator, hard=name in _HARD)
        follows = _wide_steps(name, operator)
        yield Obligation(name=f"{name}_32", form="binary", result=_half(operator), follows=follows, hard=name in _HARD)
    for bytes_ in (1, 2, 4, 8):
        yield Obligation(name=f"zero_extend_{bytes_}", form="unary", result=_extend(bytes_, False))
        yield Obligation(name=f"sign_extend_{bytes_}", form="unary", result=_extend(bytes_, True))
        yield Obligation(name=f"to_little_{bytes_}", form="unary", result=_extend(bytes_, False))
        if bytes_ > 1:
            yield Obligation(name=f"to_big_{bytes_}", form="unary", result=_swapped(bytes_))
    for name, test in _TESTS.items():
        yield Obligation(name=f"assume_{name}_64", form="refine", result=test)
        yield Obligation(
            name=f"assume_{name}_32",
            form="refine",
            result=lambda a, b, test=test: test(z3.Extract(31, 0, a), z3.Extract(31, 0, b)),  # type: ignore[misc]
        )
