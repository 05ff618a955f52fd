"""May a release run where this host has nothing to compare it with? For elements that have neither a floor nor a record here.

An old, genuine release is as well signed as a new one. So it is taken if it was signed just now (its number is the signer's
clock, inside what is signed), or if the signed list of its audience, which is young and no older than one that this host
has seen, names it as current (unibpf/formats/release_list.py). What the bus says of it besides is worth nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from unibpf.bus.client import Bus
from unibpf.bus.errors import BusError
from unibpf.bus.topology import RELEASE_LISTS
from unibpf.formats import release_list
from unibpf.formats.envelope import ALGORITHMS, EnvelopeError, TrustedKey
from unibpf.formats.release_list import ReleaseList
from unibpf.host.ledger import TICKS
from unibpf.host.private_file import write_private
from unibpf.host.settings import StatePaths
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

FRESH_SECONDS: Final = 600  # since it was signed
MAX_AGE_SECONDS: Final = 3 * 86400  # of a list: signers make one an hour
MAX_SKEW_SECONDS: Final = 600
MAX_TRUSTED_BYTES: Final = 65536


class _Row(Struct, frozen=True):
    kid: str
    alg: Literal["EdDSA", "ES256"] | Literal[-8, -7]
    key: str


def trusted_keys(path: Path) -> list[TrustedKey]:
    """`trusted-signers.json`; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            rows = msgspec.json.decode(file.read(MAX_TRUSTED_BYTES), type=list[_Row])
        return [
            TrustedKey(
                alg=row.alg if isinstance(row.alg, int) else ALGORITHMS[row.alg],
                key=bytes.fromhex(row.key),
            )
            for row in rows
        ]
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        logger.warning("no signer's list is believed: `%s` can't be read: %s", path, error)
        return []


class CurrentReleases:
    """Asks the lists on the bus; remembers on this host how new they were."""

    def __init__(self, *, bus: Bus, paths: StatePaths, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._trusted = paths.trusted_signers
        self._memory = paths.host / "release-lists.json"
        self._clock = clock

    async def fault(self, release: Signed) -> str | None:
        """Why an element that never had a release does not take this one, or None. Its envelope says the same (genuine.py)."""
        now = self._clock()
        if (now - FRESH_SECONDS) * TICKS <= release.sequence <= (now + MAX_SKEW_SECONDS) * TICKS:
            return None
        said = f"release {release.sequence} of `{release.program}` is not known here to be current"
        try:
            found = await self._list(release.audience, int(now))
        except (EnvelopeError, BusError) as error:
            return f"{said}: {error}"
        if found.names(release.program, release.element, release.envelope):
            return None
        return f"{said}: the signed list of `{release.audience}` (version {found.version}) names another or none"

    async def _list(self, audience: str, now: int) -> ReleaseList:
        entry = await (await self._bus.kv(RELEASE_LISTS)).get(audience)
        if entry is None or entry.value is None:
            raise EnvelopeError("release-list", f"there is no signed list of `{audience}`; is a signer running?")
        found = release_list.verify(entry.value, await asyncio.to_thread(trusted_keys, self._trusted))
        if found.audience != audience:
            raise EnvelopeError("release-list", f"the list is of `{found.audience}`")
        if not now - MAX_AGE_SECONDS <= found.time <= now + MAX_SKEW_SECONDS:
            raise EnvelopeError(
                "release-list", f"the signed list is of {found.time}, now it is {now}; is a signer running?"
            )
        await asyncio.to_thread(self._remember, found)
        return found

    def _remember(self, found: ReleaseList) -> None:
        """Raise the version that this host has seen; raises EnvelopeError for one below it."""
        seen = self._seen()
        highest = seen.get(found.audience, 0)
        if found.version < highest:
            raise EnvelopeError("release-list", f"the signed list has version {found.version}, {highest} was seen here")
        if found.version > highest:
            self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._memory, msgspec.json.encode(seen | {found.audience: found.version}))

    def _seen(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(self._memory.read_bytes(), type=dict[str, int])
        except (OSError, msgspec.MsgspecError):
            return {}
