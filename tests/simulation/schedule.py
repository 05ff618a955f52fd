"""One random life of a fleet: commands and faults, then peace; what must hold is checked in every step."""

import random
from typing import Final

import msgspec

from tests.simulation.fleet import (
    GOOD,
    LEASE,
    MOST_SKEW,
    MOST_STEP,
    NEWER,
    REFUSED,
    ROLLS_BACK,
    Host,
    Store,
    is_bad,
    spec_of,
)
from unibpf.host import outcomes
from unibpf.messages.guests import GuestSpec

GUESTS: Final = ("g1", "g2")
GRAPHS: Final = ("Idle -> a", "Idle -> b", "Foo")
STEPS: Final = 40
PEACE: Final = 2.0 * LEASE + 40.0  # a lease with its grace, and the longest wait after failures


class BrokenError(AssertionError):
    """Something that must hold does not."""


class Life:
    """A fleet of one or two hosts, and what its operator asked for."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.store = Store()
        names = ("left", "right")[: self.chance.choice((1, 2, 2))]
        skews = (self.chance.uniform(-MOST_SKEW, MOST_SKEW) for _ in names)
        self.hosts = [Host(name, self.store, self.chance, skew) for name, skew in zip(names, skews, strict=True)]
        self.now = 1000.0
        self.wanted: dict[str, GuestSpec | None] = {}  # the operator's last word; None: it shall end
        self.is_lost: set[str] = set()  # guests of which the store has forgotten everything
        self.excused: set[tuple[str, str]] = set()  # copies that no deployer could end
        self.story: list[str] = []

    def run(self) -> None:
        for _ in range(STEPS):
            self._happens()
            self._passes()
        self._heal()
        end = self.now + PEACE
        while self.now < end:
            self._passes(is_peace=True)
        self._expect_converged()

    # --- what happens ---

    def _happens(self) -> None:
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            what = self.chance.choice(
                (
                    self._apply,
                    self._apply,
                    self._delete,
                    self._release,
                    self._crash,
                    self._lose,
                    self._spoil,
                    self._trouble,
                )
            )
            what()

    def _say(self, what: str) -> None:
        self.story.append(f"{self.now:.1f} {what}")

    def _apply(self) -> None:
        guest = self.chance.choice(GUESTS)
        pinned = self.chance.choice((None, None, self.chance.choice(self.hosts).name))
        spec = spec_of(guest, self.chance.choice(GRAPHS), pinned)
        self.store.write(guest, msgspec.json.encode(spec))
        self.wanted[guest] = spec
        self.is_lost.discard(guest)
        self._say(f"apply {guest} {spec.graph} {pinned}")

    def _delete(self) -> None:
        guest = self.chance.choice(GUESTS)
        self.store.write(guest, None)
        self.wanted[guest] = None
        self.is_lost.discard(guest)
        self._say(f"delete {guest}")

    def _release(self) -> None:
        nature = self.chance.choice((GOOD, GOOD, REFUSED, ROLLS_BACK))
        self.store.release(nature)
        self._say(f"release {nature}")

    def _crash(self) -> None:
        host = self.chance.choice(self.hosts)
        if host.running:
            guest = self.chance.choice(sorted(host.running))
            del host.running[guest]
            self._say(f"{guest} crashes on {host.name}")

    def _lose(self) -> None:
        """The store comes back empty."""
        if self.chance.random() < 0.4:
            self.is_lost |= self.store.guests.keys()
            self.store.guests.clear()
            self.store.leases.clear()
            self.excused |= {(host.name, guest) for host in self.hosts for guest in host.running}
            self._say("the store is lost")

    def _spoil(self) -> None:
        """A newer version writes a desired guest."""
        guest = self.chance.choice(GUESTS)
        if self.wanted.get(guest) is not None:
            self.store.write(guest, NEWER)
            self.is_lost.add(guest)
            self._say(f"{guest} is unreadable")

    def _trouble(self) -> None:
        host = self.chance.choice(self.hosts)
        which = self.chance.choice(("cut", "down", "broken", "mute", "heal"))
        self._say(f"{host.name}: {which}")
        if which == "cut":
            host.is_cut = True
        elif which == "down":
            host.is_up = False
        elif which == "broken":
            host.is_broken = True
        elif which == "mute":
            for guest in host.running.values():
                guest.is_mute = True
        else:
            self._heal_host(host)

    def _heal_host(self, host: Host) -> None:
        host.is_cut = host.is_broken = False
        for guest in host.running.values():
            guest.is_mute = False
        if not host.is_up:
            host.start()

    def _heal(self) -> None:
        self._say("peace")
        for host in self.hosts:
            self._heal_host(host)

    # --- time ---

    def _passes(self, *, is_peace: bool = False) -> None:
        self.now += MOST_STEP if is_peace else self.chance.uniform(0.1, MOST_STEP)
        for host in self.chance.sample(self.hosts, len(self.hosts)):
            if not host.is_up:
                self.excused |= {(host.name, guest) for guest in host.running}
                continue
            host.watch_fence(self.now)
            if is_peace or self.chance.random() < 0.5:
                host.look(self.now)
                if not host.is_cut:
                    self.excused = {one for one in self.excused if one[0] != host.name}
            if is_peace or self.chance.random() < 0.5:
                host.compare()
            self._expect_reasons(host)
        self._expect_one_host()

    # --- what must hold ---

    def _expect(self, holds: bool, what: str) -> None:
        if not holds:
            raise BrokenError("\n".join([*self.story[-40:], f"{self.now:.1f} {what}"]))

    def _expect_reasons(self, host: Host) -> None:
        for guest, why in host.ended:
            if why == "delete":
                self._expect(self._may_end(host, guest), f"{guest} was ended on {host.name} and nobody said so")
            if why == "fence":
                self._expect(host.is_cut and len(self.hosts) > 1, f"{guest} was ended on {host.name} for its lease")
        host.ended.clear()
        self._expect(not host.offered_again, f"{host.name} gave {host.offered_again} what had failed there")

    def _may_end(self, host: Host, guest: str) -> bool:
        """By a tombstone, by a specification that names another host, or by another host's lease."""
        wanted, lease = self.wanted.get(guest), self.store.leases.get(guest)
        return wanted is None or wanted.host not in {None, host.name} or (lease is not None and lease.host != host.name)

    def _expect_one_host(self) -> None:
        for guest in GUESTS:
            places = [
                host.name for host in self.hosts if guest in host.running and (host.name, guest) not in self.excused
            ]
            pinned = {host.boots[guest].spec.host for host in self.hosts if guest in host.running}
            if pinned == {None} and guest not in self.is_lost:
                self._expect(len(places) < 2, f"{guest} runs on {places}")

    def _expect_converged(self) -> None:
        for guest, spec in self.wanted.items():
            places = [host for host in self.hosts if guest in host.running]
            if guest in self.is_lost:
                number = int(any(guest in host.boots for host in self.hosts))
                self._expect(len(places) == number, f"{guest} runs {len(places)} times after its record was lost")
                continue
            if spec is None:
                self._expect(not places, f"{guest} was deleted and runs")
                continue
            if not is_bad(spec):
                self._expect(len(places) == 1, f"{guest} runs on {[host.name for host in places]}")
                self._expect(places[0].running[guest].boot.spec == spec, f"{guest} runs as something else")
        for host in self.hosts:
            for name in host.running:
                self._expect_release(host, name)

    def _expect_release(self, host: Host, name: str) -> None:
        """The newest that did not fail there; nothing where none is left."""
        guest, known = host.running[name], host.outcomes.get(name, {})
        sound = [one for one in self.store.releases if outcomes.fault(known, "fw", one) is None]
        newest = self.store.releases[-1:] if self.store.releases else []
        if newest and newest[0] in sound:
            self._expect(guest.active == newest[0], f"{name} on {host.name} does not run the newest release")
        if guest.active is not None:
            self._expect(outcomes.fault(known, "fw", guest.active) is None, f"{name} runs what failed there")
