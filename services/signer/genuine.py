"""What the signer believes of what lies in stores: nothing that its own key, or its own host's ledger, does not say too.

Buckets and streams are on the bus. Whoever can write there can put a number, a reservation or a newest release of his own;
such a thing is passed over, logged, and written anew.
"""

import logging
from typing import TypeVar

import msgspec

from unibpf.bus import Bus, BusError, Entry
from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import EnvelopeError, Release, TrustedKey

logger = logging.getLogger(__name__)

T = TypeVar("T")


def read(entry: Entry | None, kind: type[T]) -> T | None:
    """The value, where there is one that can be read."""
    if entry is None:
        return None
    try:
        return entry.decode(kind)
    except msgspec.MsgspecError as error:
        logger.warning("`%s` is not believed: it can't be read as %s: %s", entry.key, kind.__name__, error)
        return None


async def is_ours(bus: Bus, key: TrustedKey, digest: str, wanted: Release) -> bool:
    """Whether the envelope under `digest` was signed by our key for what `wanted` says; who verified it may differ."""
    try:
        found = envelopes.verify(await bus.get_object(digest, max_bytes=envelopes.MAX_ENVELOPE_BYTES), [key])
    except (EnvelopeError, BusError) as error:
        logger.warning("envelope `%.64s` is not believed: %s", digest, error)
        return False
    return _essence(found) == _essence(wanted)


def _essence(release: Release) -> tuple[object, ...]:
    return (
        release.kind,
        release.program,
        release.element,
        release.sequence,
        release.audience,
        release.bundle,
        release.not_after,
    )
