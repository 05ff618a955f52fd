"""Which guests and elements a release goes to, and what a guest lacks or left by itself. Pure."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from unibpf.host.outcomes import ANY_ELEMENT, Outcomes, choose
from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Signed
from unibpf.messages.status import ElementStatus


class Target(Struct, frozen=True, kw_only=True):
    """One element of one running guest of this host."""

    guest: str
    element: str


def targets(release: Signed, guests: Iterable[GuestObserved], *, host: str) -> list[Target]:
    """Every element that runs the program, of every running guest of the release's audience on this host."""
    return [
        Target(guest=guest.guest, element=element)
        for guest in sorted(guests, key=lambda guest: guest.guest)
        if guest.is_live and guest.host == host and guest.audience == release.audience
        for element, program in sorted(guest.programs.items())
        if program == release.program and release.element in {ANY_ELEMENT, element}
    ]


def behind(
    releases: Mapping[str, Signed], elements: Iterable[ElementStatus], guest: GuestObserved, outcomes: Outcomes
) -> dict[Target, Signed]:
    """What a guest is to run and does not: by element the release to install (`releases`: the newest that applies to it).

    What failed here is not offered again (unibpf/host/outcomes.py). An element whose floor has reached a release had it.
    """
    floors = {element.name: element.floor or 0 for element in elements}
    chosen = {
        element: choose(outcomes, element, program, releases.get(element)).release
        for element, program in sorted(guest.programs.items())
    }
    return {
        Target(guest=guest.guest, element=element): release
        for element, release in chosen.items()
        if release is not None and floors.get(element, 0) < release.sequence
    }


def left_behind(elements: Iterable[ElementStatus], outcomes: Outcomes) -> dict[str, Signed]:
    """The releases that were active and are not any more, although nothing newer came: the guest went back by itself."""
    found = {}
    for element in elements:
        rows = outcomes.get(element.name, ())
        newest = max((one.release for one in rows if one.state == "active"), key=lambda one: one.sequence, default=None)
        if newest is None or element.sequence is None or element.envelope == newest.envelope:
            continue
        if element.sequence < newest.sequence <= (element.floor or 0):
            found[element.name] = newest
    return found


def unrecorded(
    elements: Iterable[ElementStatus], releases: Iterable[Mapping[str, Signed]], outcomes: Outcomes
) -> dict[str, Signed]:
    """What runs well on an element and has no outcome yet: a guest booted with it. It is good there, as what came later is.

    `releases` are those that an element may run, by element: what it booted with, what is the newest.
    """
    found = {}
    for element in elements:
        known = {one.release.envelope for one in outcomes.get(element.name, ())}
        for release in (by_element.get(element.name) for by_element in releases):
            if release is not None and release.envelope == element.envelope and release.envelope not in known:
                found[element.name] = release
    return found
