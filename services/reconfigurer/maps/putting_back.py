"""Puts the desired map entries into a guest's maps: after its boot, after a swap that emptied a map, when others are desired.

The desired entries are words; the bundle that the element runs says what bytes they are (unibpf/formats/map_forms.py). What was
put is on the host's disk (unibpf/host/put_back.py), so entries that packets or people changed since are left as they are: a
map is written again only where it is another one, and then whole. Where the bus has no record, the host's copy counts:
absence is no command; a tombstone is.
"""

import asyncio
import errno
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.reconfigurer.errors import GuestRefused, GuestUnknown, GuestUnreachable
from services.reconfigurer.maps import map_changes
from services.reconfigurer.queries import inspection
from services.reconfigurer.sessions import Sessions
from unibpf.bus import Bus, BusError, BusNotReady, Entry, ObjectCorrupt, ObjectMissing, Reject
from unibpf.bus.topology import MAPS
from unibpf.formats import bundle as bundles
from unibpf.formats import envelope as envelopes
from unibpf.formats import map_forms
from unibpf.formats.bpf import ARRAYS
from unibpf.formats.bundle import BundleError, BundleMap
from unibpf.formats.envelope import EnvelopeError
from unibpf.formats.layout import LayoutError
from unibpf.formats.map_forms import Change, MapForm, Words
from unibpf.formats.map_words import WordError
from unibpf.host.put_back import MapRecord, PutBackRecord
from unibpf.messages.desired_maps import DesiredMaps, MapsPutBack
from unibpf.messages.elements import ElementEvent
from unibpf.messages.maps import MapChange
from unibpf.messages.status import ElementStatus, MapStatus

logger = logging.getLogger(__name__)

UNREADABLE: Final = "the desired map entries can't be read or believed (a newer version's?); this host's copy counts"

Place = tuple[str, str]  # element and map


class _Desired(Struct, frozen=True, kw_only=True):
    maps: DesiredMaps
    revision: int = 0
    problem: str | None = None


class PuttingBack:
    """The desired entries of one host's guests; one guest at a time each."""

    def __init__(self, *, bus: Bus, sessions: Sessions) -> None:
        self._bus = bus
        self._sessions = sessions
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def put_back(self, guest: str) -> MapsPutBack:
        """See that they are there. Raises GuestUnknown, GuestUnreachable, BusError."""
        async with self._locks[guest]:
            boot_id, file = self._sessions.boot(guest).boot_id, self._sessions.folder(guest).put_back
            before = await asyncio.to_thread(file.read) or PutBackRecord()
            desired = choose(await self._record(guest), before)
            rows = rows_of(desired.maps)
            known = before if before.boot_id == boot_id else PutBackRecord()
            if not rows and not known.maps and not before.desired.file and not before.desired.kept:
                return MapsPutBack(revision=desired.revision)
            elements = {one.name: one for one in (await inspection.status(self._sessions, guest)).elements}
            places = sorted({*rows, *((one.element, one.map) for one in known.maps)})
            maps = [
                await self._one(guest, place, rows.get(place, []), known.of(*place), elements.get(place[0]))
                for place in places
            ]
            after = PutBackRecord(
                boot_id=boot_id,
                desired=desired.maps,
                revision=desired.revision,
                maps=[one for one in maps if one.wanted or one.entries or one.problem],
                problem=desired.problem,
            )
            await asyncio.to_thread(file.write, after)
            self._say(guest, before, after)
            return after.answer()

    async def after_swap(self, event: ElementEvent) -> None:
        """Another program is active: maps that it kept have their entries, others get them. What fails is tried again."""
        file = self._sessions.folder(event.guest).put_back
        record = await asyncio.to_thread(file.read)
        if record is None or all(one.element != event.element for one in record.maps):
            return
        kept = {row.name for row in event.maps if row.decision == "kept" and not event.already}
        try:
            async with self._locks[event.guest]:
                record = await asyncio.to_thread(file.read) or record
                maps = [
                    replace(one, envelope=event.envelope) if one.element == event.element and one.map in kept else one
                    for one in record.maps
                ]
                await asyncio.to_thread(file.write, replace(record, maps=maps))
            await self.put_back(event.guest)
        except (BusError, GuestUnreachable, GuestUnknown) as error:
            logger.warning("the desired map entries of `%s` could not be put back: %s", event.guest, error)

    async def _record(self, guest: str) -> Entry | None:
        try:
            return await (await self._bus.kv(MAPS)).record(guest)
        except BusNotReady:  # a server that nobody gave this bucket yet
            return None

    async def _one(
        self, guest: str, place: Place, rows: list[Words], known: MapRecord | None, element: ElementStatus | None
    ) -> MapRecord:
        """One map: what is known of it, or what became of it now."""
        digest, (name, map_name) = digest_of(rows), place
        wanted = len([value for _, value in rows if value is not None])
        record = MapRecord(element=name, map=map_name, rows=digest, wanted=wanted)
        if element is None or element.envelope is None:
            lack = "no such element" if element is None else "no program yet"
            return replace(record, problem=f"map `{map_name}` of `{name}`: {lack}" if wanted else None)
        row = next((one for one in element.maps if one.name == map_name), None)
        if row is None:
            has = ", ".join(f"`{one.name}`" for one in element.maps) or "none"
            lack = f"element `{name}` has no map `{map_name}`; its program `{element.program}` has: {has}"
            return replace(record, problem=lack if wanted else None)
        old = known if known is not None and known.envelope == element.envelope else None
        if old is not None and old.problem is None and old.rows == digest:
            return old
        record = replace(record, envelope=element.envelope)
        try:
            form = await self._form(guest, element, row)
            target = dict(form.change(key, value) for key, value in rows)
        except (WordError, LayoutError) as error:
            return replace(record, problem=f"map `{map_name}` of `{name}`: {error}")
        record = replace(record, wanted=sum(value is not None for value in target.values()))
        return await self._write(guest, record, target, dict(old.entries) if old is not None else {}, row)

    async def _write(
        self, guest: str, record: MapRecord, target: Mapping[str, str | None], there: dict[str, str], row: MapStatus
    ) -> MapRecord:
        """Bring the map from what was put `there` to the `target`, as far as guest and map take it."""
        problem = None
        try:
            for part in map_forms.parts(steps(target, there, is_array=row.type in ARRAYS)):
                problem = await self._send(guest, record, part, there)
                if problem is not None:
                    break
        except (GuestRefused, Reject) as error:
            problem = f"map `{record.map}` of `{record.element}`: {error.rule}: {error}"
        return replace(record, entries=sorted(there.items()), problem=problem)

    async def _send(self, guest: str, record: MapRecord, part: list[Change], there: dict[str, str]) -> str | None:
        """One request, or several: an entry that is to go and is not there is no fault."""
        left = part
        while left:
            wanted = MapChange(
                guest=guest, element=record.element, map=record.map, changes=left, envelope=record.envelope
            )
            changed = await map_changes.change(self._sessions, wanted)
            for key, value in left[: changed.applied]:
                there.pop(key, None)
                there.update({} if value is None else {key: value})
            if changed.errno is None:
                return None
            key, value = left[changed.applied]
            if value is not None or changed.errno != errno.ENOENT:
                name = errno.errorcode.get(changed.errno, str(changed.errno))
                return f"map `{record.map}` of `{record.element}` refused key `hex:{key}` with {name}"
            there.pop(key, None)
            left = left[changed.applied + 1 :]
        return None

    async def _form(self, guest: str, element: ElementStatus, row: MapStatus) -> MapForm:
        """Sizes from the guest; layouts from the bundle, where that can be had: without it words are plain ones."""
        maps = await self._maps(guest, element)
        keys, values = map_forms.texts(maps, row.name, key_size=row.key_size, value_size=row.value_size)
        return MapForm(
            type=row.type,
            key_size=row.key_size,
            value_size=row.value_size,
            key=map_forms.parsed(keys),
            value=map_forms.parsed(values),
        )

    async def _maps(self, guest: str, element: ElementStatus) -> Iterable[BundleMap]:
        digest = element.envelope or ""
        try:
            data = await asyncio.to_thread(self._shelved, guest, element.name, digest)
            if data is None:
                signed = envelopes.parse(await self._bus.get_object(digest))
                data = await self._bus.get_object(signed.release.bundle.hex())
            return bundles.decode(data).maps
        except (ObjectMissing, ObjectCorrupt, EnvelopeError, BundleError) as error:
            logger.warning("layouts of the maps of `%s/%s` are not known: %s", guest, element.name, error)
            return ()

    def _shelved(self, guest: str, element: str, digest: str) -> bytes | None:
        shelf = self._sessions.folder(guest).outcomes
        release = next((one.release for one in shelf.read().get(element, []) if one.release.envelope == digest), None)
        kept = shelf.take(release) if release is not None else None
        return kept[1] if kept is not None else None

    def _say(self, guest: str, before: PutBackRecord, after: PutBackRecord) -> None:
        if after != before:
            counts = after.answer()
            line = {"guest": guest, "desired": counts.desired, "put_back": counts.put_back, "problems": counts.problems}
            logger.info("map entries", extra=line)


def choose(entry: Entry | None, before: PutBackRecord) -> _Desired:
    """What is desired: what the bus says, nothing after a tombstone, the host's copy where the bus says nothing readable."""
    if entry is None:
        return _Desired(maps=before.desired)
    if entry.value is None and entry.fault is None:
        return _Desired(maps=DesiredMaps(), revision=entry.revision)
    try:
        return _Desired(maps=entry.decode(DesiredMaps), revision=entry.revision)
    except msgspec.MsgspecError:
        return _Desired(maps=before.desired, revision=before.revision, problem=UNREADABLE)


def rows_of(desired: DesiredMaps) -> dict[Place, list[Words]]:
    """By element and map: the file's rows, then those that were kept, which win."""
    found: dict[Place, list[Words]] = {}
    for one in (*desired.file, *desired.kept):
        found.setdefault((one.element, one.map), []).extend(one.entries)
    return found


def digest_of(rows: Any) -> str:
    """Of the rows as they are written."""
    return hashlib.sha256(msgspec.json.encode(rows, order="deterministic")).hexdigest()


def steps(target: Mapping[str, str | None], there: Mapping[str, str], *, is_array: bool) -> list[Change]:
    """What to send: first what is to go, for it makes room; places of an array stay, they cannot go."""
    gone = [key for key in there if target.get(key) is None]
    gone += [key for key, value in target.items() if value is None and key not in there]
    put: list[Change] = [(key, value) for key, value in target.items() if value is not None and there.get(key) != value]
    return put if is_array else [*((key, None) for key in gone), *put]
