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
from services.signer.sequence import Reservation, Reserved
from services.signer.signing import Request, Signing
from unibpf.bus import Entry
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
        key, reserved = await self._reserve(counter, entry, _wanted(digest, allowed), asking)
        reservation = reserved.reservation
        if not reservation.envelope:
            release = graph_release(request, reservation)
            reservation = await self.signing.sign(key, release, reserved, asking)
        return SignedGraph(
            name=request.name,
            audience=request.audience,
            sequence=reservation.sequence,
            envelope=reservation.envelope,
            graph=digest,
            policy=reservation.policy,
            not_after=reservation.not_after,
        )

    async def _reserve(
        self, counter: str, entry: Entry | None, wanted: Reservation, asking: Request
    ) -> tuple[str, Reserved]:
        """The newest reservation when it is for this text and still holds, else a new one. `entry`: the counter as it is."""
        sequences = self.signing.sequences
        newest = None if entry is None else entry.decode(Counter)
        if newest is not None and newest.push_id == wanted.push_id:
            key = f"{counter}.{newest.sequence}"
            found = await sequences.reserve(key, replace(wanted, sequence=newest.sequence))
            if found.reservation.not_after is None or found.reservation.not_after > asking.now:
                return key, found
        audited = 0 if asking.audited is None else asking.audited.sequence
        sequence = await sequences.take(counter, wanted.push_id, seen=entry, audited=audited, now=asking.now)
        key = f"{counter}.{sequence}"
        return key, await sequences.reserve(key, replace(wanted, sequence=sequence))


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
