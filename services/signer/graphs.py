"""Graphs are signed like programs, at the request of a deployer: a guest boots with a signed graph or not at all.

Asking again for the newest text gives the same envelope; another text, or an earlier one again, gets a new sequence.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from services.signer import policy as policies
from services.signer.policy import Allowed, GraphRequest, Policy
from services.signer.releases import graph_release
from services.signer.sequence import Reservation, Reserved, limit, read
from services.signer.signing import Request, Signing, is_ours
from unibpf.bus import Entry
from unibpf.host.ledger import Row
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.programs import Counter

REQUESTER = "deployer"


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """Signs graphs. The server lets only deployers ask; `clock` gives Unix seconds."""

    signing: Signing
    policy: Policy
    clock: Callable[[], float]

    async def sign(self, request: SignGraph) -> SignedGraph:
        """The envelope for a graph text; raises PolicyRefusal."""
        now = int(self.clock())
        asked = GraphRequest(graph=request.name, audience=request.audience, guest=request.guest)
        allowed = policies.decide_graph(self.policy, asked, now=now)
        counter = f"graph.{request.audience}.{request.name}"
        digest = hashlib.sha256(request.graph.encode()).hexdigest()
        entry, audited = await asyncio.gather(
            self.signing.sequences.counters.get(counter), self.signing.last_audited(request.name)
        )
        asking = Request(identity=REQUESTER, now=now, audited=audited)
        key, row, reserved = await self._begin(request, counter, entry, _wanted(digest, allowed), asking)
        if not row.envelope:
            row = await self.signing.sign(key, row, graph_release(request, row), reserved, asking)
        return SignedGraph(
            name=request.name,
            audience=request.audience,
            sequence=row.sequence,
            envelope=row.envelope,
            graph=digest,
            policy=row.policy,
            not_after=row.not_after,
        )

    async def _begin(
        self, request: SignGraph, counter: str, entry: Entry | None, wanted: Reservation, asking: Request
    ) -> tuple[str, Row, Reserved | None]:
        """The newest one when it is for this text and still holds, else a new one. `entry`: the counter as it is."""
        sequences, ledger = self.signing.sequences, self.signing.ledger
        await asyncio.to_thread(ledger.counters)  # what other signers of this host have written meanwhile
        newest, ours = read(entry, Counter), ledger.newest(counter, "")
        highest = ledger.highest(counter)
        is_newest = newest is None or newest.push_id == wanted.push_id or newest.sequence <= highest
        if ours is not None and is_newest and ours.sequence == highest and _holds(ours, wanted, asking.now):
            return f"{counter}.{ours.sequence}", ours, None

        async def is_usable(reservation: Reservation) -> bool:
            return await self._is_usable(request, counter, reservation, wanted, asking.now)

        if newest is not None and newest.push_id == wanted.push_id and newest.sequence > highest:
            key = f"{counter}.{newest.sequence}"
            found = await sequences.find(key)
            if found is not None and found.reservation is not None and await is_usable(found.reservation):
                return key, await self._noted(request, counter, found.reservation, asking), found
        floor = self.signing.floor(counter, asking.audited)
        sequence = await sequences.take(counter, wanted.push_id, seen=entry, floor=floor, now=asking.now)
        key, wanted = f"{counter}.{sequence}", replace(wanted, sequence=sequence)
        reserved = await sequences.reserve(key, wanted, seen=None, is_usable=is_usable)
        return key, await self._noted(request, counter, reserved.reservation or wanted, asking), reserved

    async def _noted(self, request: SignGraph, counter: str, reservation: Reservation, asking: Request) -> Row:
        row = _row(counter, reservation)
        return await self.signing.begin(row, graph_release(request, row), asking)

    async def _is_usable(
        self, request: SignGraph, counter: str, found: Reservation, wanted: Reservation, now: int
    ) -> bool:
        """Whether what another copy decided is about this text, holds still, and was signed by our key or not yet."""
        ledger, row = self.signing.ledger, _row(counter, found)
        if found.push_id != wanted.push_id or not _holds(row, wanted, now):
            return False
        if not ledger.highest(counter) < found.sequence <= limit(now, ledger.recovered(counter)) + 1:
            return False
        if not found.envelope:
            return True
        return await is_ours(self.signing.bus, self.signing.hsm.key, found.envelope, graph_release(request, row))


def _holds(row: Row, wanted: Reservation, now: int) -> bool:
    return row.bundle == wanted.bundle and (row.not_after is None or row.not_after > now)


def _row(counter: str, reservation: Reservation) -> Row:
    return Row(
        push=f"{counter}.{reservation.sequence}",
        pushed_ms=0,  # a text has no push, and none of them is ever closed
        object=reservation.bundle,
        counter=counter,
        element="",
        sequence=reservation.sequence,
        bundle=reservation.bundle,
        policy=reservation.policy,
        not_after=reservation.not_after,
        envelope=reservation.envelope,
    )


def _push_id(digest: str) -> str:
    """Graphs have no push; their text names them."""
    return f"graph:{digest}"


def _wanted(digest: str, allowed: Allowed) -> Reservation:
    """A reservation that has no number yet."""
    return Reservation(
        push_id=_push_id(digest),
        sequence=0,
        policy=allowed.rule,
        bundle=digest,
        not_after=allowed.not_after,
    )
