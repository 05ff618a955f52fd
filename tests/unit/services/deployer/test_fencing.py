"""services.deployer.fencing: a host ends what another may run by now, and nothing else."""

import pytest

from services.deployer.fencing import Fence
from services.deployer.leases import Lease, claims


def fence(*, others: bool = True) -> Fence:
    made = Fence()
    made.others_seen = others
    made.confirmed("g", asked=100.0, remaining=30.0)
    return made


@pytest.mark.parametrize(("now", "due"), [(100.0, set()), (126.9, set()), (127.0, {"g"}), (9000.0, {"g"})])
def test_a_guest_is_ended_when_its_lease_was_not_renewed(now, due) -> None:
    assert fence().due(now, pinned=set()) == due


def test_a_renewed_lease_counts_from_when_it_was_asked_for() -> None:
    renewed = fence()
    renewed.confirmed("g", asked=120.0, remaining=30.0)
    assert renewed.due(146.9, pinned=set()) == set()
    assert renewed.due(147.0, pinned=set()) == {"g"}


def test_nothing_is_ended_that_no_other_host_can_run() -> None:
    assert fence(others=False).due(9000.0, pinned=set()) == set()
    assert fence().due(9000.0, pinned={"g"}) == set()


def test_what_cannot_be_known_ends_nothing() -> None:
    unknown = fence()
    unknown.forget("g")
    assert unknown.due(9000.0, pinned=set()) == set()


@pytest.mark.parametrize("skew", [-9.9, -5.0, 0.0, 5.0, 9.9])
def test_the_old_host_has_ended_it_before_another_takes_it(skew) -> None:
    """`skew`: how far the other host's clock is ahead of ours."""
    lease = Lease(host="a", until=130.0)
    taken = next(t for t in range(1000, 2000) if claims(lease, host="b", now=t / 10 + skew, seconds=30.0)) / 10
    assert fence().due(taken, pinned=set()) == {"g"}
