"""Which guests and elements a release goes to. Pure: releases and observed guests in, targets out."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Signed
from unibpf.messages.status import ElementStatus

ANY_ELEMENT: Final = "*"


class Target(Struct, frozen=True, kw_only=True):
    """One element of one running guest of this host."""

    guest: str
    element: str


def targets(release: Signed, guests: Iterable[GuestObserved], *, host: str) -> list[Target]:
    """Every element that runs the program, of every running guest of the release's audience on this host."""
    return [
        Target(guest=guest.guest, element=element)
        for guest in sorted(guests, key=lambda guest: guest.guest)
        if guest.state == "running" and guest.host == host and guest.audience == release.audience
        for element, program in sorted(guest.programs.items())
        if program == release.program and release.element in {ANY_ELEMENT, element}
    ]


def behind(
    releases: Mapping[str, Signed], elements: Iterable[ElementStatus], guest: GuestObserved
) -> list[tuple[Target, Signed]]:
    """What a guest that just came up missed: by element, the newest release of its program (`releases`, by program).

    An element whose floor has reached that release had it already. It may have gone back since, and not by accident.
    """
    floors = {element.name: element.floor or 0 for element in elements}
    return [
        (Target(guest=guest.guest, element=element), releases[program])
        for element, program in sorted(guest.programs.items())
        if program in releases
        and releases[program].element in {ANY_ELEMENT, element}
        and floors.get(element, 0) < releases[program].sequence
    ]
