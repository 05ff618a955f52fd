"""One map of a running guest, asked of the reconfigurer of the guest's host.

Sizes come from the guest, the layout of values from the bundle of the release that it runs. A change is bound to that
release: if another one becomes active meanwhile, the guest refuses it, and no value is written by the wrong layout.
"""

import errno
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus, ObjectMissing
from unibpf.client import guests
from unibpf.formats import bundle, envelope, layout, map_forms, map_words
from unibpf.formats.bpf import RINGS
from unibpf.formats.layout import LayoutError
from unibpf.formats.map_forms import Change, MapForm, Texts, Words, parts
from unibpf.messages.desired_maps import DesiredChange, DesiredChanged
from unibpf.messages.maps import MapChange, MapChanged, MapDump, MapMode, MapQuery
from unibpf.messages.status import ElementStatus, GuestStatus, MapStatus

PATIENCE: Final = 20.0  # seconds: a large dump or change is many blocks


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
    """What `map set --json` and `map delete --json` print. `failed` is the first change that was not made.

    `kept`, with `--keep`: how many entries of this map are put back after every boot, this change included.
    """

    map: str
    changes: int
    applied: int = 0
    entries: int = 0
    failed: str | None = None
    errno: int | None = None
    errno_name: str | None = None
    trace_id: str = ""
    kept: int | None = None


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
        row = found.row
        self._form = MapForm(
            type=row.type,
            key_size=row.key_size,
            value_size=row.value_size,
            key=map_forms.parsed(found.key_layout),
            value=map_forms.parsed(found.layout),
        )

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
        return self._dump(self._entries(await self._ask(key=self._form.key_bytes(key).hex())))

    async def change(self, rows: Sequence[Words], mode: MapMode, *, keep: bool = False) -> Changed:
        """Make the changes in order, until one fails; all are read before the first is sent. `keep` those that were made.

        An exception on the way bears a note (PEP 678) of how many were made before it.
        """
        changes = [self._form.change(key, value) for key, value in rows]
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
        if keep and done.applied:
            done.kept = await self._keep(changes[: done.applied])
        return done

    async def _keep(self, made: list[Change]) -> int:
        """Have them put back after every boot, in words that a later layout of the map can be asked for too."""
        found = self._found
        newest = [self._form.words(key, value) for key, value in dict(made).items()]
        wanted = DesiredChange(guest=found.guest, element=found.element.name, map=found.row.name, entries=newest)
        try:
            answer = await self._bus.request(subjects.keep(found.host), wanted, DesiredChanged, timeout=PATIENCE)
        except Exception as error:
            error.add_note(f"{len(made)} changes were made, and are not kept:")
            raise
        return answer.kept

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

    async def _ask(self, *, cursor: int = 0, key: str | None = None) -> MapDump:
        found = self._found
        query = MapQuery(guest=found.guest, element=found.element.name, map=found.row.name, cursor=cursor, key=key)
        return await self._bus.request(subjects.map_dump(found.host), query, MapDump, timeout=PATIENCE)

    def _entries(self, page: MapDump) -> list[Entry]:
        return [self._entry(key, value) for key, value in page.entries]

    def _entry(self, key: str, value: str) -> Entry:
        row = self._found.row
        shown = map_words.key_fields(key, row.type, self._form.key) if row.type not in RINGS else None
        fields = layout.decode(self._form.value, bytes.fromhex(value)) if self._form.value is not None else None
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


def _element(status: GuestStatus, name: str) -> ElementStatus:
    found = next((one for one in status.elements if one.name == name), None)
    holders = ", ".join(f"`{one.name}`" for one in status.elements if one.maps) or "none"
    if found is None:
        raise MapError(f"guest `{status.guest}` has no element `{name}`", f"elements with maps: {holders}")
    if found.program is None:
        raise NoProgramError(f"element `{name}` has no program", "`unibpf push` brings one")
    return found


async def _layouts(bus: Bus, element: ElementStatus, row: MapStatus) -> tuple[Texts, str | None]:
    """From the bundle that the active release's envelope names: None where there is none; and why it is not known."""
    if element.envelope is None:
        return (None, None), None
    try:
        signed = envelope.parse(await bus.get_object(element.envelope))
        program = bundle.decode(await bus.get_object(signed.release.bundle.hex()))
        return map_forms.texts(program.maps, row.name, key_size=row.key_size, value_size=row.value_size), None
    except (ObjectMissing, envelope.EnvelopeError, bundle.BundleError, LayoutError) as error:
        return (None, None), str(error)
