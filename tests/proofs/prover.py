"""Proves obligations: compiles the domain, runs its functions on symbols, asks the solver for a counterexample."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import bitwuzla
import z3

from tests.proofs import ir
from tests.proofs.machine import Machine, Memory, Pointer
from tests.proofs.obligations import NORMALISE, Obligation, Scalar, any_scalar, contracts
from unibpf.host.settings import REPOSITORY

DOMAIN: Final = tuple(
    REPOSITORY / "services" / "verifier" / "native" / "domains" / f"{name}.cpp"
    for name in ("scalar", "scalar_arithmetic", "scalar_condition")
)
OPERATIONS: Final = Path(__file__).with_name("operations.cpp")
# No undefined overflow, and no loop or vector that was not written.
_FLAGS: Final = (
    *("-std=c++20", "-O1", "-fwrapv", "-fno-exceptions", "-fno-rtti", "-fno-vectorize", "-fno-slp-vectorize"),
    *("-fno-unroll-loops", "-fno-jump-tables", "-g0", "-S", "-emit-llvm", f"-I{REPOSITORY}"),
)
FULL_WIDTH: Final = 64
EASY_MILLISECONDS: Final = 1000


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
    return [ir.read(_compiled(source)) for source in sources]


def _compiled(source: Path) -> str:
    with tempfile.NamedTemporaryFile(suffix=".ll") as target:
        subprocess.run(["clang++-19", *_FLAGS, str(source), "-o", target.name], check=True)
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
        words = [self.a, self.b, *one.follows(self.a, self.b)]
        if one.form in {"binary", "unary"}:
            words.append(one.result(self.a, self.b))
        self.machine = Machine(code, contracts(words, but=one.proves))
        self.machine.ask = solvers.follows
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


def _is_narrow(word: Any, width: int) -> Any:
    """Bounds of words that have so many bits, or the whole range."""
    rest = z3.Extract(word.size() - 1, width - 1, word)
    return z3.Or(rest == 0, ~rest == 0)


Question = tuple[_Run, list[Any]]  # what was run, and what has to hold then


def _questions(one: Obligation, code: list[ir.Module], width: int, solvers: Solvers) -> Iterator[Question]:
    if one.form == "refine":
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


def _of_both(one: Obligation, run: _Run) -> list[Any]:
    both = z3.Or if one.form == "join" else z3.And
    run.known.append(both(run.one.contains(run.a), run.other.contains(run.a)))
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
    "join": _of_both,
    "meet": _of_both,
    "constant": _constant,
    "leq": _included,
    "contains": _contained,
}
