"""What to do about each guest, from what is desired, what was booted and what runs. Pure: no clock, no I/O.

Rules, first match wins:
    somebody works on the guest already             nothing
    runs as its last boot, with its specification   adopt, if this deployer does not watch it yet, else nothing
    must wait after failures                        nothing
    not desired here                                delete it, if anything of it is left
    runs                                            replace (also when its boot is not known: its seed is lost)
    never booted, or booted for another spec        create
    booted before                                   restart
"""

from collections.abc import Mapping, Set
from typing import Final, Literal

from msgspec import Struct

from unibpf.host.guest_folder import Boot
from unibpf.messages.guests import GuestSpec

Kind = Literal["create", "restart", "replace", "adopt", "delete"]

BACKOFF_SECONDS: Final = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
STABLE_SECONDS: Final = 60.0


class World(Struct, frozen=True, kw_only=True):
    """What is known at one moment. `running` maps a guest to its boot id, `not_before` to the end of its backoff, which
    is about the guest as it is desired now: another desire is not to wait."""

    desired: Mapping[str, GuestSpec]
    boots: Mapping[str, Boot]
    running: Mapping[str, str]
    watched: Set[str] = frozenset()
    busy: Set[str] = frozenset()
    not_before: Mapping[str, float] = {}
    now: float = 0.0


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do, and why."""

    kind: Kind
    guest: str
    reason: str


def plan(world: World) -> list[Action]:
    """The actions, ordered by guest; at most one each."""
    guests = sorted({*world.desired, *world.boots, *world.running} - world.busy)
    actions = [_action(world, guest) for guest in guests]
    return [action for action in actions if action is not None]


def backoff(failures: int) -> float:
    """Seconds to wait after the n-th failure in a row; after the first there is no wait."""
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]


def _action(world: World, guest: str) -> Action | None:
    spec, boot, boot_id = world.desired.get(guest), world.boots.get(guest), world.running.get(guest)
    if boot is not None and boot.boot_id == boot_id and boot.spec == spec:
        return None if guest in world.watched else Action(kind="adopt", guest=guest, reason="runs already")
    if world.now < world.not_before.get(guest, 0.0):
        return None
    if spec is None:
        return Action(kind="delete", guest=guest, reason="no longer desired")
    if boot_id is not None:
        known = boot is not None and boot.boot_id == boot_id
        reason = "its specification changed" if known else "its boot is not known here"
        return Action(kind="replace", guest=guest, reason=reason)
    if boot is None or boot.spec != spec:
        return Action(kind="create", guest=guest, reason="desired")
    return Action(kind="restart", guest=guest, reason="does not run")
