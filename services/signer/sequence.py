"""Sequence numbers: strictly rising per program and audience, one for each push (design 5).

`next_sequence` is the rule. `Sequences` applies it by compare-and-set and remembers under the push's id what was decided,
before anything is signed: whoever handles a redelivery, in whichever copy of the signer, gets the same decision and so the
same envelope. A crash between the two writes leaves a gap in the numbers, never a number used twice.

Both are on the bus and so a convenience, for copies on several hosts: what must hold holds by the host's own ledger
(unibpf/host/ledger.py) and by the bounds here, which are looked at before anything is signed, wherever a number comes from.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from services.signer.errors import PolicyRefusal
from unibpf.bus import Bucket, Conflict, Entry
from unibpf.host.ledger import MAX_AHEAD, TICKS
from unibpf.messages.programs import Counter

__all__ = [
    "MAX_AHEAD",
    "TICKS",
    "Floor",
    "Reservation",
    "Reserved",
    "Sequences",
    "check",
    "limit",
    "next_sequence",
    "push_key",
    "read",
]

logger = logging.getLogger(__name__)

T = TypeVar("T")

HINT: Final = (
    "set the signer's clock right; `unibpf recover sequence` goes on from a number that was signed too far ahead"
)


class Reservation(Struct, frozen=True, kw_only=True):
    """KV `unibpf-reservations`: what one push is signed as. `envelope` is empty until it is signed and stored."""

    push_id: str
    sequence: int
    policy: str
    bundle: str
    not_after: int | None = None
    envelope: str = ""


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """A reservation as it is stored, None where it cannot be read: `revision` is what a change of it has to name."""

    reservation: Reservation | None
    revision: int


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What a new number has to be above, besides the counter: the audit log's, this host's own, and an operator's word."""

    audited: int = 0
    signed: int = 0
    recovered: int = 0


def next_sequence(*, stored: int, audited: int, now: int, signed: int = 0, recovered: int = 0) -> int:
    """max(KV + 1, last audited + 1, last signed + 1, Unix milliseconds); `now` is in whole seconds.

    Losing the KV loses nothing: audit log, the host's own ledger (`signed`) and clock hold the floor.

    A number in a store that is further ahead than pushes can bring it is a spoilt one and is not believed: to sign the highest
    number there is would end all updates. Raises PolicyRefusal when this host itself has signed that far ahead: only an
    operator can say that it goes on from there (`recovered`, unibpf/host/ledger.py).
    """
    clock = now * TICKS
    believed = [one for one in (stored, audited) if one <= limit(now, recovered)]
    sequence = max(*(one + 1 for one in (0, *believed, signed)), clock)
    check(sequence, now=now, recovered=recovered)
    return sequence


def limit(now: int, recovered: int = 0) -> int:
    """The highest number that is believed."""
    return max(now * TICKS, recovered) + MAX_AHEAD


def check(sequence: int, *, now: int, recovered: int = 0) -> None:
    """Raise PolicyRefusal for a number that must not be signed, wherever it comes from."""
    if not 0 < sequence <= limit(now, recovered) + 1:
        raise PolicyRefusal(
            "sequence-ahead", f"sequence {sequence} is more than {MAX_AHEAD // TICKS} s ahead of the clock", HINT
        )


def read(entry: Entry | None, kind: type[T]) -> T | None:
    """The value, where there is one that can be read."""
    if entry is None:
        return None
    try:
        return entry.decode(kind)
    except msgspec.MsgspecError as error:
        logger.warning("`%s` is not believed: it can't be read as %s: %s", entry.key, kind.__name__, error)
        return None


def push_key(push_id: str) -> str:
    """`<stream>:<sequence>` as a key: a colon is not allowed there."""
    return "push." + push_id.replace(":", ".")


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """The two buckets. All methods are safe to repeat and to run in several copies."""

    counters: Bucket
    reservations: Bucket

    async def find(self, key: str) -> Reserved | None:
        """What was decided under `key` before, if anything, as far as it can be read."""
        entry = await self.reservations.get(key)
        if entry is None:
            return None
        return Reserved(reservation=read(entry, Reservation), revision=entry.revision)

    async def take(self, counter: str, push_id: str, *, seen: Entry | None, floor: Floor, now: int) -> int:
        """A number above every earlier one of `counter`; `seen` is the counter as it was read a moment ago."""
        taken = 0

        def step(entry: Entry | None) -> Counter:
            nonlocal taken
            found = read(entry, Counter)
            stored = 0 if found is None else found.sequence
            if max(stored, floor.audited) > limit(now, floor.recovered):
                logger.error(
                    "a number in a store is not believed",
                    extra={"counter": counter, "stored": stored, "audited": floor.audited},
                )
            taken = next_sequence(
                stored=stored, audited=floor.audited, signed=floor.signed, recovered=floor.recovered, now=now
            )
            return Counter(sequence=taken, push_id=push_id)

        await self.counters.change(counter, step, seen=seen)
        return taken

    async def reserve(
        self,
        key: str,
        wanted: Reservation,
        *,
        seen: Reserved | None,
        is_usable: Callable[[Reservation], Awaitable[bool]],
    ) -> Reserved:
        """Write down `wanted`, unless another copy was faster: then its decision holds, where it is one."""
        found = seen
        while True:
            try:
                if found is None:
                    return Reserved(reservation=wanted, revision=await self.reservations.create(key, wanted))
                if found.reservation is not None and await is_usable(found.reservation):
                    return found
                logger.error("the reservation `%s` is not believed", key)
                return Reserved(
                    reservation=wanted, revision=await self.reservations.update(key, wanted, found.revision)
                )
            except Conflict:
                found = await self.find(key)

    async def fulfil(self, key: str, reserved: Reserved, envelope: str) -> None:
        """Note the envelope, for other copies; one that is noted already stays."""
        if reserved.reservation is None:
            return
        wanted = msgspec.structs.replace(reserved.reservation, envelope=envelope)
        with contextlib.suppress(Conflict):
            await self.reservations.update(key, wanted, reserved.revision)
