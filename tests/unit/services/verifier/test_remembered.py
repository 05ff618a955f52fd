"""What a verifier remembers, and what it forgets."""

import pytest

from services.verifier.remembered import Remembered
from services.verifier.report import Outcome
from unibpf.messages.reports import Report, VerdictKind


def outcome(verdict: VerdictKind = "safe", *, size: int = 0) -> Outcome:
    return Outcome(report=Report(verdict=verdict, program="p", version="", options_digest=""), bundle=bytes(size))


def test_an_outcome_is_found_whole_under_its_own_key_alone() -> None:
    remembered = Remembered()
    remembered.keep("a", outcome(size=10))
    assert remembered.find("a") == outcome(size=10)
    assert remembered.find("b") is None


@pytest.mark.parametrize("verdict", ["safe", "unsafe", "unsupported"])
def test_whatever_is_an_answer_is_remembered(verdict: VerdictKind) -> None:
    remembered = Remembered()
    remembered.keep("a", outcome(verdict))
    assert remembered.find("a") == outcome(verdict)


def test_a_limit_of_one_run_is_no_answer_for_the_next() -> None:
    remembered = Remembered()
    remembered.keep("a", outcome("gave_up"))
    assert remembered.find("a") is None


def test_the_first_outcome_under_a_key_stays() -> None:
    remembered = Remembered()
    remembered.keep("a", outcome("unsafe"))
    remembered.keep("a", outcome("safe"))
    assert remembered.find("a") == outcome("unsafe")


def test_memory_is_bounded_and_what_was_not_asked_for_longest_goes_first() -> None:
    remembered = Remembered(max_bytes=40_000)
    for key in "abc":
        remembered.keep(key, outcome(size=10_000))
    assert remembered.find("a") is not None
    remembered.keep("d", outcome(size=10_000))
    assert [key for key in "abcd" if remembered.find(key)] == ["a", "c", "d"]
    for number in range(100):
        remembered.keep(str(number), outcome(size=10_000))
    assert len(remembered) == 3
    remembered.keep("large", outcome(size=50_000))
    assert remembered.find("large") is None
    assert len(remembered) == 3
