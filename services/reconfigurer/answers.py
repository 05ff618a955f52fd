"""The guest's CBOR answers (schemas/control.cddl) as messages. Pure.

They are authenticated, so a wrong shape means another version of the guest, or one that was taken over: sizes first (plain.py),
then every field by the type that the message has. One error, `answer`, names what is wrong.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from services.reconfigurer.errors import GuestUnreachable
from unibpf.formats.control_keys import DumpKey, ElementKey, HandlerKey, MapChangedKey, StatusKey, UpdateKey
from unibpf.formats.plain import MAX_MAPS, MAX_STEPS, at_most, natural, plain
from unibpf.messages.base import Digest, ElementName, Kind, ProgramName
from unibpf.messages.elements import MapDecision
from unibpf.messages.handlers import HandlerValue
from unibpf.messages.maps import MapChanged
from unibpf.messages.status import ElementStatus, GuestStatus, MapStatus, NicStatus, Placed

T = TypeVar("T")

KINDS: Final[tuple[Kind, ...]] = ("filter", "classifier", "rewriter")
SWAP: Final = "swap"
_RESULTS: Final = (False, True)
_DECISIONS: Final = ("kept", "new", "reset", "migrated")


class Outcome(Struct, frozen=True, kw_only=True):
    """A `staged` or an `activated`; the latter's numbers are 0 in the former. Steps: name, start, duration in ns."""

    already: bool
    element: ElementName
    program: ProgramName
    sequence: int
    envelope: Digest
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


class _Changed(Struct, frozen=True, kw_only=True):
    changed: MapChanged
    steps: list[tuple[str, int, int]]


def outcome(item: Any) -> Outcome:
    """`staged` and `activated`."""
    return _reading("outcome", Outcome, _outcome, item)


def before_swap(activated: Outcome) -> Outcome:
    """What the guest had done when the program lay beside the running one, from its answer to a request that did both."""
    steps = [step for step in activated.steps if step[0] != SWAP]
    return replace(
        activated, steps=steps, swap_ns=0, longest_gap_ns=0, packets_during=0, packets_lost=0, engine_before=""
    )


def status(item: Any) -> GuestStatus:
    """`status`."""
    return _reading("status", GuestStatus, _status, item)


def dump_page(item: Any) -> DumpPage:
    """`map-dump` and `ring-dump`."""
    return _reading("map dump", DumpPage, _dump_page, item)


def map_changed(item: Any) -> tuple[MapChanged, list[tuple[str, int, int]]]:
    """`map-changed`, and the guest's steps."""
    found = _reading("map change", _Changed, _map_changed, item)
    return found.changed, found.steps


def handler_value(item: Any) -> HandlerValue:
    """`handler-value`."""
    return _reading("handler value", HandlerValue, lambda fields: HandlerValue(value=fields[HandlerKey.VALUE]), item)


def _outcome(item: Any) -> Outcome:
    key = UpdateKey
    return Outcome(
        already=_RESULTS[natural(item[key.ALREADY])],
        element=item[key.ELEMENT],
        program=item[key.PROGRAM],
        sequence=natural(item[key.SEQUENCE]),
        envelope=item[key.ENVELOPE].hex(),
        steps=_steps(item[key.STEPS]),
        maps=[
            MapDecision(name=name, decision=_DECISIONS[natural(decision)], entries=natural(entries))
            for name, decision, entries in at_most(item[key.MAPS], MAX_MAPS)
        ],
        engine=item[key.ENGINE],
        swap_ns=natural(item.get(key.SWAP_NS, 0)),
        longest_gap_ns=natural(item.get(key.LONGEST_GAP_NS, 0)),
        packets_during=natural(item.get(key.PACKETS_DURING, 0)),
        packets_lost=natural(item.get(key.PACKETS_LOST, 0)),
        engine_before=item.get(key.ENGINE_BEFORE, ""),
    )


def _status(item: Any) -> GuestStatus:
    key = StatusKey
    total, used, peak = map(natural, item[key.MEMORY])
    graph, sequence, digest = item[key.GRAPH]
    return GuestStatus(
        guest=item[key.GUEST],
        boot_nonce=item[key.BOOT_NONCE].hex(),
        uptime_ns=natural(item[key.UPTIME_NS]),
        audience=item[key.AUDIENCE],
        elements=[_element(element) for element in item[key.ELEMENTS]],
        nics=[_nic(nic) for nic in item[key.NICS]],
        memory_total=total,
        memory_used=used,
        memory_peak=peak,
        graph=graph,
        graph_sequence=natural(sequence),
        graph_digest=digest.hex(),
        longest_gap_ns=natural(item[key.LONGEST_GAP_NS]),
        boot=_steps(item[key.BOOT]),
        version=item[key.VERSION],
        platform=item[key.PLATFORM],
        recent_gap_ns=natural(item.get(key.RECENT_GAP_NS, 0)),
    )


def _element(item: Any) -> ElementStatus:
    key = ElementKey
    return ElementStatus(
        name=item[key.NAME],
        class_name=item[key.CLASS_NAME],
        kind=KINDS[natural(item[key.KIND])] if key.KIND in item else None,
        program=item.get(key.PROGRAM),
        sequence=_maybe(natural, item.get(key.SEQUENCE)),
        envelope=_maybe(bytes.hex, item.get(key.ENVELOPE)),
        engine=item.get(key.ENGINE),
        packets=natural(item[key.PACKETS]),
        drops={reason: natural(count) for reason, count in item[key.DROPS]},
        maps=[_map(row) for row in at_most(item.get(key.MAPS, []), MAX_MAPS)],
        staged=_maybe(_placed, item.get(key.STAGED)),
        previous=_maybe(_placed, item.get(key.PREVIOUS)),
        floor=_maybe(natural, item.get(key.FLOOR)),
        handlers=dict(item.get(key.HANDLERS, [])),
        isolation=item.get(key.ISOLATION),
    )


def _map(row: Any) -> MapStatus:
    name, *numbers = row
    kind, key, value, most, entries = map(natural, numbers)
    return MapStatus(name=name, type=kind, key_size=key, value_size=value, max_entries=most, entries=entries)


def _nic(row: Any) -> NicStatus:
    name, mac, *counters = row
    rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped, *newer = map(natural, counters)
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
        type=natural(item[key.TYPE]),
        key_size=natural(item[key.KEY_SIZE]),
        value_size=natural(item[key.VALUE_SIZE]),
        entries=[(entry.hex(), value.hex()) for entry, value in item[key.ENTRIES]],
        next=natural(item[key.NEXT]),
        position=_maybe(natural, item.get(key.POSITION)),
        lost=natural(item.get(key.LOST, 0)),
    )


def _map_changed(item: Any) -> _Changed:
    key = MapChangedKey
    changed = MapChanged(
        name=item[key.NAME],
        applied=natural(item[key.APPLIED]),
        entries=natural(item[key.ENTRIES]),
        errno=_maybe(natural, item.get(key.ERROR)),
    )
    return _Changed(changed=changed, steps=_steps(item[key.STEPS]))


def _placed(row: Any) -> Placed:
    sequence, envelope = row
    return Placed(sequence=natural(sequence), envelope=envelope.hex())


def _steps(rows: Any) -> list[tuple[str, int, int]]:
    return [(name, natural(start), natural(duration)) for name, start, duration in at_most(rows, MAX_STEPS)]


def _maybe(read: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else read(value)


def _reading(what: str, kind: type[T], read: Callable[[Any], T], item: Any) -> T:
    """`read` puts fields in their places; only what has the types that `kind` says is let out."""
    try:
        return msgspec.convert(msgspec.to_builtins(read(plain(item))), kind)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        text = f"{error!r:.300}"
        raise GuestUnreachable("answer", f"the guest's {what} is not as in schemas/control.cddl: {text}") from error
