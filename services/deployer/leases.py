"""Who runs a guest: one host at a time, by compare-and-set in KV `unibpf-leases`.

A lease names a host and until when. It is taken when it is free, ours already, or over for a third of its time (hosts' clocks
differ), and renewed at half of its time. What a host does that cannot renew is in fencing.py. Right before
a boot the guest is claimed once more: collecting what it boots with may have taken longer than the lease. `claims` is pure,
so that what two hosts do to each other can be tested without either.
"""

import logging
from collections.abc import Set
from typing import Final

import msgspec
from msgspec import Struct

from services.deployer.errors import LeaseError
from unibpf.authority.judge import WINDOW_US
from unibpf.bus import Bucket, Entry

logger = logging.getLogger(__name__)


class Lease(Struct, frozen=True, kw_only=True):
    """The value under `<guest>`; `until` is Unix seconds."""

    host: str
    until: float


GRACE: Final = 1 / 3  # of a lease: how far apart the clocks of two hosts may be


class Claimed(Struct, frozen=True, kw_only=True):
    """Who may act on the guest, for how long, and whose lease ran out before without being given up."""

    holder: str | None
    remaining: float = 0.0
    before: str | None = None


def claims(held: Lease | None, *, host: str, now: float, seconds: float) -> Lease | None:
    """The lease to write now: None where nothing needs writing, or nothing may be."""
    if held is not None and held.host != host and held.until + seconds * GRACE > now:
        return None
    if held is not None and held.host == host and held.until - now > seconds / 2:
        return None
    return Lease(host=host, until=now + seconds)


def holder(held: Lease | None, *, now: float) -> str | None:
    """The host that may act on the guest; None where nobody may."""
    return held.host if held is not None and held.until > now else None


class Leases:
    """The claims of one host; `held` are the guests that it held a moment ago."""

    def __init__(self, *, bucket: Bucket, host: str, seconds: float, held: Set[str] = frozenset()) -> None:
        self._bucket = bucket
        self._held = held
        self._host = host
        self._seconds = seconds

    async def claim(self, guest: str, now: float, *, pinned_us: int | None = None) -> Claimed:
        """Take or renew; who holds the guest now. `pinned_us` is when somebody asked for it on this very host."""
        written: list[Lease | None] = [None]
        before: list[str | None] = [None]

        def step(entry: Entry | None) -> Lease | None:
            held = self._spoilt(entry, now) or _readable(entry)
            if has_no_business(entry, held, host=self._host, pinned_us=pinned_us):
                logger.warning("host `%s` took `%s`, which is pinned to this one", held.host if held else "", guest)
                held = None
            lease = claims(held, host=self._host, now=now, seconds=self._seconds)
            written[0] = lease or held
            before[0] = held.host if lease is not None and held is not None and held.host != self._host else None
            return lease

        await self._bucket.change(guest, step)
        lease = written[0]
        remaining = lease.until - now if lease is not None else 0.0
        return Claimed(holder=holder(lease, now=now), remaining=remaining, before=before[0])

    def _spoilt(self, entry: Entry | None, now: float) -> Lease | None:
        """What nobody may have written ends no lease of ours: it is written again. Of others' nothing is known then."""
        if entry is None or entry.fault is None or entry.key not in self._held:
            return None
        return Lease(host=self._host, until=now)

    async def release(self, guest: str) -> None:
        """Give up a deleted guest."""
        entry = await self._bucket.get(guest)
        held = _readable(entry)
        if entry is not None and held is not None and held.host == self._host:
            await self._bucket.delete(guest, entry.revision)


def has_no_business(entry: Entry | None, held: Lease | None, *, host: str, pinned_us: int | None) -> bool:
    """Whether a host took a guest long after it was pinned to another. Before that, or by then, it may run there still."""
    if entry is None or entry.said is None or held is None or held.host == host or pinned_us is None:
        return False
    return entry.said.at_us > pinned_us + 2 * WINDOW_US


def _readable(entry: Entry | None) -> Lease | None:
    """Raises LeaseError for what is no lease: whose it is cannot be known."""
    try:
        return entry.decode(Lease) if entry is not None else None
    except msgspec.MsgspecError as error:
        raise LeaseError("lease", f"the lease of `{entry.key if entry else ''}` can't be read: {error}") from error
