"""Change entries of a running guest's map: one request of the bus is one request to the guest.

What is reported as applied is what the guest vouched for. After GuestUnreachable the changes may have been made or not;
asking again is harmless, but for `create`, which then finds its own entries.
"""

from typing import Any, Final

from opentelemetry.trace import SpanKind

from services.reconfigurer import answers, timings
from services.reconfigurer.sessions import Sessions, map_path
from unibpf import tracing
from unibpf.bus import Reject
from unibpf.formats import cbor
from unibpf.formats.control_keys import MapChangesKey
from unibpf.messages.maps import MAX_CHANGE_BYTES, MapChange, MapChanged, MapMode

FLAGS: Final[dict[MapMode, int]] = {"any": 0, "create": 1, "replace": 2}  # BPF_ANY, BPF_NOEXIST, BPF_EXIST


def body(wanted: MapChange) -> bytes:
    """Pure: `map-changes`; raises Reject where they are more than one request takes."""
    changes = [[bytes.fromhex(part) for part in change if part is not None] for change in wanted.changes]
    size = sum(len(part) for change in changes for part in change)
    if size > MAX_CHANGE_BYTES:
        raise Reject("size", f"got {size} bytes of keys and values, expected at most {MAX_CHANGE_BYTES}")
    items: dict[int, Any] = {MapChangesKey.CHANGES: changes, MapChangesKey.FLAGS: FLAGS[wanted.mode]}
    if wanted.envelope is not None:
        items[MapChangesKey.ENVELOPE] = bytes.fromhex(wanted.envelope)
    return cbor.encode(items)


async def change(sessions: Sessions, wanted: MapChange) -> MapChanged:
    """Apply the changes; raises Reject, GuestRefused, GuestUnreachable or GuestUnknown."""
    data = body(wanted)
    attributes: dict[str, str | int] = {"unibpf.guest": wanted.guest, "unibpf.element": wanted.element}
    attributes |= {"unibpf.map": wanted.map, "unibpf.changes": len(wanted.changes), "network.protocol.name": "coap"}
    with tracing.span("change map", kind=SpanKind.CLIENT, attributes=attributes):
        session, path = sessions.of(wanted.guest), map_path(wanted.element, wanted.map)
        fact = await session.request("POST", path, data, trace=tracing.context_bytes())
        answer, steps = answers.map_changed(fact.body)
        timings.record_steps(wanted.guest, steps, sent_ns=fact.sent_ns, received_ns=fact.received_ns)
        return answer
