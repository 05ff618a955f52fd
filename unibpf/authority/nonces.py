"""Which messages were seen already, in bounded memory.

A message that is delivered again at the same place (a redelivery) is no replay; the same nonce at another place is. Requests
have no place, so each is seen once. What had to be forgotten for want of room moves the floor: a request that is not newer
than a forgotten one is refused, so forgetting never lets a replay in.
"""

from collections import OrderedDict
from typing import Final

ROOM: Final = 65_536


class Nonces:
    """The last ROOM nonces of one process."""

    def __init__(self, *, room: int = ROOM, floor_us: int = 0) -> None:
        self._seen: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._room = room
        self.floor_us = floor_us

    def is_new(self, nonce: str, at_us: int, place: str = "") -> bool:
        """Note it; False where it was seen before, at another place."""
        known = self._seen.get(nonce)
        if known is not None:
            return bool(place) and known[1] == place
        self._seen[nonce] = (at_us, place)
        if len(self._seen) > self._room:
            _, (forgotten, _) = self._seen.popitem(last=False)
            self.floor_us = max(self.floor_us, forgotten)
        return True
