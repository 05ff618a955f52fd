"""Graphs are signed like programs, at the request of a deployer: a guest boots with a signed graph or not at all.

Asking again for the newest text gives the same envelope; another text, or an earlier one again, gets a new sequence.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from services.signer import policy as policies
from services.signer.policy import Allowed, GraphRequest, Policy
from services.signer.releases import graph_release
from services.signer.sequence import Counter, Reservation
from services.signer.signing import Signing
from unibpf.messages import SignedGraph, SignGraph

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
        key, reservation = await self._reservation(counter, request, digest, allowed, now)
        if not reservation.envelope:
            release = graph_release(request, reservation)
            reservation = await self.signing.sign(key, release, reservation, identity=REQUESTER, now=now)
        return SignedGraph(
            name=request.name,
            audience=request.audience,
            sequence=reservation.sequence,
            envelope=reservation.envelope,
            graph=digest,
            policy=reservation.policy,
            not_after=reservation.not_after,
        )

    async def _reservation(
        self, counter: str, request: SignGraph, digest: str, allowed: Allowed, now: int
    ) -> tuple[str, Reservation]:
        """The newest reservation when it is for this text and still holds, else a new one."""
        sequences = self.signing.sequences
        entry = await sequences.counters.get(counter)
        newest = None if entry is None else entry.decode(Counter)
        if newest is not None and newest.push_id == _push_id(digest):
            key = f"{counter}.{newest.sequence}"
            reservation = await sequences.reserve(key, _wanted(newest.sequence, digest, allowed))
            if reservation.not_after is None or reservation.not_after > now:
                return key, reservation
        audited = await self.signing.last_audited(request.name)
        floor = 0 if audited is None else audited.sequence
        sequence = await sequences.take(counter, _push_id(digest), audited=floor, now=now)
        key = f"{counter}.{sequence}"
        return key, await sequences.reserve(key, _wanted(sequence, digest, allowed))


def _push_id(digest: str) -> str:
    """Graphs have no push; their text names them."""
    return f"graph:{digest}"


def _wanted(sequence: int, digest: str, allowed: Allowed) -> Reservation:
    return Reservation(
        push_id=_push_id(digest),
        sequence=sequence,
        policy=allowed.rule,
        bundle=digest,
        not_after=allowed.not_after,
    )
