"""unibpf.client.waiting: how a push ends, from what is heard."""

from typing import Any

import msgspec
import pytest

from unibpf import subjects
from unibpf.bus import Received
from unibpf.client.waiting import Outcome, Waiting
from unibpf.messages.elements import ElementEvent
from unibpf.messages.programs import Signed

PLACE = ("fw1", "fw")
OURS, NEWER = "a" * 64, "b" * 64


def signed(push: str = "U:1", *, envelope: str = OURS, sequence: int = 7) -> Signed:
    fields = {"program": "fw", "audience": "edge", "kind": "filter", "element": "*", "policy": "p", "identity": "ci"}
    return Signed(push_id=push, sequence=sequence, envelope=envelope, bundle=envelope, **fields)


def answer(state: str, *, envelope: str = OURS, sequence: int = 7, **more: Any) -> ElementEvent:
    known: dict[str, Any] = {"push_id": "U:1" if envelope == OURS else "U:2", **more}
    return ElementEvent(
        guest="fw1", element="fw", state=state, program="fw", sequence=sequence, envelope=envelope, **known
    )


def event(message: Signed | ElementEvent) -> Received:
    if isinstance(message, Signed):
        subject = subjects.signed("fw")
    else:
        subject = subjects.element(message.state, message.guest, message.element)
    return Received(subject=subject, data=msgspec.json.encode(message), headers={})


def waiting(*, settle: bool = False) -> Waiting:
    found = Waiting(outcome=Outcome(program="fw", push_id="U:1", stage="published"), started=0.0, settle=settle)
    found.hear(event(signed()), 1.0)
    found.aim({PLACE})
    return found


def hear(found: Waiting, *messages: Signed | ElementEvent) -> Waiting:
    for message in messages:
        found.hear(event(message), 2.0)
    return found


def test_it_ends_when_every_element_has_answered() -> None:
    found = waiting()
    assert not found.finished() and found.outcome.waits_for == ["fw1/fw"] and found.outcome.stage == "signed"
    hear(found, answer("staged"), answer("active"))
    assert found.finished() and found.outcome.states() == {"active"} and found.outcome.stage == "active"
    assert found.outcome.waits_for == []


def test_a_release_for_nobody_ends_at_once() -> None:
    found = Waiting(outcome=Outcome(program="fw", push_id="U:1"), started=0.0)
    found.hear(event(signed()), 1.0)
    assert not found.finished()
    found.aim(set())
    assert found.finished()


def test_to_settle_is_to_wait_for_the_end_of_probation() -> None:
    found = hear(waiting(settle=True), answer("active"))
    assert not found.finished() and found.outcome.stage == "active"
    hear(found, answer("settled"))
    assert found.finished() and found.outcome.stage == "settled"


@pytest.mark.parametrize("late", ["active", "settled"])
def test_what_was_rolled_back_stays_so(late: str) -> None:
    """`rolled_back` names the release that runs now; it is the push that says whose it is."""
    back = answer("rolled_back", envelope=NEWER, sequence=6, push_id="U:1", rule="probation", reason="left")
    found = hear(waiting(settle=True), answer("active"), back, answer(late))
    assert found.finished() and found.outcome.states() == {"rolled_back"} and found.outcome.stage == "rolled_back"


def test_a_newer_release_that_runs_there_supersedes_ours() -> None:
    found = hear(waiting(), answer("active", envelope=NEWER, sequence=8))
    assert found.finished() and found.outcome.states() == {"superseded"}
    assert found.outcome.elements[0].envelope == OURS


def test_an_older_one_says_nothing() -> None:
    assert not hear(waiting(), answer("active", envelope=NEWER, sequence=6)).finished()


def test_a_refusal_by_sequence_after_a_newer_release_is_no_failure() -> None:
    late = answer("failed", rule="sequence", reason="8 was seen")
    assert hear(waiting(), late).outcome.states() == {"failed"}
    newer = signed("U:2", envelope=NEWER, sequence=8)
    assert hear(waiting(), newer, late).outcome.states() == {"superseded"}


def test_events_of_other_pushes_are_passed_over() -> None:
    found = Waiting(outcome=Outcome(program="fw", push_id="U:1"), started=0.0)
    found.hear(event(signed("U:9")), 1.0)
    assert found.outcome.signed is None
