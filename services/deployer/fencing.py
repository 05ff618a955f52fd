"""When a host ends its guests because another host may run them by now. Pure: the clock is passed in.

The promise: as long as a host's deployer runs, and the hosts' clocks are less than a third of a lease apart, a guest that may
run on more than one host runs on one. A lease that could not be renewed is over, for its holder, a tenth before its end, by a
clock that goes on while the machine sleeps (CLOCK_BOOTTIME, clock_gettime(2)); another host takes it a third of a lease after
that end (leases.py).

Not fenced, because absence is no command (design 11): a guest whose specification names this host; any guest while no other
host was ever seen; any whose lease cannot be known although the bus answers (store lost, record unreadable): an alarm. A
deployer that is dead or stopped can end nothing: whoever takes a guest from a host that did not give it up says so.
"""

from collections.abc import Set
from typing import Final

EARLY: Final = 0.1  # of a lease


class Fence:
    """The leases of one host by the clock of its boot."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}
        self.others_seen = False

    def confirmed(self, guest: str, *, asked: float, remaining: float) -> None:
        """The lease was ours; `asked` is when we began to ask, so that what the answer took counts against us."""
        self._ends[guest] = asked + remaining * (1 - EARLY)

    def forget(self, guest: str) -> None:
        """It is not ours, or nothing can be known of it: there is nothing to end by the clock."""
        self._ends.pop(guest, None)

    def due(self, now: float, *, pinned: Set[str]) -> set[str]:
        """The guests that another host may run now."""
        if not self.others_seen:
            return set()
        return {guest for guest, end in self._ends.items() if end <= now and guest not in pinned}
