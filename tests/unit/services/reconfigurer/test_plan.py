"""services.reconfigurer.plan: which elements a release goes to."""

import pytest
from msgspec.structs import replace

from services.reconfigurer.plan import Target, behind, targets
from tests.support.signing.signing import SIGNED
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


def element(name, floor):
    return ElementStatus(name=name, class_name="BPFFilter", floor=floor)


def test_what_a_guest_rolled_back_is_not_brought_back():
    rolled_back = replace(element("fw", SIGNED.sequence), envelope="0" * 64, sequence=1)
    assert behind({"firewall": SIGNED}, [rolled_back], replace(GUEST, programs={"fw": "firewall"})) == []


def test_a_guest_that_came_up_gets_what_it_does_not_run_yet():
    newer = {"firewall": SIGNED}
    missed = behind(newer, [element("fw", 9), element("fw2", 8), element("nat", None)], GUEST)
    assert missed == [(Target(guest="g1", element="fw2"), SIGNED)]


def test_a_guest_that_came_up_without_any_program_gets_all_of_them():
    missed = behind({"firewall": SIGNED, "nat": replace(SIGNED, program="nat", element="other")}, [], GUEST)
    assert [target.element for target, _ in missed] == ["fw", "fw2"]
