"""services.signer.sequence: the rule of the numbers."""

import pytest

from services.signer.sequence import next_sequence, push_key


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
