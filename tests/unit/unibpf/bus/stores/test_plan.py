"""unibpf.bus.stores.plan: what a plan does with what stands, over every stream, bucket and consumer of the table."""

import pytest

from unibpf.bus import topology
from unibpf.bus.stores.plan import Standing, steps

STREAMS = [config.as_dict() for config in topology.stream_configs(1)]
NAMES = [config["name"] for config in STREAMS]


def consumers(*hosts):
    return [(row.stream, topology.consumer_config(row).as_dict()) for row in topology.consumers(hosts)]


def standing(*, replicas=1, hosts=("a",), **changes):
    """What a server has that was set up for `hosts`; `changes` are of every stream."""
    return Standing(
        streams={one["name"]: {**one, "num_replicas": replicas, **changes} for one in STREAMS},
        consumers={(stream, one["durable_name"]): dict(one) for stream, one in consumers(*hosts)},
    )


def plan(stands, *, hosts=("a",), replicas=None):
    return steps(stands, STREAMS, consumers(*hosts), replicas=replicas)


def by_do(found, do):
    return [step for step in found if step.do == do]


def test_on_an_empty_server_everything_is_created_with_the_replicas_asked_for():
    found = plan(Standing(), replicas=3)
    assert {step.do for step in found} == {"create"}
    assert {step.config["num_replicas"] for step in found if step.kind == "stream"} == {3}
    assert not any(step.config.get("persist_mode") for step in found), "which replicated streams do not have"


@pytest.mark.parametrize("replicas", [1, 3, 5])
@pytest.mark.parametrize("asked", [None, 1])
def test_a_new_host_touches_nothing_but_its_own_consumers(replicas, asked):
    found = plan(standing(replicas=replicas), hosts=("b",), replicas=asked)
    assert [step.name for step in by_do(found, "create")] == ["reconfigurer-b"]
    assert not by_do(found, "change")
    assert bool(by_do(found, "differs")) == (asked is not None and replicas > asked), "said, not done"


def test_a_stream_that_is_missing_gets_as_many_replicas_as_the_others_have():
    stands = standing(replicas=3)
    del stands.streams["KV_unibpf-leases"]
    (step,) = by_do(plan(stands), "create")
    assert (step.name, step.config["num_replicas"]) == ("KV_unibpf-leases", 3)


def test_streams_that_a_former_init_lowered_are_raised_again():
    stands = standing(replicas=3)
    stands.streams["UNIBPF_EVENTS"]["num_replicas"] = 1
    (step,) = by_do(plan(stands), "change")
    assert (step.name, step.config["num_replicas"]) == ("UNIBPF_EVENTS", 3)


@pytest.mark.parametrize("field", ["max_bytes", "max_age", "max_msgs", "max_msgs_per_subject", "max_msg_size"])
@pytest.mark.parametrize("stood", [0, -1, 1 << 60])
def test_a_limit_that_an_operator_raised_or_took_away_stays(field, stood):
    for step in by_do(plan(standing(**{field: stood})), "change"):
        assert stood > 0 and step.config[field] in {None, 0, -1}, "but where the table has no limit"


@pytest.mark.parametrize("field", ["max_bytes", "max_age", "max_msgs"])
def test_a_limit_below_the_tables_is_raised_to_it_or_to_none(field):
    for step in by_do(plan(standing(**{field: 1})), "change"):
        wanted = next(one for one in STREAMS if one["name"] == step.name)
        assert step.config[field] == wanted.get(field)


@pytest.mark.parametrize(("field", "value"), [("retention", "interest"), ("storage", "memory")])
def test_what_cannot_be_changed_is_said_and_left(field, value):
    found = by_do(plan(standing(**{field: value})), "differs")
    assert [step.name for step in found] == NAMES
    assert all(field in step.why[0] for step in found)


def test_subjects_are_added_and_a_newer_versions_stay():
    stands = standing()
    stands.streams["UNIBPF_EVENTS"]["subjects"] = ["unibpf.v9.>"]
    (step,) = by_do(plan(stands), "change")
    wanted = next(one for one in STREAMS if one["name"] == "UNIBPF_EVENTS")
    assert step.config["subjects"] == ["unibpf.v9.>", *wanted["subjects"]]


def test_fields_that_this_version_does_not_know_stay_in_a_change():
    (step, *_) = by_do(plan(standing(max_bytes=1, allow_msg_ttl=True, placement={"tags": ["ssd"]})), "change")
    assert step.config["allow_msg_ttl"] is True and step.config["placement"] == {"tags": ["ssd"]}


def test_a_consumer_is_left_alone_however_the_server_writes_its_one_subject():
    stands = standing()
    for config in stands.consumers.values():
        if len(config["filter_subjects"]) == 1:
            (config["filter_subject"],) = config.pop("filter_subjects")
    assert {step.do for step in plan(stands)} == {"keep"}


def test_a_consumer_gets_the_subjects_that_it_lacks_and_keeps_a_longer_patience():
    stands = standing()
    stands.consumers["UNIBPF_COMMANDS", "deployer"] |= {
        "filter_subjects": ["unibpf.v1.guest.apply.*"],
        "ack_wait": 1 << 60,
    }
    (step,) = by_do(plan(stands), "change")
    assert "unibpf.v1.guest.delete.*" in step.config["filter_subjects"] and step.config["ack_wait"] == 1 << 60
