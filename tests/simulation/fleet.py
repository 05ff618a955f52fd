"""A fleet in one process, with a bus, clocks and guests that are only data: the decisions are the services' own.

Simulated: KV buckets, the network, processes, what a guest does with a release. Real: what the bus says (desires.py), who
holds a guest (leases.py, fencing.py), what to do about it (both plan.py), which release is chosen (outcomes.py). Time passes in
steps of at most MOST_STEP seconds; a deployer that is up looks at its fence in each.
"""

import random
from dataclasses import dataclass, field
from typing import Final

import msgspec

from services.deployer import desires, fencing, leases, plan
from services.deployer.leases import Lease
from services.reconfigurer import plan as offers
from unibpf.bus import Entry
from unibpf.host import outcomes
from unibpf.host.guest_folder import Boot
from unibpf.host.outcomes import Outcome
from unibpf.messages.guests import GuestObserved, GuestSpec
from unibpf.messages.programs import Signed
from unibpf.messages.status import ElementStatus

LEASE: Final = 30.0
MOST_STEP: Final = 2.5
MOST_SKEW: Final = 4.0  # two hosts differ by twice that at most: less than leases.GRACE of a lease
ELEMENT: Final = "fw"
PROGRAM: Final = "firewall"
NEWER: Final = b'{"guest": 7}'  # a record that this version cannot read

GOOD, REFUSED, ROLLS_BACK = "good", "refused", "rolls back"


@dataclass
class Store:
    """What is on the bus, and what every release really is."""

    guests: dict[str, Entry] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    releases: list[Signed] = field(default_factory=list)
    nature: dict[str, str] = field(default_factory=dict)
    revision: int = 0

    def write(self, guest: str, value: bytes | None) -> None:
        self.revision += 1
        self.guests[guest] = Entry(key=guest, value=value, revision=self.revision)

    def release(self, nature: str) -> Signed:
        number = len(self.releases) + 1
        digest = f"{number:064x}"
        release = Signed(
            push_id=str(number),
            program=PROGRAM,
            audience="edge",
            kind="filter",
            element="*",
            sequence=number,
            envelope=digest,
            bundle=digest,
            policy="",
            identity="ci",
        )
        self.releases.append(release)
        self.nature[digest] = nature
        return release


@dataclass
class Guest:
    """A guest that runs: its boot, what is active in its element, and whether anything is heard of it."""

    boot: Boot
    active: Signed | None = None
    floor: int = 0
    is_mute: bool = False


class Host:
    """One hypervisor host: what is on its disk, what runs on it, and its two services."""

    def __init__(self, name: str, store: Store, chance: random.Random, skew: float) -> None:
        self.name, self.store, self.chance, self.skew = name, store, chance, skew
        self.boots: dict[str, Boot] = {}
        self.running: dict[str, Guest] = {}
        self.good: dict[str, GuestSpec] = {}
        self.refused: dict[str, tuple[GuestSpec, int]] = {}
        self.outcomes: dict[str, dict[str, list[Outcome]]] = {}
        self.ended: list[tuple[str, str]] = []  # what this host ended since it was asked last, and why
        self.offered_again: list[str] = []  # guests that got a release which had failed there
        self.is_cut = False
        self.is_broken = False  # nothing boots here
        self.count = 0
        self.start()

    def start(self) -> None:
        """A deployer that begins knows nothing but the disk."""
        self.is_up = True
        self.fence = fencing.Fence()
        self.held: set[str] = set()
        self.watched: set[str] = set()
        self.failures: dict[str, tuple[GuestSpec | None, int, float]] = {}

    # --- the deployer ---

    def watch_fence(self, now: float) -> None:
        """What `_end_what_is_lost` does."""
        for guest in self._due(now):
            self._ask_again(guest, now)
        for guest in self._due(now):
            self.fence.forget(guest)
            self._end(guest, "fence")

    def _due(self, now: float) -> set[str]:
        return self.fence.due(now, pinned={name for name, boot in self.boots.items() if boot.spec.host is not None})

    def _ask_again(self, guest: str, now: float) -> None:
        if not self.is_cut:
            self._claim(guest, now)

    def look(self, now: float) -> None:
        """What `Deployer._look` and `Reconciler.look` do."""
        if self.is_cut:
            return
        found = desires.read(self.store.guests.values(), host=self.name, known=self.boots)
        asked = {*found.meant, *(found.unclear.keys() & self.boots.keys())}
        holders = {guest: self._claim(guest, now) for guest in sorted(asked)}
        held = {guest for guest, holder in holders.items() if holder == self.name}
        theirs = {guest for guest, holder in holders.items() if holder not in {None, self.name}}
        for guest in self.held - asked:
            self.fence.forget(guest)
            self._give_up(guest)
        self.held = held
        wanted = {guest: self._without_refused(guest, one) for guest, one in found.meant.items() if guest in held}
        world = plan.World(
            desired={guest: spec for guest, spec in wanted.items() if spec is not None},
            boots=self.boots,
            running={name: guest.boot.boot_id for name, guest in self.running.items()},
            ended=found.ended | theirs,
            watched=self.watched & self.running.keys(),
            now=now,
        )
        waiting = {name: until for name, (spec, _, until) in self.failures.items() if spec == world.spec(name)}
        for action in plan.plan(msgspec.structs.replace(world, not_before=waiting)):
            self._apply(action, found, now)

    def _claim(self, guest: str, now: float) -> str | None:
        wall, held = now + self.skew, self.store.leases.get(guest)
        lease = leases.claims(held, host=self.name, now=wall, seconds=LEASE)
        if lease is not None:
            self.store.leases[guest] = lease
        known = lease or held
        holder = leases.holder(known, now=wall)
        if holder == self.name and known is not None:
            self.fence.confirmed(guest, asked=now, remaining=known.until - wall)
        else:
            self.fence.forget(guest)
            self.fence.others_seen |= holder is not None
        return holder

    def _give_up(self, guest: str) -> None:
        held = self.store.leases.get(guest)
        if held is not None and held.host == self.name:
            del self.store.leases[guest]

    def _without_refused(self, guest: str, wanted: desires.Wanted) -> GuestSpec | None:
        if self.refused.get(guest) == (wanted.spec, wanted.revision):
            return self.good.get(guest)
        self.refused.pop(guest, None)
        return wanted.spec

    def _apply(self, action: plan.Action, found: desires.Desires, now: float) -> None:
        if action.spec is None:
            self._end(action.guest, "delete")
            self.boots.pop(action.guest, None)
            self.watched.discard(action.guest)
        elif action.kind == "adopt":
            self.watched.add(action.guest)
        else:
            wanted = found.meant.get(action.guest)
            self._boot(action.guest, action.spec, wanted.revision if wanted else 0, now)

    def _boot(self, guest: str, spec: GuestSpec, revision: int, now: float) -> None:
        if is_bad(spec):  # found before anything is stopped (assembly.draft)
            if guest in self.good and self.good[guest] != spec:
                self.refused[guest] = (spec, revision)
            else:
                self._has_failed(guest, spec, now)
            return
        self._end(guest, "replace")
        if self._claim(guest, now) != self.name:
            return
        newest = self.store.releases[-1] if self.store.releases else None
        choice = outcomes.choose(self.outcomes.get(guest, {}), ELEMENT, PROGRAM, newest).release
        self.count += 1
        boot = Boot(
            boot_id=f"{self.name}-{self.count}",
            spec=spec,
            seed=b"",
            machine="process",
            accel="none",
            control="",
            started_us=0,
        )
        self.boots[guest] = boot
        if self.is_broken:
            self._has_failed(guest, spec, now)
            return
        self.running[guest] = born = Guest(boot=boot)
        if choice is not None:
            self._install(guest, born, choice)
        self.good[guest] = spec
        self.failures.pop(guest, None)
        self.watched.add(guest)

    def _has_failed(self, guest: str, spec: GuestSpec, now: float) -> None:
        count = self.failures.get(guest, (None, 0, 0.0))[1] + 1
        self.failures[guest] = (spec, count, now + plan.backoff(count))

    def _end(self, guest: str, why: str) -> None:
        if self.running.pop(guest, None) is not None:
            self.ended.append((guest, why))

    # --- the reconfigurer ---

    def compare(self) -> None:
        """What `Comparing` and `Convergence` do, for every guest of this host."""
        for name, guest in sorted(self.running.items()):
            if self.is_cut or guest.is_mute:
                continue
            known, element = self.outcomes.setdefault(name, {}), _status(guest)
            for left in offers.left_behind([element], known).values():
                self.outcomes[name] = known = outcomes.note(known, ELEMENT, Outcome(release=left, state="rolled_back"))
            newest = {ELEMENT: self.store.releases[-1]} if self.store.releases else {}
            for release in offers.behind(newest, [element], _observed(name, guest, self.name), known).values():
                self._install(name, guest, release)

    def _install(self, name: str, guest: Guest, release: Signed) -> None:
        """What the guest makes of it; the outcome is on the disk before anybody hears of it."""
        known = self.outcomes.setdefault(name, {})
        if outcomes.fault(known, ELEMENT, release) is not None:
            self.offered_again.append(name)
        nature = self.store.nature[release.envelope]
        state = "refused" if nature == REFUSED else "active"
        self.outcomes[name] = outcomes.note(known, ELEMENT, Outcome(release=release, state=state))  # type: ignore[arg-type]
        if nature == REFUSED:
            return
        guest.floor = max(guest.floor, release.sequence)
        if nature == GOOD or guest.active is None:
            guest.active = release


def is_bad(spec: GuestSpec) -> bool:
    """A specification that no host can boot."""
    return "Foo" in spec.graph


def spec_of(guest: str, graph: str, host: str | None) -> GuestSpec:
    return GuestSpec(guest=guest, audience="edge", graph=graph, programs={ELEMENT: PROGRAM}, host=host)


def _status(guest: Guest) -> ElementStatus:
    active = guest.active
    return ElementStatus(
        name=ELEMENT,
        class_name="BPFFilter",
        floor=guest.floor,
        sequence=active.sequence if active else None,
        envelope=active.envelope if active else None,
    )


def _observed(name: str, guest: Guest, host: str) -> GuestObserved:
    return GuestObserved(guest=name, state="running", audience="edge", host=host, programs=guest.boot.spec.programs)
