"""Sequence numbers: strictly rising per program and audience, one for each push (design 5).

`next_sequence` is the rule. `Sequences` applies it by compare-and-set and remembers under the push's id what was decided,
before anything is signed: whoever handles a redelivery, in whichever copy of the signer, gets the same decision and so the
same envelope. A crash between the two writes leaves a gap in the numbers, never a number used twice.
"""

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from unibpf.bus import Bucket, Conflict, Entry


class Counter(Struct, frozen=True, kw_only=True):
    """KV `unibpf-sequences`, key `{program,graph}.<audience>.<name>`: the highest number given out."""

    sequence: int
    push_id: str


class Reservation(Struct, frozen=True, kw_only=True):
    """KV `unibpf-reservations`: what one push is signed as. `envelope` is empty until it is signed and stored."""

    push_id: str
    sequence: int
    policy: str
    bundle: str
    not_after: int | None = None
    envelope: str = ""


def next_sequence(*, stored: int, audited: int, now: int) -> int:
    """max(KV + 1, last audited + 1, Unix seconds). Losing the KV loses nothing: audit log and clock both hold the floor."""
    return max(stored + 1, audited + 1, now)


def push_key(push_id: str) -> str:
    """`<stream>:<sequence>` as a key: a colon is not allowed there."""
    return "push." + push_id.replace(":", ".")


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """The two buckets. All methods are safe to repeat and to run in several copies."""

    counters: Bucket
    reservations: Bucket

    async def find(self, key: str) -> Reservation | None:
        """What was decided under `key` before, if anything."""
        entry = await self.reservations.get(key)
        return None if entry is None else entry.decode(Reservation)

    async def take(self, counter: str, push_id: str, *, audited: int, now: int) -> int:
        """A number above every earlier one of `counter`."""
        taken = 0

        def step(entry: Entry | None) -> Counter:
            nonlocal taken
            stored = entry.decode(Counter).sequence if entry is not None else 0
            taken = next_sequence(stored=stored, audited=audited, now=now)
            return Counter(sequence=taken, push_id=push_id)

        await self.counters.change(counter, step)
        return taken

    async def reserve(self, key: str, wanted: Reservation) -> Reservation:
        """Write down `wanted`, unless another copy was faster: then its decision holds."""
        try:
            await self.reservations.create(key, wanted)
        except Conflict:
            found = await self.find(key)
            if found is None:
                raise
            return found
        return wanted

    async def fulfil(self, key: str, envelope: str) -> Reservation:
        """Note the envelope; the first one noted stays (an ES256 signature differs each time)."""

        def step(entry: Entry | None) -> Reservation | None:
            if entry is None:
                raise AssertionError("a reservation exists before it is fulfilled")
            found = entry.decode(Reservation)
            return None if found.envelope else msgspec.structs.replace(found, envelope=envelope)

        await self.reservations.change(key, step)
        found = await self.find(key)
        if found is None:
            raise AssertionError("a reservation is never deleted")
        return found
