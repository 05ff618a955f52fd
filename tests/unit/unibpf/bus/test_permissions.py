"""unibpf.bus.permissions: who may publish what, by NATS's own matching rule."""

import pytest

from unibpf import subjects
from unibpf.bus.permissions import OPERATOR, permissions
from unibpf.subjects import CLI, SERVICES

EVERYBODY = (*SERVICES, CLI, "ci")


def matches(pattern: str, subject: str) -> bool:
    """NATS: `*` is one token, `>` the rest."""
    wanted, got = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(got) > index
        if index >= len(got) or token not in {"*", got[index]}:
            return False
    return len(wanted) == len(got)


def may_publish(identity: str, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in permissions(identity)["publish"]["allow"])


def may_hear(identity: str, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in permissions(identity)["subscribe"]["allow"])


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [
        (subjects.upload("ci", "fw"), {"ci"}),
        (subjects.upload("cli", "fw"), {CLI}),
        (subjects.verified("fw"), {"verifier"}),
        (subjects.rejected("fw"), {"verifier"}),
        (subjects.signed("fw"), {"signer"}),
        (subjects.refused("fw"), {"signer"}),
        (subjects.audit("fw"), {"signer"}),
        (subjects.guest_apply("fw1"), {CLI}),
        (subjects.guest_state("running", "fw1"), {"deployer"}),
        (subjects.element("active", "fw1", "fw"), {"reconfigurer"}),
        (subjects.sign_graph(), {"deployer"}),
        (subjects.map_change("h1"), {CLI}),
        (subjects.map_dump("h1"), {CLI}),
        (subjects.handler_call("h1"), {CLI}),
        (subjects.rollback("h1"), {CLI}),
        ("$KV.unibpf-releases.edge.fw", {"signer"}),
        ("$KV.unibpf-sequences.program.edge.fw", {"signer"}),
        ("$KV.unibpf-verdicts.a.b", set()),
        ("$JS.API.STREAM.CREATE.X", set()),
        ("$JS.API.STREAM.DELETE.UNIBPF_AUDIT", set()),
        ("$JS.API.STREAM.PURGE.UNIBPF_EVENTS", set()),
        ("$JS.API.STREAM.MSG.DELETE.UNIBPF_AUDIT", set()),
        ("$JS.API.CONSUMER.DELETE.UNIBPF_UPLOADS.verifier", set()),
        ("$JS.API.CONSUMER.CREATE.OBJ_unibpf-objects", set()),
        ("$JS.API.CONSUMER.CREATE.UNIBPF_EVENTS.x.y", set()),
        ("$JS.API.CONSUMER.DURABLE.CREATE.UNIBPF_EVENTS.x", set()),
        ("$JS.API.CONSUMER.CREATE.KV_unibpf-guests.x.y", set()),
        ("$JS.API.CONSUMER.MSG.NEXT.UNIBPF_UPLOADS.verifier", {"verifier"}),
        ("$JS.ACK.UNIBPF_UPLOADS.verifier.1.2.3.4.5", {"verifier"}),
    ],
)
def test_only_these_identities_may_publish(subject: str, allowed: set[str]) -> None:
    assert {identity for identity in EVERYBODY if may_publish(identity, subject)} == allowed
    assert may_publish(OPERATOR, subject)


@pytest.mark.parametrize("identity", EVERYBODY)
def test_everybody_reads_only_his_own_inbox(identity: str) -> None:
    assert may_hear(identity, f"_INBOX_{identity}.x.y")
    assert not any(may_hear(identity, f"_INBOX_{other}.x") for other in EVERYBODY if other != identity)
    assert not may_hear(identity, "_INBOX.x")


def test_no_service_hears_the_uploads_of_others_on_the_wire() -> None:
    assert {identity for identity in EVERYBODY if may_hear(identity, subjects.upload("ci", "fw"))} == {CLI}


def test_a_host_works_on_its_own_queue_and_answers_at_its_own_subjects() -> None:
    assert may_publish("reconfigurer-a", "$JS.API.CONSUMER.MSG.NEXT.UNIBPF_EVENTS.reconfigurer-a")
    assert not may_publish("reconfigurer-a", "$JS.API.CONSUMER.MSG.NEXT.UNIBPF_EVENTS.reconfigurer-b")
    assert may_hear("deployer-a", subjects.deployer_status("a"))
    assert not may_hear("deployer-a", subjects.deployer_status("b"))
    assert may_hear("reconfigurer-a", subjects.map_change("a"))
    assert not may_hear("reconfigurer-a", subjects.map_change("b"))
