"""services.reconfigurer.plan: which elements a release goes to."""

import pytest
from msgspec.structs import replace

from services.reconfigurer.plan import Target, behind, left_behind, targets, unrecorded
from tests.support.signing.signing import SIGNED
from unibpf.host.outcomes import Outcome
from unibpf.messages.guests import GuestObserved
from unibpf.messages.status import ElementStatus

GUEST = GuestObserved(
    guest="g1",
    state="running",
    audience="edge",
    host="here",
    programs={"fw": "firewall", "nat": "nat", "fw2": "firewall"},
)


def elements(release=SIGNED, guest=GUEST):
    return [target.element for target in targets(release, [guest], host="here")]


def test_every_element_that_runs_the_program_is_a_target():
    assert elements() == ["fw", "fw2"]


def test_a_release_for_one_element_goes_to_that_one():
    assert elements(replace(SIGNED, element="fw2")) == ["fw2"]


@pytest.mark.parametrize(
    "changes",
    [{"state": "booting"}, {"state": "failed"}, {"audience": "core"}, {"host": "there"}, {"programs": {}}],
    ids=["booting", "failed", "another_audience", "another_host", "no_program"],
)
def test_other_guests_are_left_alone(changes):
    assert elements(guest=replace(GUEST, **changes)) == []


def test_guests_are_taken_in_the_order_of_their_names():
    guests = [replace(GUEST, guest=name, programs={"fw": "firewall"}) for name in ("b", "a")]
    assert targets(SIGNED, guests, host="here") == [
        Target(guest="a", element="fw"),
        Target(guest="b", element="fw"),
    ]


def element(name, floor, **fields):
    return ElementStatus(name=name, class_name="BPFFilter", floor=floor, **fields)


FW = replace(GUEST, programs={"fw": "firewall"})


def test_what_a_guest_rolled_back_is_not_brought_back():
    rolled_back = element("fw", SIGNED.sequence, envelope="0" * 64, sequence=1)
    assert behind({"fw": SIGNED}, [rolled_back], FW, {}) == {}


def test_a_guest_gets_what_it_does_not_run_yet():
    newest = {"fw": SIGNED, "fw2": SIGNED}
    missed = behind(newest, [element("fw", 9), element("fw2", 8), element("nat", None)], GUEST, {})
    assert missed == {Target(guest="g1", element="fw2"): SIGNED}


def test_a_guest_without_any_program_gets_all_of_them():
    missed = behind({"fw": SIGNED, "fw2": SIGNED}, [], GUEST, {})
    assert [target.element for target in missed] == ["fw", "fw2"]


def test_a_release_that_the_guest_refused_is_not_offered_again_but_a_newer_one_is():
    outcomes = {"fw": [Outcome(release=SIGNED, state="refused", rule="memory")]}
    newer = replace(SIGNED, sequence=SIGNED.sequence + 1, envelope="1" * 64)
    assert behind({"fw": SIGNED}, [element("fw", None)], FW, outcomes) == {}
    assert behind({"fw": newer}, [element("fw", None)], FW, outcomes) == {Target(guest="g1", element="fw"): newer}


def test_a_guest_that_booted_without_the_release_that_was_good_there_gets_it_back():
    bad = replace(SIGNED, sequence=SIGNED.sequence + 1, envelope="1" * 64)
    outcomes = {"fw": [Outcome(release=SIGNED, state="active"), Outcome(release=bad, state="rolled_back")]}
    assert behind({"fw": bad}, [element("fw", None)], FW, outcomes) == {Target(guest="g1", element="fw"): SIGNED}


def test_a_release_that_was_active_and_is_not_any_more_was_left_by_the_guest():
    outcomes = {"fw": [Outcome(release=SIGNED, state="active")]}
    back = element("fw", SIGNED.sequence, sequence=SIGNED.sequence - 1, envelope="0" * 64)
    assert left_behind([back], outcomes) == {"fw": SIGNED}
    same = element("fw", SIGNED.sequence, sequence=SIGNED.sequence, envelope=SIGNED.envelope)
    booted = element("fw", SIGNED.sequence - 1, sequence=SIGNED.sequence - 1, envelope="0" * 64)
    empty = element("fw", SIGNED.sequence)
    assert left_behind([same, booted, empty], outcomes) == {}
    known = {"fw": [Outcome(release=SIGNED, state="rolled_back")]}
    assert left_behind([back], known) == {}


def test_what_a_guest_booted_with_is_recorded_as_good_there():
    runs = element("fw", SIGNED.sequence, envelope=SIGNED.envelope, sequence=SIGNED.sequence)
    newer = replace(SIGNED, envelope="9" * 64, sequence=SIGNED.sequence + 1)
    assert unrecorded([runs], ({"fw": SIGNED}, {"fw": newer}), {}) == {"fw": SIGNED}
    assert unrecorded([runs], ({}, {"fw": newer}), {}) == {}, "what the guest does not run has shown nothing"
    for state in ("active", "rolled_back"):
        assert unrecorded([runs], ({"fw": SIGNED},), {"fw": [Outcome(release=SIGNED, state=state)]}) == {}
