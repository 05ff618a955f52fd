"""The guest's CBOR answers (schemas/control.cddl) as messages. Pure.

They are authenticated, so a wrong shape means another version of the guest: one error, `answer`, names the field.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from services.reconfigurer.errors import GuestUnreachable
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
    return replace(activated, steps=steps, swap_ns=0, longest_gap_ns=0, packets_during=0, packets_lost=0)


def status(item: Any) -> GuestStatus:
    """`status`."""
    return _reading("status", lambda: _status(item))


def dump_page(item: Any) -> DumpPage:
    """`map-dump` and `ring-dump`."""
    return _reading("map dump", lambda: _dump_page(item))


def map_changed(item: Any) -> tuple[MapChanged, list[tuple[str, int, int]]]:
    """`map-changed`, and the guest's steps."""
    return _reading("map change", lambda: (_map_changed(item), _steps(item[3])))


def _outcome(item: Any) -> Outcome:
    return Outcome(
        already=bool(item[0]),
        element=item[1],
        program=item[2],
        sequence=item[3],
        envelope=item[4].hex(),
        steps=_steps(item[5]),
        maps=[
            MapDecision(name=name, decision=_DECISIONS[decision], entries=entries)
            for name, decision, entries in item[6]
        ],
        engine=item[7],
        swap_ns=item.get(9, 0),
        longest_gap_ns=item.get(10, 0),
        packets_during=item.get(11, 0),
        packets_lost=item.get(12, 0),
    )


def _status(item: Any) -> GuestStatus:
    total, used, peak = item[6]
    graph, sequence, digest = item[7]
    return GuestStatus(
        guest=item[0],
        boot_nonce=item[1].hex(),
        uptime_ns=item[2],
        audience=item[3],
        elements=[_element(element) for element in item[4]],
        nics=[_nic(nic) for nic in item[5]],
        memory_total=total,
        memory_used=used,
        memory_peak=peak,
        graph=graph,
        graph_sequence=sequence,
        graph_digest=digest.hex(),
        longest_gap_ns=item[8],
        boot=_steps(item[9]),
        version=item[10],
        platform=item[11],
        recent_gap_ns=item.get(12, 0),
    )


def _element(item: Any) -> ElementStatus:
    envelope = item.get(5)
    return ElementStatus(
        name=item[0],
        class_name=item[1],
        kind=KINDS[item[2]] if 2 in item else None,
        program=item.get(3),
        sequence=item.get(4),
        envelope=envelope.hex() if envelope is not None else None,
        engine=item.get(6),
        packets=item[7],
        drops={str(reason): int(count) for reason, count in item[8]},
        maps=[_map(row) for row in item.get(9, [])],
        staged=_placed(item.get(10)),
        previous=_placed(item.get(11)),
        floor=item.get(12),
        handlers={str(name): str(value) for name, value in item.get(13, [])},
        isolation=item.get(14),
    )


def _map(row: Any) -> MapStatus:
    name, kind, key, value, most, entries = row
    return MapStatus(name=name, type=kind, key_size=key, value_size=value, max_entries=most, entries=entries)


def _nic(row: Any) -> NicStatus:
    name, mac, *counters = row
    rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped = counters
    return NicStatus(
        name=name,
        mac=mac.hex(":"),
        rx_packets=rx_packets,
        rx_bytes=rx_bytes,
        tx_packets=tx_packets,
        tx_bytes=tx_bytes,
        rx_dropped=rx_dropped,
        tx_dropped=tx_dropped,
    )


def _dump_page(item: Any) -> DumpPage:
    return DumpPage(
        name=item[0],
        type=item[1],
        key_size=item[2],
        value_size=item[3],
        entries=[(key.hex(), value.hex()) for key, value in item[4]],
        next=item[6],
        position=item.get(7),
        lost=item.get(8, 0),
    )


def _map_changed(item: Any) -> MapChanged:
    return MapChanged(name=item[0], applied=int(item[1]), entries=int(item[2]), errno=item.get(4))


def _placed(row: Any) -> Placed | None:
    return None if row is None else Placed(sequence=row[0], envelope=row[1].hex())


def _steps(rows: Any) -> list[tuple[str, int, int]]:
    return [(str(name), int(start), int(duration)) for name, start, duration in rows]


def _reading(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise GuestUnreachable("answer", f"the guest's {what} is not as in schemas/control.cddl: {error!r}") from error
