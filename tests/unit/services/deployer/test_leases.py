"""services.deployer.leases: what two hosts may do to each other."""

import pytest

from services.deployer.leases import Lease, claims, has_no_business, holder
from unibpf.authority.judge import WINDOW_US, Said
from unibpf.bus import Entry

OURS, THEIRS = Lease(host="a", until=100.0), Lease(host="b", until=100.0)


def claim(held, now):
    return claims(held, host="a", now=now, seconds=30.0)


def test_a_free_guest_is_claimed():
    assert claim(None, 0.0) == Lease(host="a", until=30.0)


def test_a_guest_of_another_host_is_left_alone_until_its_lease_is_over():
    assert claim(THEIRS, 109.9) is None, "the clocks of two hosts differ"
    assert claim(THEIRS, 110.0) == Lease(host="a", until=140.0)


def test_our_own_lease_is_renewed_at_half_of_its_time():
    assert claim(OURS, 84.0) is None
    assert claim(OURS, 85.0) == Lease(host="a", until=115.0)


def test_only_a_lease_that_lasts_lets_a_host_act():
    assert holder(OURS, now=99.0) == "a"
    assert holder(OURS, now=100.0) is None
    assert holder(THEIRS, now=0.0) == THEIRS.host
    assert holder(None, now=0.0) is None


@pytest.mark.parametrize(
    ("after_us", "held", "pinned_us", "void"),
    [
        (2 * WINDOW_US + 1, THEIRS, 0, True),
        (2 * WINDOW_US, THEIRS, 0, False),
        (2 * WINDOW_US + 1, OURS, 0, False),
        (2 * WINDOW_US + 1, THEIRS, None, False),
        (2 * WINDOW_US + 1, None, 0, False),
    ],
    ids=["long after", "while it may run there still", "our own", "pinned to no host", "free"],
)
def test_a_host_that_takes_a_guest_long_after_it_was_pinned_to_another_has_no_business_with_it(
    after_us, held, pinned_us, void
):
    said = Said(identity="deployer-b", role="deployer", host="b", at_us=after_us, nonce="0" * 32)
    entry = Entry(key="fw1", value=b"", revision=1, said=said)
    assert has_no_business(entry, held, host="a", pinned_us=pinned_us) is void
