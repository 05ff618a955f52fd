"""Proves obligations: compiles the domain, runs its functions on symbols, asks the solver for a counterexample."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import z3

from tests.proofs import ir
from tests.proofs.machine import Machine, Memory, Pointer
from tests.proofs.obligations import Obligation, Scalar, any_scalar, contracts
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


def prove(one: Obligation, *, seconds: float, width: int = FULL_WIDTH, code: Sequence[ir.Module] | None = None) -> Outcome:
    """Prove it for all words of a width."""
    started = time.monotonic()
    holds = None
    for question in _questions(one, list(code or modules()), width):
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", int(1000 * seconds))
        solver.add(question)
        answer = solver.check()
        if answer != z3.unsat:
            found = str(solver.model()) if answer == z3.sat else ""
            holds = False if answer == z3.sat else None
            return Outcome(one.name, width, holds, time.monotonic() - started, found[:2000])
    return Outcome(one.name, width, True, time.monotonic() - started)


class _Run:
    """One call: the words a and b, the scalars they are in, and what was assumed."""

    def __init__(self, one: Obligation, code: list[ir.Module], width: int) -> None:
        self.a, self.b = z3.BitVecs("a b", 64)
        words = [self.a, self.b, *one.follows(self.a, self.b)]
        if one.form in {"binary", "unary"}:
            words.append(one.result(self.a, self.b))
        self.machine = Machine(code, contracts(words, but=one.proves))
        self.memory = Memory()
        self.left, self.right, self.out = (
            self.machine.add_object(self.memory, any_scalar()) for _ in range(3)
        )
        self.one, self.other = Scalar.at(self.memory, self.left), Scalar.at(self.memory, self.right)
        self.known: list[Any] = [self.one.is_well_formed, self.other.is_well_formed]
        if width < FULL_WIDTH:
            self.known += [_is_narrow(word, width) for word in self._bounds()]

    def _bounds(self) -> list[Any]:
        return [word for scalar in (self.one, self.other) for pair in scalar.words.values() for word in pair]

    def call(self, name: str, *arguments: Any) -> Any:
        value, self.memory = self.machine.call(name, list(arguments), self.memory)
        return value

    def question(self, *claims: Any) -> Any:
        """Is there a case in which what is known holds and a claim does not?"""
        return z3.And(*self.known, *self.machine.facts, z3.Not(z3.And(*claims)))

    def scalar(self, place: Pointer) -> Scalar:
        return Scalar.at(self.memory, place)


def _is_narrow(word: Any, width: int) -> Any:
    """Bounds of words that have so many bits, or the whole range."""
    rest = z3.Extract(word.size() - 1, width - 1, word)
    return z3.Or(rest == 0, ~rest == 0)


def _questions(one: Obligation, code: list[ir.Module], width: int) -> list[Any]:
    if one.form == "refine":
        return [_refined(one, code, width, holds) for holds in (True, False)]
    run = _Run(one, code, width)
    return [_FORMS[one.form](one, run)]


def _refined(one: Obligation, code: list[ir.Module], width: int, holds: bool) -> Any:
    run = _Run(one, code, width)
    test = one.result(run.a, run.b)
    run.known += [run.one.contains(run.a), run.other.contains(run.b), test if holds else z3.Not(test)]
    run.call(one.name, z3.BitVecVal(int(holds), 1), run.left, run.right)
    after = run.scalar(run.left), run.scalar(run.right)
    return run.question(
        after[0].contains(run.a), after[1].contains(run.b), after[0].is_well_formed, after[1].is_well_formed
    )


def _computed(one: Obligation, run: _Run, *places: Pointer) -> Any:
    run.known += [run.one.contains(run.a), run.other.contains(run.b)]
    run.call(one.name, *places, run.out)
    found = run.scalar(run.out)
    return run.question(found.contains(one.result(run.a, run.b)), found.is_well_formed)


def _normalised(one: Obligation, run: _Run) -> Any:
    run.known.append(run.one.contains(run.a))
    run.call(one.name, run.left)
    found = run.scalar(run.left)
    return run.question(found.contains(run.a))


def _ranged(one: Obligation, run: _Run) -> Any:
    low, high = z3.BitVecs("low high", 64)
    inside = [low <= run.a, run.a <= high] if one.form == "signed" else [z3.ULE(low, run.a), z3.ULE(run.a, high)]
    run.known += inside
    run.call(one.name, low, high, run.out)
    return run.question(run.scalar(run.out).contains(run.a), run.scalar(run.out).is_well_formed)


def _of_both(one: Obligation, run: _Run) -> Any:
    both = z3.Or if one.form == "join" else z3.And
    run.known.append(both(run.one.contains(run.a), run.other.contains(run.a)))
    run.call(one.name, run.left, run.right, run.out)
    return run.question(run.scalar(run.out).contains(run.a), run.scalar(run.out).is_well_formed)


def _constant(one: Obligation, run: _Run) -> Any:
    run.call(one.name, run.a, run.out)
    return run.question(run.scalar(run.out).contains(run.a), run.scalar(run.out).is_well_formed)


def _included(one: Obligation, run: _Run) -> Any:
    answer = run.call(one.name, run.left, run.right)
    run.known += [answer == 1, run.one.contains(run.a)]
    return run.question(run.other.contains(run.a))


def _contained(one: Obligation, run: _Run) -> Any:
    answer = run.call(one.name, run.left, run.a)
    return run.question((answer == 1) == run.one.contains(run.a))


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
