"""One map of a running guest, asked of the reconfigurer of the guest's host.

Sizes come from the guest, the layout of values from the bundle of the release that it runs. A change is bound to that
release: if another one becomes active meanwhile, the guest refuses it, and no value is written by the wrong layout.
"""

import errno
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus, ObjectMissing
from unibpf.client import guests
from unibpf.formats import bundle, envelope, layout, map_words
from unibpf.formats.bpf import RINGS
from unibpf.formats.layout import Layout, LayoutError
from unibpf.messages.maps import MAX_CHANGE_BYTES, MAX_CHANGES, MapChange, MapChanged, MapDump, MapMode, MapQuery
from unibpf.messages.status import ElementStatus, GuestStatus, MapStatus

PATIENCE: Final = 20.0  # seconds: a large dump or change is many blocks

Words = tuple[Any, Any]  # key and value as written; value None deletes
Change = tuple[str, str | None]  # the same in hex


class MapError(Exception):
    """There is no such map, or it cannot be used as was asked; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class NoProgramError(MapError):
    """The element is there and has no program, so it has no maps now."""


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One entry as `--json` prints it: hex, and key and value as people write them where the layout is known."""

    key: str
    value: str
    key_fields: Any = None
    fields: Any = None


class Dump(msgspec.Struct, kw_only=True):
    """What `map dump --json` and `map get --json` print; `position` and `lost` are a ring's."""

    map: str
    type: int
    key_size: int
    value_size: int
    layout: str | None
    key_layout: str | None
    entries: list[Entry]
    position: int | None = None
    lost: int = 0


class Changed(msgspec.Struct, kw_only=True):
    """What `map set --json` and `map delete --json` print. `failed` is the first change that was not made."""

    map: str
    changes: int
    applied: int = 0
    entries: int = 0
    failed: str | None = None
    errno: int | None = None
    errno_name: str | None = None
    trace_id: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where the map is, what the guest says of it, and the text of its values' layout, or why that is not known."""

    host: str
    guest: str
    element: ElementStatus
    row: MapStatus
    layout: str | None
    key_layout: str | None = None
    problem: str | None = None


class View:
    """A map that was found."""

    def __init__(self, bus: Bus, found: Found) -> None:
        self._bus = bus
        self._found = found
        self._shape: Layout | None = layout.parse(found.layout) if found.layout is not None else None
        self._key_shape: Layout | None = layout.parse(found.key_layout) if found.key_layout is not None else None

    @property
    def problem(self) -> str | None:
        """Why values are bytes here although the program may know their layout."""
        return self._found.problem

    async def dump(self, *, nonzero: bool = False, received: int = 0) -> Dump:
        """All entries, or those whose value is not all zeroes; of a ring, the records after `received`."""
        entries: list[Entry] = []
        cursor = received
        while True:
            page = await self._ask(cursor=cursor)
            entries += [entry for entry in self._entries(page) if entry.value.strip("0") or not nonzero]
            cursor = page.next
            if cursor == 0:
                return self._dump(entries, position=page.position, lost=page.lost)

    async def drain(self) -> AsyncIterator[MapDump]:
        """A ring's records, until there are none; each page is acknowledged by asking for the next one."""
        if self._found.row.type not in RINGS:
            raise MapError(f"`{self._found.row.name}` is no ring", "`unibpf map dump` shows other maps")
        position = 0
        while True:
            page = await self._ask(cursor=position)
            if not page.entries and page.position in (None, position):
                return
            yield page
            position = page.position or 0  # a ring always says it

    async def get(self, key: Any) -> Dump:
        """The entry of one key, or none."""
        return self._dump(self._entries(await self._ask(key=self._key(key).hex())))

    async def change(self, rows: Sequence[Words], mode: MapMode) -> Changed:
        """Make the changes in order, until one fails; all are read before the first is sent.

        An exception on the way bears a note (PEP 678) of how many were made before it.
        """
        changes = [self._change(key, value) for key, value in rows]
        row = self._found.row
        done = Changed(map=row.name, changes=len(changes), entries=row.entries, trace_id=tracing.trace_id())
        for part in parts(changes):
            answer = await self._send(part, mode, done.applied)
            done.applied += answer.applied
            done.entries = answer.entries
            if answer.errno is not None:
                done.failed, done.errno = part[answer.applied][0], answer.errno
                done.errno_name = errno.errorcode.get(answer.errno, str(answer.errno))
                break
        return done

    async def _send(self, part: list[Change], mode: MapMode, before: int) -> MapChanged:
        found = self._found
        wanted = MapChange(
            guest=found.guest,
            element=found.element.name,
            map=found.row.name,
            changes=part,
            mode=mode,
            envelope=found.element.envelope,
        )
        try:
            return await self._bus.request(subjects.map_change(found.host), wanted, MapChanged, timeout=PATIENCE)
        except Exception as error:
            if before:
                error.add_note(f"{before} changes were made before this:")
            raise

    def _key(self, key: Any) -> bytes:
        row = self._found.row
        return map_words.key_bytes(key, row.key_size, shape=self._key_shape, map_type=row.type)

    def _change(self, key: Any, value: Any) -> Change:
        row = self._found.row
        name = self._key(key).hex()
        return name, None if value is None else map_words.value_bytes(value, row.value_size, self._shape).hex()

    async def _ask(self, *, cursor: int = 0, key: str | None = None) -> MapDump:
        found = self._found
        query = MapQuery(guest=found.guest, element=found.element.name, map=found.row.name, cursor=cursor, key=key)
        return await self._bus.request(subjects.map_dump(found.host), query, MapDump, timeout=PATIENCE)

    def _entries(self, page: MapDump) -> list[Entry]:
        return [self._entry(key, value) for key, value in page.entries]

    def _entry(self, key: str, value: str) -> Entry:
        row = self._found.row
        shown = map_words.key_fields(key, row.type, self._key_shape) if row.type not in RINGS else None
        fields = layout.decode(self._shape, bytes.fromhex(value)) if self._shape is not None else None
        return Entry(key=key, value=value, key_fields=shown, fields=fields)

    def _dump(self, entries: list[Entry], *, position: int | None = None, lost: int = 0) -> Dump:
        row = self._found.row
        return Dump(
            map=row.name,
            type=row.type,
            key_size=row.key_size,
            value_size=row.value_size,
            layout=self._found.layout,
            key_layout=self._found.key_layout,
            entries=entries,
            position=position,
            lost=lost,
        )


async def view(bus: Bus, guest: str, element: str, name: str) -> View:
    """Find the map; raises MapError when there is no such guest, element, program or map."""
    observed = await guests.observed(bus, guest)
    if observed is None or not observed.is_live:
        raise MapError(f"no guest `{guest}` is running", "`unibpf guest list` shows them")
    status = await guests.status(bus, observed)
    found = _element(status, element)
    row = next((row for row in found.maps if row.name == name), None)
    if row is None:
        known = ", ".join(f"`{row.name}`" for row in found.maps) or "none"
        raise MapError(f"element `{element}` has no map `{name}`", f"its program `{found.program}` has: {known}")
    (keys, values), problem = await _layouts(bus, found, row)
    return View(
        bus,
        Found(host=observed.host, guest=guest, element=found, row=row, layout=values, key_layout=keys, problem=problem),
    )


def parts(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Pure: the changes in runs that fit into one MapChange each."""
    run: list[Change] = []
    size = 0
    for change in changes:
        length = sum(len(part) // 2 for part in change if part is not None)
        if run and (size + length > MAX_CHANGE_BYTES or len(run) == MAX_CHANGES):
            yield run
            run, size = [], 0
        run.append(change)
        size += length
    if run:
        yield run


def _element(status: GuestStatus, name: str) -> ElementStatus:
    found = next((one for one in status.elements if one.name == name), None)
    holders = ", ".join(f"`{one.name}`" for one in status.elements if one.maps) or "none"
    if found is None:
        raise MapError(f"guest `{status.guest}` has no element `{name}`", f"elements with maps: {holders}")
    if found.program is None:
        raise NoProgramError(f"element `{name}` has no program", "`unibpf push` brings one")
    return found


Layouts = tuple[str | None, str | None]  # of keys and of values


async def _layouts(bus: Bus, element: ElementStatus, row: MapStatus) -> tuple[Layouts, str | None]:
    """From the bundle that the active release's envelope names: None where there is none; and why it is not known."""
    if element.envelope is None:
        return (None, None), None
    try:
        signed = envelope.parse(await bus.get_object(element.envelope))
        program = bundle.decode(await bus.get_object(signed.release.bundle.hex()))
        text = next((one.layout for one in program.maps if one.name == row.name), None)
        keys, values = layout.split(text)
        return (_whole(keys, row.key_size), _whole(values, row.value_size)), None
    except (ObjectMissing, envelope.EnvelopeError, bundle.BundleError, LayoutError) as error:
        return (None, None), str(error)


def _whole(text: str | None, size: int) -> str | None:
    """The layout, if it is one of that many bytes."""
    return text if text is not None and layout.parse(text).size == size else None
