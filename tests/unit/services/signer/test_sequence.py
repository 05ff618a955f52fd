"""services.signer.sequence: the rule of the numbers."""

import pytest

from services.signer.errors import PolicyRefusal
from services.signer.sequence import MAX_AHEAD, next_sequence, push_key


@pytest.mark.parametrize(
    ("stored", "audited", "now", "expected"),
    [
        (0, 0, 1_700_000_000, 1_700_000_000),
        (1_700_000_000, 0, 1_700_000_000, 1_700_000_001),
        (1_700_000_005, 1_700_000_005, 1_700_000_000, 1_700_000_006),
        (0, 1_700_000_009, 1_700_000_000, 1_700_000_010),
        (5, 9, 0, 10),
    ],
    ids=["first", "same second", "burst", "lost KV", "clock at zero"],
)
def test_the_next_number_is_above_kv_audit_and_clock(stored: int, audited: int, now: int, expected: int) -> None:
    assert next_sequence(stored=stored, audited=audited, now=now) == expected


def test_a_push_id_becomes_a_key_that_buckets_allow() -> None:
    assert push_key("UNIBPF_UPLOADS:17") == "push.UNIBPF_UPLOADS.17"


@pytest.mark.parametrize("stored", [2**63 - 1, 2**64 - 1, 1_700_000_000 + MAX_AHEAD + 1])
def test_a_spoilt_counter_is_not_believed(stored: int) -> None:
    assert next_sequence(stored=stored, audited=1_700_000_009, now=1_700_000_000) == 1_700_000_010


def test_a_counter_that_bursts_brought_ahead_is_believed() -> None:
    ahead = 1_700_000_000 + MAX_AHEAD
    assert next_sequence(stored=ahead, audited=0, now=1_700_000_000) == ahead + 1


@pytest.mark.parametrize("audited", [2**63 - 1, 1_700_000_000 + MAX_AHEAD + 1])
def test_a_spoilt_audit_log_is_refused_not_signed(audited: int) -> None:
    with pytest.raises(PolicyRefusal, match="ahead of the clock"):
        next_sequence(stored=0, audited=audited, now=1_700_000_000)
