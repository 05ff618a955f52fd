"""What the bus says about the guests of one host: which it should run, which have ended, of which nothing can be read. Pure.

Three answers, never two: `unclear` is neither a wish nor its absence (design 11, "absence is no command"), and becomes an
alarm, not an action.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from unibpf.bus import Entry
from unibpf.host.guest_folder import Boot
from unibpf.host.outcomes import Outcomes
from unibpf.messages.guests import GuestSpec

MISSING: Final = "nothing on the bus says what it should be; it goes on as it last booted"
HINT: Final = "apply its guest file again to say it"


class Wanted(Struct, frozen=True, kw_only=True):
    """A desired guest, and which version of it: the revision of its record, and when it was asked for (Unix microseconds)."""

    spec: GuestSpec
    revision: int
    asked_us: int = 0


class Desires(Struct, frozen=True, kw_only=True):
    """`meant` for this host or any, `ended` for this host, `unclear`: why nothing is known."""

    meant: Mapping[str, Wanted]
    ended: Set[str]
    unclear: Mapping[str, str]


def read(records: Iterable[Entry], *, host: str, known: Iterable[str]) -> Desires:
    """Sort what the bucket holds; `known` are the guests that this host has booted."""
    meant, ended, unclear = dict[str, Wanted](), set[str](), dict[str, str]()
    for entry in records:
        if entry.value is None:
            ended.add(entry.key)
            continue
        try:
            spec = entry.decode(GuestSpec)
        except msgspec.MsgspecError as error:
            unclear[entry.key] = f"its desired state can't be read (written by a newer version?): {error}"
            continue
        if spec.guest != entry.key:
            unclear[entry.key] = f"its desired state names `{spec.guest}`"
        elif spec.host in {None, host}:
            asked_us = entry.said.at_us if entry.said is not None else 0
            meant[entry.key] = Wanted(spec=replace(spec, maps=None), revision=entry.revision, asked_us=asked_us)
        else:
            ended.add(entry.key)
    seen = {*meant, *ended, *unclear}
    unclear |= {guest: f"{MISSING}; {HINT}" for guest in known if guest not in seen}
    return Desires(meant=meant, ended=ended, unclear=unclear)


def still_lacking(boot: Boot, outcomes: Outcomes) -> dict[str, str]:
    """The elements that booted without a program and have got none since."""
    return {
        element: why
        for element, why in boot.lacking.items()
        if not any(one.state == "active" and one.at_us > boot.started_us for one in outcomes.get(element, ()))
    }
