"""services.signer.sequence: the rule of the numbers."""

import pytest

from services.signer.errors import PolicyRefusal
from services.signer.sequence import MAX_AHEAD, TICKS, check, next_sequence, push_key

NOW = 1_700_000_000
CLOCK = NOW * TICKS


@pytest.mark.parametrize(
    ("stored", "audited", "now", "expected"),
    [
        (0, 0, NOW, CLOCK),
        (CLOCK, 0, NOW, CLOCK + 1),
        (CLOCK + 5, CLOCK + 5, NOW, CLOCK + 6),
        (0, CLOCK + 9, NOW, CLOCK + 10),
        (NOW + 5, NOW + 5, NOW, CLOCK),
        (5, 9, 0, 10),
    ],
    ids=["first", "same second", "burst", "lost KV", "numbers of version before, in seconds", "clock at zero"],
)
def test_the_next_number_is_above_kv_audit_and_clock(stored: int, audited: int, now: int, expected: int) -> None:
    assert next_sequence(stored=stored, audited=audited, now=now) == expected


@pytest.mark.parametrize("rate", [1, 20, 500])
def test_numbers_do_not_run_ahead_of_the_clock_under_load(rate: int) -> None:
    """So a year of it is no nearer to MAX_AHEAD than its first second."""
    stored = 0
    for now in range(NOW, NOW + 200):
        for _ in range(rate):
            stored = next_sequence(stored=stored, audited=stored, now=now)
        assert stored < (now + 1) * TICKS


def test_a_push_id_becomes_a_key_that_buckets_allow() -> None:
    assert push_key("UNIBPF_UPLOADS:17") == "push.UNIBPF_UPLOADS.17"


@pytest.mark.parametrize("stored", [2**63 - 1, 2**64 - 1, CLOCK + MAX_AHEAD + 1])
def test_a_spoilt_counter_is_not_believed(stored: int) -> None:
    assert next_sequence(stored=stored, audited=CLOCK + 9, now=NOW) == CLOCK + 10


def test_a_counter_that_a_clock_set_right_left_ahead_is_believed() -> None:
    ahead = CLOCK + MAX_AHEAD
    assert next_sequence(stored=ahead, audited=0, now=NOW) == ahead + 1


@pytest.mark.parametrize("audited", [2**63 - 1, CLOCK + MAX_AHEAD + 1])
def test_a_spoilt_audit_log_is_not_believed(audited: int) -> None:
    assert next_sequence(stored=CLOCK + 9, audited=audited, now=NOW) == CLOCK + 10


@pytest.mark.parametrize("ahead", [0, 1, MAX_AHEAD])
def test_what_this_host_has_signed_is_always_below_the_next_number(ahead: int) -> None:
    assert next_sequence(stored=0, audited=0, signed=CLOCK + ahead, now=NOW) == CLOCK + ahead + 1


@pytest.mark.parametrize("signed", [2**60, CLOCK + MAX_AHEAD + 1])
def test_what_it_has_signed_too_far_ahead_is_refused_until_an_operator_says_so(signed: int) -> None:
    with pytest.raises(PolicyRefusal, match="ahead of the clock") as refused:
        next_sequence(stored=0, audited=0, signed=signed, now=NOW)
    assert "unibpf recover sequence" in (refused.value.hint or "")
    assert next_sequence(stored=0, audited=0, signed=signed, recovered=signed, now=NOW) == signed + 1


@pytest.mark.parametrize("sequence", [0, -1, CLOCK + MAX_AHEAD + 2, 2**63 - 1, 2**64])
def test_no_number_outside_its_bounds_is_signed_wherever_it_comes_from(sequence: int) -> None:
    with pytest.raises(PolicyRefusal):
        check(sequence, now=NOW)
    check(CLOCK + MAX_AHEAD + 1, now=NOW)
