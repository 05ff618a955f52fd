"""The guest's CBOR answers (schemas/control.cddl) as messages. Pure.

They are authenticated, so a wrong shape means another version of the guest: one error, `answer`, names the field.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from services.reconfigurer.errors import GuestUnreachable
from unibpf.formats.control_keys import DumpKey, ElementKey, MapChangedKey, StatusKey, UpdateKey
from unibpf.messages.base import Kind
from unibpf.messages.elements import MapDecision
from unibpf.messages.maps import MapChanged
from unibpf.messages.status import ElementStatus, GuestStatus, MapStatus, NicStatus, Placed

T = TypeVar("T")

KINDS: Final[tuple[Kind, ...]] = ("filter", "classifier", "rewriter")
SWAP: Final = "swap"
_DECISIONS: Final = ("kept", "new", "reset", "migrated")


class Outcome(Struct, frozen=True, kw_only=True):
    """A `staged` or an `activated`; the latter's numbers are 0 in the former. Steps: name, start, duration in ns."""

    already: bool
    element: str
    program: str
    sequence: int
    envelope: str
    steps: list[tuple[str, int, int]]
    maps: list[MapDecision]
    engine: str
    swap_ns: int = 0
    longest_gap_ns: int = 0
    packets_during: int = 0
    packets_lost: int = 0
    engine_before: str = ""


class DumpPage(Struct, frozen=True, kw_only=True):
    """One page of a map; `next` is the cursor of the page after it, 0 at the end and for a ring, which has a `position`."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: list[tuple[str, str]]
    next: int
    position: int | None = None
    lost: int = 0


def outcome(item: Any) -> Outcome:
    """`staged` and `activated`."""
    return _reading("outcome", lambda: _outcome(item))


def before_swap(activated: Outcome) -> Outcome:
    """What the guest had done when the program lay beside the running one, from its answer to a request that did both."""
    steps = [step for step in activated.steps if step[0] != SWAP]
    return replace(
        activated, steps=steps, swap_ns=0, longest_gap_ns=0, packets_during=0, packets_lost=0, engine_before=""
    )


def status(item: Any) -> GuestStatus:
    """`status`."""
    return _reading("status", lambda: _status(item))


def dump_page(item: Any) -> DumpPage:
    """`map-dump` and `ring-dump`."""
    return _reading("map dump", lambda: _dump_page(item))


def map_changed(item: Any) -> tuple[MapChanged, list[tuple[str, int, int]]]:
    """`map-changed`, and the guest's steps."""
    return _reading("map change", lambda: (_map_changed(item), _steps(item[MapChangedKey.STEPS])))


def _outcome(item: Any) -> Outcome:
    key = UpdateKey
    return Outcome(
        already=bool(item[key.ALREADY]),
        element=item[key.ELEMENT],
        program=item[key.PROGRAM],
        sequence=item[key.SEQUENCE],
        envelope=item[key.ENVELOPE].hex(),
        steps=_steps(item[key.STEPS]),
        maps=[
            MapDecision(name=name, decision=_DECISIONS[decision], entries=entries)
            for name, decision, entries in item[key.MAPS]
        ],
        engine=item[key.ENGINE],
        swap_ns=item.get(key.SWAP_NS, 0),
        longest_gap_ns=item.get(key.LONGEST_GAP_NS, 0),
        packets_during=item.get(key.PACKETS_DURING, 0),
        packets_lost=item.get(key.PACKETS_LOST, 0),
        engine_before=item.get(key.ENGINE_BEFORE, ""),
    )


def _status(item: Any) -> GuestStatus:
    key = StatusKey
    total, used, peak = item[key.MEMORY]
    graph, sequence, digest = item[key.GRAPH]
    own = {key.MEMORY, key.GRAPH, key.ELEMENTS, key.NICS, key.BOOT, key.RECENT_GAP_NS}
    return GuestStatus(
        **{field.name.lower(): _plain(item[field]) for field in key if field not in own},
        elements=[_element(element) for element in item[key.ELEMENTS]],
        nics=[_nic(nic) for nic in item[key.NICS]],
        memory_total=total,
        memory_used=used,
        memory_peak=peak,
        graph=graph,
        graph_sequence=sequence,
        graph_digest=digest.hex(),
        boot=_steps(item[key.BOOT]),
        recent_gap_ns=item.get(key.RECENT_GAP_NS, 0),
    )


def _element(item: Any) -> ElementStatus:
    key = ElementKey
    plain = (key.PROGRAM, key.SEQUENCE, key.ENVELOPE, key.ENGINE, key.FLOOR, key.ISOLATION)
    return ElementStatus(
        **{field.name.lower(): _plain(item.get(field)) for field in plain},
        name=item[key.NAME],
        class_name=item[key.CLASS_NAME],
        kind=KINDS[item[key.KIND]] if key.KIND in item else None,
        packets=item[key.PACKETS],
        drops={str(reason): int(count) for reason, count in item[key.DROPS]},
        maps=[_map(row) for row in item.get(key.MAPS, [])],
        staged=_placed(item.get(key.STAGED)),
        previous=_placed(item.get(key.PREVIOUS)),
        handlers={str(name): str(value) for name, value in item.get(key.HANDLERS, [])},
    )


def _plain(value: Any) -> Any:
    """What a message holds as the guest tells it, but for bytes, which are told in hexadecimal."""
    return value.hex() if isinstance(value, bytes) else value


def _map(row: Any) -> MapStatus:
    name, kind, key, value, most, entries = row
    return MapStatus(name=name, type=kind, key_size=key, value_size=value, max_entries=most, entries=entries)


def _nic(row: Any) -> NicStatus:
    name, mac, *counters = row
    rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped, *newer = counters
    rx_no_slot, rx_too_long = newer or (0, 0)
    return NicStatus(
        name=name,
        mac=mac.hex(":"),
        rx_packets=rx_packets,
        rx_bytes=rx_bytes,
        tx_packets=tx_packets,
        tx_bytes=tx_bytes,
        rx_dropped=rx_dropped,
        tx_dropped=tx_dropped,
        rx_no_slot=rx_no_slot,
        rx_too_long=rx_too_long,
    )


def _dump_page(item: Any) -> DumpPage:
    key = DumpKey
    return DumpPage(
        name=item[key.NAME],
        type=item[key.TYPE],
        key_size=item[key.KEY_SIZE],
        value_size=item[key.VALUE_SIZE],
        entries=[(entry.hex(), value.hex()) for entry, value in item[key.ENTRIES]],
        next=item[key.NEXT],
        position=item.get(key.POSITION),
        lost=item.get(key.LOST, 0),
    )


def _map_changed(item: Any) -> MapChanged:
    key = MapChangedKey
    return MapChanged(
        name=item[key.NAME],
        applied=int(item[key.APPLIED]),
        entries=int(item[key.ENTRIES]),
        errno=item.get(key.ERROR),
    )


def _placed(row: Any) -> Placed | None:
    return None if row is None else Placed(sequence=row[0], envelope=row[1].hex())


def _steps(rows: Any) -> list[tuple[str, int, int]]:
    return [(str(name), int(start), int(duration)) for name, start, duration in rows]


def _reading(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise GuestUnreachable("answer", f"the guest's {what} is not as in schemas/control.cddl: {error!r}") from error
