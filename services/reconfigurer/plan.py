"""Which guests and elements a release goes to. Pure: releases and observed guests in, targets out."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from unibpf.messages import GuestObserved, Signed

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


def behind(releases: dict[str, Signed], booted: dict[str, str], guest: GuestObserved) -> list[tuple[Target, Signed]]:
    """What a guest that just came up missed: by element, the newest release of its program where it booted with another.

    `releases` maps programs to their newest release, `booted` maps elements to the envelopes they started with.
    """
    return [
        (Target(guest=guest.guest, element=element), releases[program])
        for element, program in sorted(guest.programs.items())
        if program in releases
        and releases[program].element in {ANY_ELEMENT, element}
        and booted.get(element) != releases[program].envelope
    ]
