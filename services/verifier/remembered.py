"""What this process verified a moment ago, so that the same object again costs no second analysis.

In the process and nowhere else: whoever can write to the bus must not write what the verifier signs (docs/threat-model.md).
Whole outcomes are kept, not reports alone, so that what a verdict names can be stored again where the store has lost it.
"""

from collections import OrderedDict
from typing import Final

from services.verifier import report
from services.verifier.report import Outcome

MAX_BYTES: Final = 64 << 20


class Remembered:
    """Outcomes by object, options and analyser, at most `max_bytes` of them: what was not asked for longest goes first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._outcomes: OrderedDict[str, tuple[Outcome, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._outcomes)

    def find(self, key: str) -> Outcome | None:
        """The outcome under `key`, if it is still known."""
        found = self._outcomes.get(key)
        if found is None:
            return None
        self._outcomes.move_to_end(key)
        return found[0]

    def keep(self, key: str, outcome: Outcome) -> None:
        """Remember; a limit of this run (`gave_up`) says nothing about the next one and is not kept."""
        outcome, size = _what_counts(outcome), _size(outcome)
        if outcome.report.verdict == "gave_up" or size > self._max_bytes or key in self._outcomes:
            return
        self._outcomes[key] = (outcome, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, forgotten) = self._outcomes.popitem(last=False)
            self._bytes -= forgotten


def _what_counts(outcome: Outcome) -> Outcome:
    """Without what only people ask for, which may be long."""
    return Outcome(report=outcome.report, bundle=outcome.bundle, certificate=outcome.certificate)


def _size(outcome: Outcome) -> int:
    """About what it holds in memory; decoded reports take several times their JSON."""
    return 4 * len(report.encode(outcome.report)) + len(outcome.bundle or b"") + len(outcome.certificate or b"")
