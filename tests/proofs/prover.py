"""Proves obligations: compiles the domain, runs its functions on symbols, asks the solver for a counterexample."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import bitwuzla
import z3

from tests.proofs import ir
from tests.proofs.machine import Machine, Memory, Pointer
from tests.proofs.obligations import COMPUTE, NORMALISE, SHARE_64, SHIFTS, Obligation, Scalar, any_scalar, contracts
from unibpf.host.settings import REPOSITORY

DOMAIN: Final = tuple(
    REPOSITORY / "services" / "verifier" / "native" / "domains" / f"{name}.cpp"
    for name in ("scalar", "scalar_arithmetic", "scalar_condition", "widening")
)
OPERATIONS: Final = Path(__file__).with_name("operations.cpp")
# No undefined overflow, and no loop or vector that was not written.
_FLAGS: Final = (
    *("-std=c++20", "-O1", "-fwrapv", "-fno-exceptions", "-fno-rtti", "-fno-vectorize", "-fno-slp-vectorize"),
    *("-fno-unroll-loops", "-fno-jump-tables", "-g0", "-S", "-emit-llvm", f"-I{REPOSITORY}"),
)
APART: Final = frozenset({"scalar", "scalar_arithmetic", "widening"})
FULL_WIDTH: Final = 64
EASY_MILLISECONDS: Final = 1000
QUICK_MILLISECONDS: Final = 200


@dataclass(frozen=True)
class Outcome:
    """`proved` None: the solver came to no end. `width`: of the words, above which bits are copies of the sign, or zero."""

    name: str
    width: int
    proved: bool | None
    seconds: float
    counterexample: str = ""


@cache
def modules(sources: tuple[Path, ...] = (OPERATIONS, *DOMAIN)) -> list[ir.Module]:
    """Compile and read."""
    return [ir.read(_compiled(source, apart=source.stem in APART)) for source in sources]


def _compiled(source: Path, *, apart: bool) -> str:
    """`apart`: with a call for each call, so that steps are proved one at a time."""
    with tempfile.NamedTemporaryFile(suffix=".ll") as target:
        subprocess.run(
            ["clang++-19", *_FLAGS, *(["-fno-inline"] if apart else []), str(source), "-o", target.name], check=True
        )
        return Path(target.name).read_text()


def prove(
    one: Obligation, *, seconds: float, width: int = FULL_WIDTH, code: Sequence[ir.Module] | None = None
) -> Outcome:
    """Prove it for all words of a width."""
    started = time.monotonic()
    solvers = Solvers(seconds)
    for run, claims in _questions(one, list(code or modules()), width, solvers):
        for claim in claims:
            answer = solvers.follows([*run.known, *run.machine.facts], claim)
            if not answer:
                return Outcome(one.name, width, answer, time.monotonic() - started, solvers.counterexample)
    return Outcome(one.name, width, True, time.monotonic() - started)


@dataclass
class Solvers:
    """z3 for what is easy, then Bitwuzla."""

    seconds: float
    counterexample: str = ""

    def follows(self, known: list[Any], claim: Any) -> bool | None:
        question = z3.simplify(z3.And(*known, z3.Not(claim)))
        if z3.is_false(question):
            return True
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", EASY_MILLISECONDS)
        solver.add(question)
        answer = solver.check()
        if answer == z3.sat:
            self.counterexample = str(solver.model())[:2000]
        if answer == z3.unknown:
            return self._bitwuzla(solver.to_smt2())
        return bool(answer == z3.unsat)

    def follows_quickly(self, known: list[Any], claim: Any) -> bool | None:
        """True, or nothing is known."""
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", QUICK_MILLISECONDS)
        solver.add(*known, z3.Not(claim))
        return solver.check() == z3.unsat or None

    def _bitwuzla(self, text: str) -> bool | None:
        options = bitwuzla.Options()
        options.set(bitwuzla.Option.TIME_LIMIT_PER, int(1000 * self.seconds))
        parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
        parser.parse("(set-logic QF_BV)\n" + _plain(text), True, False)
        answer = parser.bitwuzla().check_sat()
        return None if answer == bitwuzla.Result.UNKNOWN else bool(answer == bitwuzla.Result.UNSAT)


def _plain(text: str) -> str:
    """Without z3's own names for divisions by what is known not to be 0."""
    return re.sub(r"\b(bv[us](?:div|rem))_i\b", r"\1", text.replace("(check-sat)", ""))


class _Run:
    """One call: the words a and b, the scalars they are in, and what was assumed."""

    def __init__(self, one: Obligation, code: list[ir.Module], width: int, solvers: Solvers) -> None:
        self.a, self.b = z3.BitVecs("a b", 64)
        words = [one.result(self.a, self.b)] if one.form in {"binary", "unary", "amounts", "shift"} else []
        if one.form != "shift":  # which makes nothing of the words but the result
            words += [self.a, *([self.b] if one.form in {"binary", "refine"} else []), *one.follows(self.a, self.b)]
        self.numbers = {name: _number(name, code) for name in SHIFTS}
        named = {number: name for name, number in self.numbers.items()}
        self.machine = Machine(code, contracts(words, named, but=one.proves, step=one.step(self.a, self.b)))
        self.machine.ask, self.machine.ask_quickly = solvers.follows, solvers.follows_quickly
        self.memory = Memory()
        self.left, self.right, self.out = (self.machine.add_object(self.memory, any_scalar()) for _ in range(3))
        self.one, self.other = Scalar.at(self.memory, self.left), Scalar.at(self.memory, self.right)
        self.known: list[Any] = [self.one.is_well_formed, self.other.is_well_formed]
        if width < FULL_WIDTH:
            self.known += [_is_narrow(word, width) for word in self._bounds()]

    def _bounds(self) -> list[Any]:
        return [word for scalar in (self.one, self.other) for pair in scalar.words.values() for word in pair]

    def call(self, name: str, *arguments: Any) -> Any:
        self.machine.known = self.known
        value, self.memory = self.machine.call(name, list(arguments), self.memory)
        return value

    def scalar(self, place: Pointer) -> Scalar:
        return Scalar.at(self.memory, place)


def _number(operator: str, code: list[ir.Module]) -> int:
    """The code's own number of an operator: what its function in operations.cpp hands to the domain."""
    asked: list[Any] = []
    machine = Machine(code, {COMPUTE: lambda _machine, arguments, _memory: asked.extend(arguments)})
    memory = Memory()
    machine.call(f"{operator}_64", [machine.add_object(memory, any_scalar()) for _ in range(3)], memory)
    return int(z3.simplify(asked[1]).as_long())


def _is_narrow(word: Any, width: int) -> Any:
    """Bounds of words that have so many bits, or the whole range."""
    rest = z3.Extract(word.size() - 1, width - 1, word)
    return z3.Or(rest == 0, ~rest == 0)


Question = tuple[_Run, list[Any]]  # what was run, and what has to hold then


def _questions(one: Obligation, code: list[ir.Module], width: int, solvers: Solvers) -> Iterator[Question]:
    if one.form == "join":  # a word is in one of the two: each of these by itself
        yield from (_joined(one, _Run(one, code, width, solvers), side) for side in (0, 1))
        yield _joined_at_all(one, _Run(one, code, width, solvers))
    elif one.form == "amounts":
        for amount in range(64):
            by = z3.BitVecVal(amount, 64)
            this = replace(one, result=lambda a, _b, by=by: SHIFTS[one.operator](a, by))  # type: ignore[misc]
            yield _shifted(this, _Run(this, code, width, solvers), by)
    elif one.form == "shift":
        yield from (_shifted_by_any(one, _Run(one, code, width, solvers), case) for case in _amounts())
    elif one.form == "refine":
        yield from (_refined(one, _Run(one, code, width, solvers), holds) for holds in (True, False))
    else:
        run = _Run(one, code, width, solvers)
        yield run, _FORMS[one.form](one, run)


def _refined(one: Obligation, run: _Run, holds: bool) -> Question:
    test = one.result(run.a, run.b)
    run.known += [*run.one.holds(run.a), *run.other.holds(run.b), test if holds else z3.Not(test)]
    run.call(one.name, z3.BitVecVal(int(holds), 1), run.left, run.right)
    left, right = run.scalar(run.left), run.scalar(run.right)
    return run, [*left.holds(run.a), *right.holds(run.b), left.is_well_formed, right.is_well_formed]


def _result(run: _Run, word: Any) -> list[Any]:
    found = run.scalar(run.out)
    return [*found.holds(word), found.is_well_formed]


def _computed(one: Obligation, run: _Run, *places: Pointer) -> list[Any]:
    run.known += [*run.one.holds(run.a), *run.other.holds(run.b)]
    run.call(one.name, *places, run.out)
    return _result(run, one.result(run.a, run.b))


def _normalised(one: Obligation, run: _Run) -> list[Any]:
    """By induction over its rounds: each begins and ends with a scalar that is well formed and holds the word."""
    run.known += run.one.holds(run.a)

    def invariant(memory: Memory) -> Memory:
        before = Scalar.at(memory, run.left)
        if not run.machine.follows([*before.holds(run.a), before.is_well_formed]):
            return memory
        memory = memory.copy()
        [(_, thing, _)] = run.left.places
        memory.replace(thing, any_scalar())
        after = Scalar.at(memory, run.left)
        run.machine.facts += [z3.Implies(run.machine.path, one) for one in (*after.holds(run.a), after.is_well_formed)]
        return memory

    run.machine.invariants[NORMALISE] = invariant
    run.call(one.name, run.left)
    return [*run.scalar(run.left).holds(run.a), run.scalar(run.left).is_well_formed]


def _ranged(one: Obligation, run: _Run) -> list[Any]:
    low, high = z3.BitVecs("low high", 64)
    run.known += [low <= run.a, run.a <= high] if one.form == "signed" else [z3.ULE(low, run.a), z3.ULE(run.a, high)]
    run.call(one.name, low, high, run.out)
    return _result(run, run.a)


def _joined(one: Obligation, run: _Run, side: int) -> Question:
    run.known += (run.one, run.other)[side].holds(run.a)
    run.call(one.name, run.left, run.right, run.out)
    return run, _result(run, run.a)


def _joined_at_all(one: Obligation, run: _Run) -> Question:
    """It is well formed even if no word is known to be in one of the two."""
    run.call(one.name, run.left, run.right, run.out)
    return run, [run.scalar(run.out).is_well_formed]


def _shifted(one: Obligation, run: _Run, by: Any) -> Question:
    run.known += run.one.holds(run.a)
    operator = z3.BitVecVal(run.numbers[one.operator], 8)
    run.call(one.function, run.out, operator, run.left, z3.Extract(31, 0, by))
    return run, _result(run, one.result(run.a, by))


FEW: Final = 8  # amounts: the code tries each


def _amounts() -> Iterator[tuple[int, int]]:
    """How far apart the bounds of the amount are, and how far above the lower one it is; FEW is for more, wherever."""
    yield from ((apart, above) for apart in range(FEW) for above in range(apart + 1))
    yield FEW, 0


def _shifted_by_any(one: Obligation, run: _Run, case: tuple[int, int]) -> Question:
    low, high = run.other.words["u64"]
    apart, above = case
    run.known += [*run.one.holds(run.a), *run.other.holds(run.b)]
    run.known += [z3.UGE(high - low, apart)] if apart == FEW else [high == low + apart, run.b == low + above]
    operator, width = z3.BitVecVal(run.numbers[one.operator], 8), z3.BitVecVal(one.width, 32)
    run.call(one.function, run.out, operator, width, run.left, run.right)
    return run, _result(run, one.result(run.a, run.b))


def _widened(one: Obligation, run: _Run) -> list[Any]:
    """Whatever thresholds there are: they are not looked at."""
    run.known += run.other.holds(run.a)
    thresholds = run.machine.add_object(run.memory, run.machine.fresh(8))
    run.call(one.name, run.left, run.right, thresholds, run.out)
    return _result(run, run.a)


def _shared(one: Obligation, run: _Run) -> list[Any]:
    """A part of normalise: the signed and the unsigned interval of a width."""
    run.known += run.one.holds(run.a)
    signed, unsigned = (16, 0) if one.proves == SHARE_64 else (40, 32)
    run.call(one.function, run.left.moved(signed), run.left.moved(unsigned))
    return [*run.scalar(run.left).holds(run.a), run.scalar(run.left).is_well_formed]


def _stepped(one: Obligation, run: _Run) -> list[Any]:
    run.known += run.one.holds(run.a)
    answer = run.call(one.function, run.left)
    found = run.scalar(run.left)
    return [*found.holds(run.a), found.is_well_formed, *([] if answer is None else [answer == 1])]


def _bits_ranged(one: Obligation, run: _Run) -> list[Any]:
    low, high = z3.BitVecs("low high", 64)
    run.known += [z3.ULE(low, run.a), z3.ULE(run.a, high)]
    value, mask = run.call(one.function, low, high)
    return [run.a & ~mask == value, value & mask == 0]


def _of_both(one: Obligation, run: _Run) -> list[Any]:
    run.known += [*run.one.holds(run.a), *run.other.holds(run.a)]
    run.call(one.name, run.left, run.right, run.out)
    return _result(run, run.a)


def _constant(one: Obligation, run: _Run) -> list[Any]:
    run.call(one.name, run.a, run.out)
    return _result(run, run.a)


def _included(one: Obligation, run: _Run) -> list[Any]:
    answer = run.call(one.name, run.left, run.right)
    run.known += [answer == 1, *run.one.holds(run.a)]
    return run.other.holds(run.a)


def _contained(one: Obligation, run: _Run) -> list[Any]:
    answer = run.call(one.name, run.left, run.a)
    return [(answer == 1) == run.one.contains(run.a)]


_FORMS: Final[dict[str, Any]] = {
    "binary": lambda one, run: _computed(one, run, run.left, run.right),
    "unary": lambda one, run: _computed(one, run, run.left),
    "normalise": _normalised,
    "unsigned": _ranged,
    "signed": _ranged,
    "share": _shared,
    "step": _stepped,
    "bits": _bits_ranged,
    "meet": _of_both,
    "constant": _constant,
    "widen": _widened,
    "leq": _included,
    "contains": _contained,
}
