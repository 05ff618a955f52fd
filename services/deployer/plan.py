"""What to do about each guest, from what is desired, what was booted and what runs. Pure: no clock, no I/O.

A guest ends only where its end is known (`ended`): a tombstone, a specification that names another host, a lease that
another host holds. Not seen is not unwanted: where nothing is known of what a guest should be (an empty or lost store, a
record of a newer version), it goes on as it last booted, and is brought back as that when it dies.

Rules, first match wins:
    somebody works on the guest already             nothing
    runs, and somebody asked for another boot       restart
    runs, hangs, and is to be restarted then        restart
    runs as its last boot, with its specification   adopt, if this deployer does not watch it yet, else nothing
    must wait after failures                        nothing
    its end is known                                delete it, if anything of it is left
    nothing is known of it, not even a boot         nothing
    runs, and its record cannot be read             nothing
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
    is about the guest as it is desired now: another desire is not to wait. `unreadable`: guests whose last boot is on the
    disk, but not for this version to read. `seen`: guests of which the bus has an observation by this host. `hung`: guests
    that answered in this boot and do not any more. `leaving`: why the present boot of a guest is to end, if it is."""

    desired: Mapping[str, GuestSpec]
    boots: Mapping[str, Boot]
    running: Mapping[str, str]
    ended: Set[str] = frozenset()
    seen: Set[str] = frozenset()
    unreadable: Set[str] = frozenset()
    watched: Set[str] = frozenset()
    hung: Set[str] = frozenset()
    leaving: Mapping[str, str] = {}
    busy: Set[str] = frozenset()
    not_before: Mapping[str, float] = {}
    now: float = 0.0

    def spec(self, guest: str) -> GuestSpec | None:
        """What the guest should be: what is desired, else what it last booted as; None once its end is known."""
        if guest in self.ended:
            return None
        boot = self.boots.get(guest)
        return self.desired.get(guest) or (boot.spec if boot is not None else None)


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do, and why; `spec` is None for a deletion."""

    kind: Kind
    guest: str
    reason: str
    spec: GuestSpec | None = None


def plan(world: World) -> list[Action]:
    """The actions, ordered by guest; at most one each."""
    told = world.seen & world.ended  # also what never booted is to be deleted: it was seen as failed
    guests = sorted({*world.desired, *world.boots, *world.running, *told} - world.busy)
    actions = [_action(world, guest) for guest in guests]
    return [action for action in actions if action is not None]


def backoff(failures: int) -> float:
    """Seconds to wait after the n-th failure in a row; after the first there is no wait."""
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]


def _action(world: World, guest: str) -> Action | None:
    spec, boot, boot_id = world.spec(guest), world.boots.get(guest), world.running.get(guest)
    if boot is not None and boot.boot_id == boot_id and boot.spec == spec:
        return _attention(world, guest, spec)
    if world.now < world.not_before.get(guest, 0.0):
        return None
    if spec is None:
        return Action(kind="delete", guest=guest, reason="no longer desired") if guest in world.ended else None
    if boot_id is not None:
        return _replacement(world, guest, spec)
    if boot is None or boot.spec != spec:
        return Action(kind="create", guest=guest, reason="desired", spec=spec)
    return Action(kind="restart", guest=guest, reason="does not run", spec=spec)


def _attention(world: World, guest: str, spec: GuestSpec) -> Action | None:
    """What a guest needs that runs as it should."""
    if guest in world.leaving:
        return Action(kind="restart", guest=guest, reason=world.leaving[guest], spec=spec)
    if guest in world.hung and spec.on_hang == "restart":
        return Action(kind="restart", guest=guest, reason="does not answer", spec=spec)
    return None if guest in world.watched else Action(kind="adopt", guest=guest, reason="runs already", spec=spec)


def _replacement(world: World, guest: str, spec: GuestSpec) -> Action | None:
    if guest in world.unreadable:
        return None
    boot = world.boots.get(guest)
    is_known = boot is not None and boot.boot_id == world.running[guest]
    reason = "its specification changed" if is_known else "its boot is not known here"
    return Action(kind="replace", guest=guest, reason=reason, spec=spec)
