"""unibpf.client.guest_check: a guest is held against what the hosts that may run it have."""

import pytest

from tests.support.guests.guests import spec
from unibpf.client.guest_check import host_faults
from unibpf.messages.guests import HostStatus


def host(name="a", networks=("left", "right"), memory=64) -> HostStatus:
    return HostStatus(
        host=name,
        accel="tcg",
        accel_reason="",
        networks=None if networks is None else list(networks),
        most_memory_mib=memory,
    )


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        ([], []),
        ([host()], []),
        ([host(networks=None, memory=None)], []),
        ([host(networks=["left"])], ["`out0`: host `a` has no network `right`, expected one of left"]),
        ([host(memory=4)], ["got 8, host `a` gives 4 at most"]),
        ([host(networks=[], memory=4)], ["`in0`", "`out0`", "got 8"]),
        ([host(networks=["left"]), host("b")], []),
        ([host(networks=["left"]), host("b", memory=4)], ["`out0`: host `a`", "host `b` gives 4"]),
    ],
)
def test_a_guest_is_faulty_only_where_no_host_that_answers_can_run_it(hosts, words) -> None:
    faults = host_faults(spec(), hosts)
    assert len(faults) == len(words) and all(word in fault for word, fault in zip(words, faults, strict=True))
