"""unibpf.bus.consumer: what an exception does to its message."""

import pytest

from unibpf.bus import Reject, Retry
from unibpf.bus.consumer import BACKOFF_SECONDS, Outcome, backoff, outcome_of


@pytest.mark.parametrize(
    ("error", "deliveries", "outcome"),
    [
        (None, 1, Outcome(verdict="done")),
        (Reject("payload", "not a Verdict"), 1, Outcome(verdict="dead", reason="payload: not a Verdict")),
        (Retry("the token is busy"), 1, Outcome(verdict="again", reason="the token is busy")),
        (Retry("the token is busy"), 6, Outcome(verdict="dead", reason="the token is busy")),
        (ValueError("a bug"), 5, Outcome(verdict="again", reason="ValueError: a bug")),
        (ValueError("a bug"), 6, Outcome(verdict="dead", reason="ValueError: a bug")),
    ],
)
def test_the_outcome_follows_from_error_and_deliveries(error: Exception, deliveries: int, outcome: Outcome) -> None:
    assert outcome_of(error, deliveries=deliveries, max_deliveries=6) == outcome


def test_the_backoff_rises_and_stays_at_its_last_step() -> None:
    for deliveries, base in enumerate((*BACKOFF_SECONDS, BACKOFF_SECONDS[-1]), start=1):
        assert base <= backoff(deliveries) <= base * 1.25
