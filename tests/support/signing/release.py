"""A signer without an HSM: an Ed25519 key in memory behind the signer's real seams (endpoint, object store, KV, events).

For tests of what comes after the signer; the real signer and its token have tests of their own.
"""

import json
import time
from pathlib import Path

from tests.support.signing.signing import Signer, release_of
from unibpf import subjects
from unibpf.bus import Bus, Received, ServiceError
from unibpf.bus.release_keys import release_key
from unibpf.bus.topology import RELEASE_LISTS, RELEASES
from unibpf.formats import envelope
from unibpf.formats.envelope import TrustedKey, VerifierNote
from unibpf.formats.release_list import Current, ReleaseList
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.programs import Signed

OPERATOR = VerifierNote(name="operator", version="", options=bytes(32), verdict=bytes(32))


class TestSigner:
    """Signs anything; `sequence` counts up from the clock, or from a number that can be set."""

    __test__ = False

    def __init__(self, *, bus: Bus, sequence: int | None = None) -> None:
        self._bus = bus
        self._signer = Signer()
        self._graphs: dict[tuple[str, str], SignedGraph] = {}
        self.sequence = int(time.time() * 1000) if sequence is None else sequence  # as a signer's, they are the clock's
        self.is_away = False  # as where the token is gone

    @property
    def trusted(self) -> TrustedKey:
        return self._signer.trusted

    def write_trusted(self, path: Path) -> None:
        """`trusted-signers.json`, as `init-token` writes it."""
        row = {"kid": self.trusted.kid.hex(), "alg": "EdDSA", "key": self.trusted.key.hex()}
        path.write_text(json.dumps([row]))

    async def write_list(self, *releases: Signed, audience: str = "edge") -> None:
        """The signed list that names these as current."""
        rows = tuple(
            Current(
                program=one.program, element=one.element, sequence=one.sequence, envelope=bytes.fromhex(one.envelope)
            )
            for one in releases
        )
        now = time.time()
        wanted = ReleaseList(audience=audience, version=int(now * 1000), time=int(now), releases=rows)
        bucket = await self._bus.kv(RELEASE_LISTS)
        await bucket.change(audience, lambda _: self._signer.release_list(wanted))

    async def serve(self) -> None:
        """Answer `sign_graph` as the signer does."""
        await self._bus.serve("unibpf-signer", {subjects.sign_graph(): self.on_sign_graph})

    async def on_sign_graph(self, message: Received) -> SignedGraph:
        if self.is_away:
            raise ServiceError("503", "the token is away")
        ask = message.decode(SignGraph)
        digest = envelope.digest(ask.graph.encode())
        if (ask.name, digest) not in self._graphs:
            self._graphs[ask.name, digest] = await self._sign_graph(ask, digest)
        return self._graphs[ask.name, digest]

    async def _sign_graph(self, ask: SignGraph, digest: str) -> SignedGraph:
        self.sequence += 1
        fields = {"kind": "graph", "program": ask.name, "sequence": self.sequence, "audience": ask.audience}
        signed = self._signer.release(ask.graph.encode(), **fields, verifier=OPERATOR)
        return SignedGraph(
            name=ask.name,
            audience=ask.audience,
            sequence=self.sequence,
            envelope=await self._bus.put_object(signed),
            graph=digest,
            policy="test",
        )

    async def release(
        self, data: bytes, /, *, program: str, audience: str, push_id: str = "", **fields: object
    ) -> Signed:
        """Sign a bundle, make it the newest release and publish `signed`. `fields` override those of the Release."""
        self.sequence += 1
        base = {"program": program, "sequence": self.sequence, "audience": audience}
        release = release_of(data, **(base | fields))
        signed = Signed(
            push_id=push_id or f"test:{release.sequence}",
            program=program,
            audience=audience,
            kind=release.kind,
            element=release.element,
            sequence=release.sequence,
            envelope=await self._bus.put_object(self._signer.sign(release)),
            bundle=await self._bus.put_object(data),
            policy="test",
            identity="ci",
        )
        await (await self._bus.kv(RELEASES)).change(release_key(audience, program, signed.element), lambda _: signed)
        await self._bus.publish(subjects.signed(program), signed)
        return signed
