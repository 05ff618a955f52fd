"""What is proved of the scalar domain, for all inputs: each operation's result holds what the machine computes (RFC 9669 4).

An obligation names a function of operations.cpp. `a` and `b` are any words in the scalars A and B, any scalars that are well
formed: known bits have no bit both known and unknown. Functions that others call are proved by themselves and stand in the
others' proofs as what they promise (contracts): for each of the words that a proof follows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import z3

from tests.proofs.ir import UnknownCodeError
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


@dataclass(frozen=True)
class Bounds:
    """An interval of words, or of their low halves."""

    low: Any
    high: Any

    @classmethod
    def at(cls, memory: Memory, place: Value) -> "Bounds":
        """Return what lies there, in the pieces that it was stored in."""
        if not isinstance(place, Pointer):
            raise TypeError("an interval is handed on by its address")
        [(_, _, start)] = place.places
        size = next(size for _, at, size in _FIELDS if at == start)
        return cls(memory.load(place, size), memory.load(place.moved(size), size))

    @property
    def size(self) -> int:
        return int(self.low.size()) // 8

    def holds(self, word: Any) -> list[Any]:
        part = z3.Extract(self.low.size() - 1, 0, word)
        return [z3.ULE(self.low, part), z3.ULE(part, self.high)]

    def holds_signed(self, word: Any) -> list[Any]:
        part = z3.Extract(self.low.size() - 1, 0, word)
        return [self.low <= part, part <= self.high]


def any_scalar() -> Pieces:
    """A scalar of which nothing is known, in the pieces of struct Scalar."""
    places = [(at + part * size, size) for _, at, size in _FIELDS for part in (0, 1)]
    return tuple((at, z3.FreshConst(z3.BitVecSort(8 * size), "part")) for at, size in places)


# --- contracts ---------------------------------------------------------------------------------------------------------------

_SCALAR: Final = "_ZN6unibpf8analyser6Scalar"
NORMALISE: Final = f"{_SCALAR}9normaliseEv"
JOIN: Final = "_ZN6unibpf8analyser4joinERKNS0_6ScalarES3_"
_LOCAL: Final = "_ZN6unibpf8analyser12_GLOBAL__N_1"
SHARE_64: Final = f"{_LOCAL}5shareIlmEEvRNS0_8IntervalIT_EERNS3_IT0_EE"
SHARE_32: Final = f"{_LOCAL}5shareIijEEvRNS0_8IntervalIT_EERNS3_IT0_EE"
SHARE_HALVES: Final = f"{_LOCAL}12share_halvesERNS0_6ScalarE"
SHARE_BITS: Final = f"{_LOCAL}10share_bitsERNS0_6ScalarE"
BITS_RANGE: Final = "_ZN6unibpf8analyser4Tnum5rangeEmm"
SHIFT: Final = f"{_LOCAL}5shiftENS_3AluEjRKNS0_6ScalarES5_"
SHIFT_BY: Final = f"{_LOCAL}8shift_byENS_3AluERKNS0_6ScalarEj"
NEXT: Final = (f"{_LOCAL}7next_upElPKSt6vectorIlSaIlEE", f"{_LOCAL}9next_downElPKSt6vectorIlSaIlEE")
COMPUTE: Final = "_ZN6unibpf8analyser7computeENS_3AluEjRKNS0_6ScalarES4_"
MEET: Final = "_ZN6unibpf8analyser4meetERKNS0_6ScalarES3_"
UNSIGNED: Final = f"{_SCALAR}14unsigned_rangeEmm"
SIGNED: Final = f"{_SCALAR}12signed_rangeEll"


def _conditions(
    machine: Machine, words: list[Any], demands: list[Any], claims: Callable[[Any], list[Any]]
) -> list[Any]:
    """For each word, when a promise is due: what was shown of it here is no longer asked."""
    formed = [] if machine.follows(demands) else demands
    return [z3.And(machine.path, *formed, *([] if machine.follows(claims(word)) else claims(word))) for word in words]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the domain's own shift is asked on the way, which takes 64 bits: one word by another gives a third."""

    operator: str
    width: int
    words: tuple[Any, Any, Any]

    @property
    def amount(self) -> Any:
        return self.words[1] & (self.width - 1)


def contracts(
    words: list[Any], shifts: Mapping[int, str], *, but: str = "", step: Step | None = None
) -> dict[str, Contract]:
    """Return what the functions promise of these words; `but` is the one that is being proved.

    `shifts`: which numbers the code gives these operators. `step`: of the shift that is proved or asked.

    What a promise asks for is proved where the call stands, part by part; where it cannot be, it stays a condition.
    """

    def renewed(
        machine: Machine, place: Value, memory: Memory, demands: list[Any], claims: Callable[[Any], list[Any]]
    ) -> None:
        conditions = _conditions(machine, words, demands, claims)
        _overwrite(memory, place)
        found = _scalar(memory, place)
        for condition, word in zip(conditions, words, strict=True):
            machine.facts += [z3.Implies(condition, one) for one in (*found.holds(word), found.is_well_formed)]

    def normalise(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        before = _scalar(memory, arguments[0])
        renewed(machine, arguments[0], memory, [before.is_well_formed], before.holds)

    def join(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        one, other = _scalar(memory, arguments[1]), _scalar(memory, arguments[2])
        either = lambda word: [z3.Or(one.contains(word), other.contains(word))]  # noqa: E731
        formed = z3.And(machine.path, one.is_well_formed, other.is_well_formed)
        renewed(machine, arguments[0], memory, [one.is_well_formed, other.is_well_formed], either)
        machine.facts.append(
            z3.Implies(formed, _scalar(memory, arguments[0]).is_well_formed)
        )  # whatever words are in them

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

    known: dict[str, Contract] = {NORMALISE: normalise, JOIN: join, MEET: meet, UNSIGNED: unsigned, SIGNED: signed}
    known |= dict.fromkeys(NEXT, _any_word) | _steps(words, normalise) | _shifts(shifts, step)
    return {name: contract for name, contract in known.items() if name != but}


def _shifts(shifts: Mapping[int, str], step: Step | None) -> dict[str, Contract]:
    """Return what shifts promise of the words of the step."""

    def shift_by(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        """What it makes of the word, if the amount is the right one; and it is well formed."""
        if step is None or shifts[_number(arguments[1])] != step.operator:
            raise UnknownCodeError("a shift that was not asked")
        word, _, result = step.words
        before = _scalar(memory, arguments[2])
        [condition] = _conditions(machine, [word], [before.is_well_formed], before.holds)
        same = z3.ZeroExt(32, arguments[3]) == step.amount
        is_same = machine.follows([same])
        _overwrite(memory, arguments[0])
        found = _scalar(memory, arguments[0])
        machine.facts.append(z3.Implies(condition, found.is_well_formed))
        machine.facts += [
            z3.Implies(condition if is_same else z3.And(condition, same), one) for one in found.holds(result)
        ]

    def shift(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        asked = None if step is None else (step.operator, step.width)
        if step is None or (shifts[_number(arguments[1])], _number(arguments[2])) != asked:
            raise UnknownCodeError("a shift that was not asked")
        one, by = _scalar(memory, arguments[3]), _scalar(memory, arguments[4])
        word, amount, result = step.words
        demands = [one.is_well_formed, by.is_well_formed, *one.holds(word), *by.holds(amount)]
        condition = z3.And(machine.path, *([] if machine.follows(demands) else demands))
        _overwrite(memory, arguments[0])
        found = _scalar(memory, arguments[0])
        machine.facts += [z3.Implies(condition, one) for one in (*found.holds(result), found.is_well_formed)]

    return {SHIFT_BY: shift_by, SHIFT: shift}


def _any_word(_machine: Machine, _arguments: list[Value], _memory: Memory) -> Value:
    """Nothing is promised."""
    return z3.FreshConst(z3.BitVecSort(64), "any")


def _number(value: Value) -> int:
    return int(z3.simplify(value).as_long())


def _steps(words: list[Any], normalise: Contract) -> dict[str, Contract]:
    """Return what the parts of normalise promise."""

    def share(machine: Machine, arguments: list[Value], memory: Memory) -> None:
        signed_before, before = (Bounds.at(memory, one) for one in arguments)
        claims = lambda word: [*signed_before.holds_signed(word), *before.holds(word)]  # noqa: E731
        conditions = _conditions(machine, words, [], claims)
        for place in arguments:
            _overwrite_bounds(memory, place, before.size)
        signed_after, after = (Bounds.at(memory, one) for one in arguments)
        for condition, word in zip(conditions, words, strict=True):
            machine.facts += [
                z3.Implies(condition, one) for one in (*signed_after.holds_signed(word), *after.holds(word))
            ]

    def share_bits(machine: Machine, arguments: list[Value], memory: Memory) -> Value:
        before = _scalar(memory, arguments[0])
        conditions = _conditions(machine, words, [before.is_well_formed], before.holds)
        normalise(machine, arguments, memory)
        answer = z3.FreshConst(z3.BitVecSort(1), "shared")
        machine.facts += [z3.Implies(condition, answer == 1) for condition in conditions]
        return answer

    def bits_range(machine: Machine, arguments: list[Value], _memory: Memory) -> Value:
        low, high = arguments
        value, mask = (z3.FreshConst(z3.BitVecSort(64), part) for part in ("value", "mask"))
        for word in [*words, *(z3.ZeroExt(32, z3.Extract(31, 0, word)) for word in words)]:
            [condition] = _conditions(machine, [word], [], lambda w: [z3.ULE(low, w), z3.ULE(w, high)])
            machine.facts += [z3.Implies(condition, one) for one in (word & ~mask == value, value & mask == 0)]
        return value, mask

    return {SHARE_64: share, SHARE_32: share, SHARE_HALVES: normalise, SHARE_BITS: share_bits, BITS_RANGE: bits_range}


def _scalar(memory: Memory, value: Value) -> Scalar:
    if not isinstance(value, Pointer):
        raise TypeError("a scalar is handed on by its address")
    return Scalar.at(memory, value)


def _overwrite(memory: Memory, value: Value) -> None:
    if not isinstance(value, Pointer):
        raise TypeError("a scalar is handed on by its address")
    [(_, thing, at)] = value.places
    memory.replace(thing, tuple((at + start, word) for start, word in any_scalar()))


def _overwrite_bounds(memory: Memory, place: Value, size: int) -> None:
    if not isinstance(place, Pointer):
        raise TypeError("an interval is handed on by its address")
    [(_, thing, at)] = place.places
    parts = [z3.FreshConst(z3.BitVecSort(8 * size), "bound") for _ in range(2)]
    memory.replace(thing, ((at, parts[0]), (at + size, parts[1])))


# By RFC 9669 4.1, of a word and an amount that is less than 64.
SHIFTS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lsh": lambda word, by: word << by,
    "rsh": z3.LShR,
    "arsh": lambda word, by: word >> by,
}

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
    operator: str = ""  # where the function takes one
    width: int = 64  # likewise

    @property
    def function(self) -> str:
        """What is called: a part of the domain that is proved by itself, or what operations.cpp defines."""
        return self.proves if self.form in {"share", "step", "bits", "amounts", "shift"} else self.name

    def step(self, a: Word, b: Word) -> Step | None:
        """Return the shift on the way, if there is one."""
        name, _, width = self.name.partition("_")
        if self.form == "shift":
            return Step(operator=self.operator, width=self.width, words=(a, b, self.result(a, b)))
        if self.form != "binary" or name not in SHIFTS:
            return None
        x, y, result = self.follows(a, b) or [a, b, self.result(a, b)]
        return Step(operator=name, width=int(width), words=(x, y, result))


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
    yield Obligation(name="share 64 bits", form="share", proves=SHARE_64)
    yield Obligation(name="share 32 bits", form="share", proves=SHARE_32)
    yield Obligation(name="share halves", form="step", proves=SHARE_HALVES)
    yield Obligation(name="bits of a range", form="bits", proves=BITS_RANGE)
    yield Obligation(name="share bits", form="step", proves=SHARE_BITS)
    yield Obligation(name="normalise_of", form="normalise", proves=NORMALISE)
    yield Obligation(name="unsigned_range_of", form="unsigned", proves=UNSIGNED)
    yield Obligation(name="signed_range_of", form="signed", proves=SIGNED)
    yield Obligation(name="join_of", form="join", proves=JOIN)
    yield Obligation(name="meet_of", form="meet", proves=MEET)
    yield Obligation(name="widen_of", form="widen")
    yield Obligation(name="constant_of", form="constant")
    yield Obligation(name="leq_of", form="leq")
    yield Obligation(name="contains_of", form="contains")
    for name in SHIFTS:
        yield Obligation(name=f"{name} by each constant", form="amounts", proves=SHIFT_BY, operator=name)
        for width in (64, 32):
            result = lambda a, b, name=name, width=width: SHIFTS[name](a, b & (width - 1))  # noqa: E731
            asked = {"proves": SHIFT, "operator": name, "width": width}
            yield Obligation(name=f"{name} of {width} bits", form="shift", result=result, **asked)
    for name, operator in _OPERATORS.items():
        yield Obligation(name=f"{name}_64", form="binary", result=operator)
        follows = _wide_steps(name, operator)
        yield Obligation(name=f"{name}_32", form="binary", result=_half(operator), follows=follows)
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
