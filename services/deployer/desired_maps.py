"""Desired map entries: what guest files and `map set --keep` ask for, in KV; and having them put back before a guest runs.

The deployer holds the records; the reconfigurer of the guest's host speaks to the guest and puts the entries there.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from unibpf import subjects
from unibpf.bus import Bus, BusError, BusNotReady, Entry, Reject
from unibpf.bus.topology import GUESTS_OBSERVED, MAPS
from unibpf.host.guest_folder import GuestFolder
from unibpf.messages.desired_maps import (
    MAX_BYTES,
    MAX_ENTRIES,
    DesiredChange,
    DesiredChanged,
    DesiredMap,
    DesiredMaps,
    MapsPutBack,
    PutBackQuery,
)
from unibpf.messages.guests import GuestObserved

logger = logging.getLogger(__name__)

PATIENCE: Final = 20.0  # seconds: some thousand entries are many blocks
POKE_SECONDS: Final = 5.0


class DesiredEntries:
    """The desired map entries of all guests, as one host's deployer handles them."""

    def __init__(self, *, bus: Bus, host: str) -> None:
        self._bus = bus
        self._host = host
        self._pokes: set[asyncio.Task[None]] = set()

    async def from_file(self, guest: str, maps: Sequence[DesiredMap]) -> bool:
        """What a guest file asks for, in the place of what it asked for before; whether that is another. Raises Reject."""
        try:
            bucket = await self._bus.kv(MAPS)
            return await bucket.change(guest, lambda entry: with_file(_read(entry), maps)) is not None
        except BusNotReady:
            if maps:
                raise
            return False

    async def keep(self, change: DesiredChange) -> DesiredChanged:
        """What somebody set and wants to be there after the next boot; raises Reject."""
        bucket = await self._bus.kv(MAPS)
        await bucket.change(change.guest, lambda entry: with_change(_read(entry), change))
        entry = await bucket.get(change.guest)
        stands = _read(entry) or DesiredMaps()
        rows = [
            row for one in stands.kept if (one.element, one.map) == (change.element, change.map) for row in one.entries
        ]
        kept = sum(value is not None for _, value in rows)
        return DesiredChanged(kept=kept, revision=entry.revision if entry is not None else 0)

    async def forget(self, guest: str) -> None:
        """The guest is to end: a later one of its name has nothing of it."""
        try:
            await (await self._bus.kv(MAPS)).delete(guest)
        except BusNotReady:
            return

    async def put_back(self, folder: GuestFolder, guest: str) -> MapsPutBack | None:
        """Have the entries of a guest of this host put back; None where none are desired. That it failed is in the answer."""
        if not await self._are_any(folder, guest):
            return None
        try:
            return await self._ask(self._host, guest, PATIENCE)
        except BusError as error:
            return MapsPutBack(problems=[f"the desired map entries are not put back: {error}"])

    def poke(self, guest: str) -> None:
        """Others are desired: where it runs, they are put there now. If nobody hears it, the next comparison finds it."""
        task = asyncio.create_task(self._poke(guest), name=f"poke {guest}")
        self._pokes.add(task)
        task.add_done_callback(self._pokes.discard)

    async def _poke(self, guest: str) -> None:
        try:
            entry = await (await self._bus.kv(GUESTS_OBSERVED)).get(guest)
            seen = entry.decode(GuestObserved) if entry is not None else None
            if seen is not None and seen.is_live and seen.host == self._host:  # another host compares by itself
                await self._ask(self._host, guest, POKE_SECONDS)
        except (BusError, msgspec.MsgspecError) as error:
            logger.info("the desired map entries of `%s` are put there later: %s", guest, error)

    async def _ask(self, host: str, guest: str, patience: float) -> MapsPutBack:
        query = PutBackQuery(guest=guest)
        return await self._bus.request(subjects.put_back(host), query, MapsPutBack, timeout=patience)

    async def _are_any(self, folder: GuestFolder, guest: str) -> bool:
        """As far as the bus says, else this host's copy; what cannot be read counts as some."""
        try:
            entry = await (await self._bus.kv(MAPS)).record(guest)
        except BusNotReady:
            entry = None
        if entry is None:
            known = folder.put_back.read()
            return known is not None and known.desired != DesiredMaps()
        if entry.value is None and entry.fault is None:
            return False
        try:
            return entry.decode(DesiredMaps) != DesiredMaps()
        except msgspec.MsgspecError:
            return True


def with_file(before: DesiredMaps | None, maps: Sequence[DesiredMap]) -> DesiredMaps | None:
    """The record with another file's part; None where nothing changes. Raises Reject."""
    after = msgspec.structs.replace(before or DesiredMaps(), file=list(maps))
    return None if after == (before or DesiredMaps()) else _bounded(after)


def with_change(before: DesiredMaps | None, change: DesiredChange) -> DesiredMaps | None:
    """The record with a change of what is kept; None where nothing changes. Raises Reject.

    A key that is forgotten is taken back from the file's part too, for as long as that has rows of this map.
    """
    known = before or DesiredMaps()
    place = (change.element, change.map)
    others = [one for one in known.kept if (one.element, one.map) != place]
    rows = [row for one in known.kept if (one.element, one.map) == place for row in one.entries]
    in_file = any((one.element, one.map) == place for one in known.file)
    for key, value in change.entries:
        rows = [row for row in rows if row[0] != key]
        if value is not None or in_file:
            rows.append((key, value))
    kept = [*others, DesiredMap(element=change.element, map=change.map, entries=rows)] if rows else others
    after = msgspec.structs.replace(known, kept=kept)
    return None if after == known else _bounded(after)


def _bounded(desired: DesiredMaps) -> DesiredMaps:
    entries = sum(len(one.entries) for one in (*desired.file, *desired.kept))
    if entries > MAX_ENTRIES:
        raise Reject("maps", f"got {entries} desired map entries, expected at most {MAX_ENTRIES} of one guest")
    size = len(msgspec.json.encode(desired))
    if size > MAX_BYTES:
        raise Reject("maps", f"got {size} bytes of desired map entries, expected at most {MAX_BYTES} of one guest")
    return desired


def _read(entry: Entry | None) -> DesiredMaps | None:
    """Raises Reject where a newer version wrote it: it is not ours to replace."""
    try:
        return entry.decode(DesiredMaps) if entry is not None else None
    except msgspec.MsgspecError as error:
        raise Reject("maps", f"the desired map entries there are can't be read, and are left: {error}") from error
