"""Sequence numbers: strictly rising per program and audience, one for each push (design 5).

`next_sequence` is the rule. `Sequences` applies it by compare-and-set and remembers under the push's id what was decided,
before anything is signed: whoever handles a redelivery, in whichever copy of the signer, gets the same decision and so the
same envelope. A crash between the two writes leaves a gap in the numbers, never a number used twice.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct

from services.signer.errors import PolicyRefusal
from unibpf.bus import Bucket, Conflict, Entry
from unibpf.messages.programs import Counter

# Numbers of one second of the clock: more than any program is pushed in one. With less, numbers would run ahead of the clock
# under load, until MAX_AHEAD ends all updates.
TICKS: Final = 1000
MAX_AHEAD: Final = 30 * 86400 * TICKS  # that a sequence may be ahead of the clock
HINT: Final = "set the signer's clock right, or find out who wrote the audit log"


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
    """A reservation as it is stored: `revision` is what a change of it has to name."""

    reservation: Reservation
    revision: int


def next_sequence(*, stored: int, audited: int, now: int) -> int:
    """max(KV + 1, last audited + 1, Unix milliseconds); `now` is in whole seconds.

    Losing the KV loses nothing: audit log and clock both hold the floor.

    A counter that is further ahead than pushes can bring it is a spoilt one and is not believed: to sign the highest
    number there is would end all updates. Raises PolicyRefusal when the audit log itself is there.
    """
    clock = now * TICKS
    believed = stored if stored <= clock + MAX_AHEAD else 0
    sequence = max(believed + 1, audited + 1, clock)
    if sequence > clock + MAX_AHEAD + 1:
        raise PolicyRefusal(
            "sequence-ahead", f"sequence {sequence} is more than {MAX_AHEAD // TICKS} s ahead of the clock", HINT
        )
    return sequence


def push_key(push_id: str) -> str:
    """`<stream>:<sequence>` as a key: a colon is not allowed there."""
    return "push." + push_id.replace(":", ".")


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """The two buckets. All methods are safe to repeat and to run in several copies."""

    counters: Bucket
    reservations: Bucket

    async def find(self, key: str) -> Reserved | None:
        """What was decided under `key` before, if anything."""
        entry = await self.reservations.get(key)
        return None if entry is None else Reserved(reservation=entry.decode(Reservation), revision=entry.revision)

    async def take(self, counter: str, push_id: str, *, seen: Entry | None, audited: int, now: int) -> int:
        """A number above every earlier one of `counter`; `seen` is the counter as it was read a moment ago."""
        taken = 0

        def step(entry: Entry | None) -> Counter:
            nonlocal taken
            stored = entry.decode(Counter).sequence if entry is not None else 0
            taken = next_sequence(stored=stored, audited=audited, now=now)
            return Counter(sequence=taken, push_id=push_id)

        await self.counters.change(counter, step, seen=seen)
        return taken

    async def reserve(self, key: str, wanted: Reservation) -> Reserved:
        """Write down `wanted`, unless another copy was faster: then its decision holds."""
        try:
            return Reserved(reservation=wanted, revision=await self.reservations.create(key, wanted))
        except Conflict:
            found = await self.find(key)
            if found is None:
                raise
            return found

    async def fulfil(self, key: str, reserved: Reserved, envelope: str) -> Reservation:
        """Note the envelope; the first one noted stays (an ES256 signature differs each time)."""
        wanted = msgspec.structs.replace(reserved.reservation, envelope=envelope)
        try:
            await self.reservations.update(key, wanted, reserved.revision)
        except Conflict:  # a reservation changes once: another copy has noted its envelope
            found = await self.find(key)
            if found is None or not found.reservation.envelope:
                raise
            return found.reservation
        return wanted
