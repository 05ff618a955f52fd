"""Keeps the signed list of each audience (unibpf/formats/release_list.py): soon after a release, and every hour.

No push waits for it. What it names is the newest of this host's ledger, or a newer one of the bucket of releases that our key
signed: another host's signer wrote that.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from services.signer.errors import HsmError
from services.signer.hsm import Hsm
from services.signer.sequence import read
from unibpf.bus import Bucket, Bus, BusError
from unibpf.client.genuine import difference
from unibpf.formats import envelope as envelopes
from unibpf.formats import release_list
from unibpf.formats.envelope import EnvelopeError
from unibpf.formats.release_list import Current, ReleaseList
from unibpf.host.ledger import Ledger, LedgerError
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

GATHER_SECONDS: Final = 0.5  # a burst of pushes makes one list
HOUR_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 5.0
PROGRAM: Final = "program"


@dataclass(kw_only=True)
class Lists:
    """`releases` and `lists` are the buckets, `clock` gives Unix seconds."""

    bus: Bus
    hsm: Hsm
    ledger: Ledger
    releases: Bucket
    lists: Bucket
    clock: Callable[[], float]
    _changed: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _ours: set[str] = field(default_factory=set)

    def changed(self, audience: str) -> None:
        """There is a new release."""
        self._changed.add(audience)
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        everything = True
        while True:
            try:
                await self._write(everything=everything)
                everything, patience = False, HOUR_SECONDS
            except (BusError, HsmError, LedgerError, EnvelopeError) as error:
                logger.warning("the signed list of releases waits: %s", error)
                patience = RETRY_SECONDS
            except Exception:  # a fault of ours must not end the lists for ever
                logger.exception("the signed list of releases waits")
                patience = RETRY_SECONDS
            try:
                async with asyncio.timeout(patience):
                    await self._wake.wait()
                await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                everything = True
            self._wake.clear()

    async def _write(self, *, everything: bool) -> None:
        changed, self._changed = self._changed, set()
        try:
            current = await self._current()
            for audience in sorted(current.keys() if everything else current.keys() & changed):
                await self._sign(audience, current[audience].values())
        except BaseException:
            self._changed |= changed
            raise

    async def _current(self) -> dict[str, dict[tuple[str, str], Current]]:
        """By audience, then by program and element: what is newest."""
        found: dict[str, dict[tuple[str, str], Current]] = defaultdict(dict)
        for entry in await self.releases.entries():
            signed = read(entry, Signed)
            if signed is not None and await self._is_ours(signed):
                one = _current(signed.program, signed.element, signed.sequence, signed.envelope)
                found[signed.audience][one.program, one.element] = one
        for row in await asyncio.to_thread(self.ledger.newest_rows):
            kind, audience, program = row.counter.split(".", 2)
            if kind == PROGRAM:
                told = found[audience].get((program, row.element))
                if told is None or told.sequence <= row.sequence:
                    found[audience][program, row.element] = _current(program, row.element, row.sequence, row.envelope)
        return found

    async def _is_ours(self, signed: Signed) -> bool:
        """Whether our key signed it as it is told; asked once for each envelope."""
        known = f"{signed.envelope} {signed.sequence} {signed.program} {signed.audience} {signed.element}"
        if known in self._ours:
            return True
        try:
            data = await self.bus.get_object(signed.envelope, max_bytes=envelopes.MAX_ENVELOPE_BYTES)
            envelopes.verify(data, [self.hsm.key])
        except (EnvelopeError, BusError) as error:
            logger.warning("release `%s` is not listed: %s", signed.envelope, error)
            return False
        if difference(signed, data) is not None:
            return False
        self._ours.add(known)
        return True

    async def _sign(self, audience: str, releases: Iterable[Current]) -> None:
        now, before = self.clock(), await self.lists.get(audience)
        version = int(now * 1000)
        if before is not None and before.value is not None:
            try:
                version = max(version, release_list.verify(before.value, [self.hsm.key]).version + 1)
            except EnvelopeError as error:
                logger.warning("the list of `%s` is written anew: %s", audience, error)
        wanted = ReleaseList(audience=audience, version=version, time=int(now), releases=tuple(releases))
        protected = envelopes.protected_header(self.hsm.key.alg, self.hsm.key.kid)
        payload = release_list.encode(wanted)
        signature = await self.hsm.sign(release_list.to_be_signed(protected, payload))
        data = release_list.assemble(protected, payload, signature)
        await self.lists.change(audience, lambda _: data)


def _current(program: str, element: str, sequence: int, envelope: str) -> Current:
    return Current(program=program, element=element, sequence=sequence, envelope=bytes.fromhex(envelope))
