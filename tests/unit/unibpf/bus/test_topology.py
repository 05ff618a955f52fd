"""unibpf.bus.topology: the table against its own rules."""

from itertools import combinations, product

import pytest
from nats.js.api import DiscardPolicy

from unibpf import subjects
from unibpf.bus.topology import RETIRED, STREAMS, consumer, consumers, stream_configs, total_bytes


def overlap(left: str, right: str) -> bool:
    """Whether one subject could match both patterns."""
    a, b = left.split("."), right.split(".")
    for index in range(max(len(a), len(b))):
        if ">" in (a[index : index + 1] or [""])[0] or ">" in (b[index : index + 1] or [""])[0]:
            return True
        if index >= len(a) or index >= len(b):
            return False
        if "*" not in (a[index], b[index]) and a[index] != b[index]:
            return False
    return True


def streams_of(subject: str) -> list[str]:
    return [row.name for row in STREAMS if any(overlap(pattern, subject) for pattern in row.subjects)]


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        (subjects.upload("ci", "fw"), "UNIBPF_UPLOADS"),
        (subjects.guest_apply("fw1"), "UNIBPF_COMMANDS"),
        (subjects.guest_delete("fw1"), "UNIBPF_COMMANDS"),
        (subjects.verified("fw"), "UNIBPF_EVENTS"),
        (subjects.rejected("fw"), "UNIBPF_EVENTS"),
        (subjects.signed("fw"), "UNIBPF_EVENTS"),
        (subjects.refused("fw"), "UNIBPF_EVENTS"),
        (subjects.guest_state("failed", "fw1"), "UNIBPF_EVENTS"),
        (subjects.element("rolled_back", "fw1", "fw"), "UNIBPF_EVENTS"),
        (subjects.trace("0" * 32), "UNIBPF_TRACES"),
        (subjects.audit("fw"), "UNIBPF_AUDIT"),
        (subjects.dead_letter("signer"), "UNIBPF_DEAD"),
    ],
)
def test_every_event_is_stored_in_exactly_one_stream(subject: str, stream: str) -> None:
    assert streams_of(subject) == [stream]


@pytest.mark.parametrize("subject", [subjects.sign_graph(), subjects.deployer_status("local"), subjects.verify()])
def test_requests_are_stored_nowhere(subject: str) -> None:
    assert streams_of(subject) == []


def test_consumers_of_a_work_queue_never_overlap() -> None:
    queues = {row.name for row in STREAMS if row.work_queue}
    rows = [row for row in consumers(("a", "b")) if row.stream in queues]
    for left, right in combinations(rows, 2):
        if left.stream == right.stream:
            assert not any(overlap(x, y) for x, y in product(left.subjects, right.subjects))


def test_every_host_has_a_reconfigurer_of_its_own() -> None:
    assert consumer("reconfigurer-node-7").name == "reconfigurer-node-7"
    names = [row.name for row in consumers(("a", "b"))]
    assert {"reconfigurer-a", "reconfigurer-b"} <= set(names)
    assert len(names) == len(set(names))


def test_everything_has_a_limit_and_the_sum_fits_a_small_disk() -> None:
    assert all(config.max_bytes and config.max_bytes > 0 for config in stream_configs(1))
    named = sum(config.max_bytes or 0 for config in stream_configs(1))
    assert named + sum(RETIRED.values()) == total_bytes() < 6 << 30
    assert not {str(config.name) for config in stream_configs(1)} & RETIRED.keys()


def test_only_what_costs_a_diagnosis_or_a_repeated_push_or_is_kept_by_another_way_is_forgotten() -> None:
    forgetting = {config.name for config in stream_configs(1) if config.discard == DiscardPolicy.OLD}
    assert forgetting == {
        "UNIBPF_EVENTS", "UNIBPF_TRACES", "UNIBPF_DEAD", "OBJ_unibpf-uploads",
        "KV_unibpf-reservations", "KV_unibpf-setbacks", "OBJ_unibpf-objects",
    }  # fmt: skip


def test_a_reservation_outlives_the_event_that_may_ask_for_it_again() -> None:
    ages = {config.name: config.max_age for config in stream_configs(1)}
    assert (ages["KV_unibpf-reservations"] or 0) > (ages["UNIBPF_EVENTS"] or 0)
