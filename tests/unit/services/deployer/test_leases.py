"""services.deployer.leases: what two hosts may do to each other."""

from services.deployer.leases import Lease, claims, holder

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
