"""Who runs a guest: one host at a time, by compare-and-set in KV `unibpf-leases`.

A lease names a host and until when. It is taken when it is free, over, or ours already, and renewed at half of its time. A
host that can't reach the bus keeps its guests running; another host takes them over when the lease is over. Right before
a boot the guest is claimed once more: collecting what it boots with may have taken longer than the lease. `claims` is pure,
so that what two hosts do to each other can be tested without either.
"""

import msgspec
from msgspec import Struct

from services.deployer.errors import LeaseError
from unibpf.bus import Bucket, Entry


class Lease(Struct, frozen=True, kw_only=True):
    """The value under `<guest>`; `until` is Unix seconds."""

    host: str
    until: float


def claims(held: Lease | None, *, host: str, now: float, seconds: float) -> Lease | None:
    """The lease to write now: None where nothing needs writing, or nothing may be."""
    if held is not None and held.host != host and held.until > now:
        return None
    if held is not None and held.host == host and held.until - now > seconds / 2:
        return None
    return Lease(host=host, until=now + seconds)


def holder(held: Lease | None, *, now: float) -> str | None:
    """The host that may act on the guest; None where nobody may."""
    return held.host if held is not None and held.until > now else None


class Leases:
    """The claims of one host."""

    def __init__(self, *, bucket: Bucket, host: str, seconds: float) -> None:
        self._bucket = bucket
        self._host = host
        self._seconds = seconds

    async def claim(self, guest: str, now: float) -> str | None:
        """Take or renew; the host that holds the guest now."""
        written: list[Lease | None] = [None]

        def step(entry: Entry | None) -> Lease | None:
            held = _readable(entry)
            lease = claims(held, host=self._host, now=now, seconds=self._seconds)
            written[0] = lease or held
            return lease

        await self._bucket.change(guest, step)
        return holder(written[0], now=now)

    async def release(self, guest: str) -> None:
        """Give up a deleted guest."""
        entry = await self._bucket.get(guest)
        held = _readable(entry)
        if entry is not None and held is not None and held.host == self._host:
            await self._bucket.delete(guest, entry.revision)


def _readable(entry: Entry | None) -> Lease | None:
    """Raises LeaseError for what is no lease: whose it is cannot be known."""
    try:
        return entry.decode(Lease) if entry is not None else None
    except msgspec.MsgspecError as error:
        raise LeaseError("lease", f"the lease of `{entry.key if entry else ''}` can't be read: {error}") from error
