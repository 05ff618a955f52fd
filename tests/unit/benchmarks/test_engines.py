"""Engines' figures: what is compared with what, and what a miss means."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from benchmarks import engines
from benchmarks.engines import DisagreementError, Program, Row, Timing
from benchmarks.figures import Figure, table


def row(name: str, **ns: float) -> Row:
    return Row(program=Program(name=name, source="", entry="", what="what it does"), ns=ns)


ROWS = [
    row("pass", native=1, JIT=2, kernel=20, interpreter=7),
    row("match", native=10, JIT=10, kernel=30, interpreter=100),
    row("NAT", native=4, JIT=8, kernel=9, interpreter=40),
    row("hash", native=8, JIT=32, kernel=30, interpreter=80),
]


def test_ratios_are_of_the_same_row_and_their_mean_is_geometric() -> None:
    found = {one.name: one.value for one in engines.figures(ROWS)}
    assert found["JIT, times native"] == pytest.approx(2)
    assert found["interpreter, times native"] == pytest.approx(10)
    assert found["JIT, `pass`"] == 2
    assert found["JIT, times the kernel's, worst row above 20 ns"] == pytest.approx(32 / 30)


def test_the_kernel_is_not_compared_with_where_it_was_not_measured() -> None:
    without = [row(one.program.name, **{name: ns for name, ns in one.ns.items() if name != "kernel"}) for one in ROWS]
    assert len(engines.figures(without)) == 3
    assert "| match | 10.0 | 10.0 (1.00) | - | 100.0 (10.00) | what it does |" in engines.matrix(without)


def test_a_missed_figure_says_no() -> None:
    missed = Figure(name="f", value=2, unit="x", limit=1)
    assert "| f | 2 x | <= 1 x | NO |" in table("t", [missed])
    assert not missed.holds
    assert Figure(name="f", value=1, unit="x", limit=1).holds
    assert Figure(name="f", value=1, unit="x").holds


def timer(*timings: Timing) -> engines.Timer:
    """One timing after the other, the last one for ever."""
    rest: Iterator[Timing] = chain(timings, repeat(timings[-1]))
    return lambda _repeat: next(rest)


def test_the_fastest_round_counts() -> None:
    times = [Timing(ns=ns, code=2, packet="00") for ns in (9, 5, 3, 4, 6, 7)]
    assert engines.best_times({"JIT": timer(*times)}) == {"JIT": 3}


@pytest.mark.parametrize("other", [Timing(ns=1, code=1, packet="00"), Timing(ns=1, code=2, packet="01")])
def test_engines_that_end_differently_have_no_times(other: Timing) -> None:
    good = Timing(ns=1, code=2, packet="00")
    with pytest.raises(DisagreementError, match="engines do not agree"):
        engines.best_times({"JIT": timer(good), "native": timer(other)})
