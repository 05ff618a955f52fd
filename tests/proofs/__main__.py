"""`python -m tests.proofs [--only TEXT] [--seconds N] [--json]`: prove the scalar domain sound, operation by operation.

Each is tried at full width; what the solvers cannot end there in time is tried on words of 16 and of 8 bits. A line each: the
width that was proved, or that nothing was, or an assignment against it: of the code, or of what the proof knows of the
functions that it calls, so it has to be looked at. Exit 1 for such ones.
"""

import argparse
import sys
from dataclasses import asdict

import msgspec

from tests.proofs.obligations import Obligation, obligations
from tests.proofs.prover import FULL_WIDTH, Outcome, prove


def main(arguments: list[str] | None = None) -> int:
    """Prove, print, and say whether something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument("--only", default="", help="obligations whose name holds this text")
    parser.add_argument("--seconds", type=float, default=60.0, help="for one question")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    outcomes = []
    for one in obligations():
        if given.only in one.name:
            outcome = _widest(one, given.seconds)
            print(_line(outcome), file=sys.stderr if given.json else sys.stdout, flush=True)
            outcomes.append(outcome)
    if given.json:
        print(msgspec.json.encode([asdict(outcome) for outcome in outcomes]).decode())
    else:
        print(_summary(outcomes))
    return int(any(outcome.proved is False for outcome in outcomes))


def _widest(one: Obligation, seconds: float) -> Outcome:
    for width in (FULL_WIDTH, 16, 8):
        outcome = prove(one, seconds=seconds, width=width)
        if outcome.proved is not None:
            break
    return outcome


def _line(outcome: Outcome) -> str:
    said = {True: f"proved at {outcome.width} bits", False: "REFUTED, look at it", None: "not proved"}[outcome.proved]
    return f"{outcome.name:24} {said:20} {outcome.seconds:8.1f} s  {outcome.counterexample}".rstrip()


def _summary(outcomes: list[Outcome]) -> str:
    full = sum(outcome.proved is True and outcome.width == FULL_WIDTH for outcome in outcomes)
    narrow = sum(outcome.proved is True for outcome in outcomes) - full
    return f"{len(outcomes)} obligations: {full} proved for all words, {narrow} for words of fewer bits"


if __name__ == "__main__":
    sys.exit(main())
