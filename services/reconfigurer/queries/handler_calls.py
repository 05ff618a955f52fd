"""Read and write handlers of a running guest's elements: one request of the bus is one request to the guest.

A value is what the guest vouched for. After GuestUnreachable a write may have been done or not.
"""

from typing import Any, Final

from opentelemetry.trace import SpanKind

from services.reconfigurer import answers
from services.reconfigurer.sessions import Sessions
from unibpf import tracing
from unibpf.bus import Reject
from unibpf.formats import cbor
from unibpf.formats.control_keys import HandlerKey
from unibpf.messages.handlers import MAX_WRITE_BYTES, HandlerCall, HandlerValue

PATH: Final = "/handlers"


def body(call: HandlerCall) -> bytes:
    """Pure: `handler-call`; raises Reject where the value is more than one request takes."""
    items: dict[int, Any] = {HandlerKey.ELEMENT: call.element, HandlerKey.NAME: call.handler}
    if call.value is not None:
        if len(call.value.encode()) > MAX_WRITE_BYTES:
            raise Reject("size", f"got {len(call.value.encode())} bytes, expected at most {MAX_WRITE_BYTES}")
        items[HandlerKey.VALUE] = call.value
    return cbor.encode(items)


async def call(sessions: Sessions, wanted: HandlerCall) -> HandlerValue:
    """Read or write; raises Reject, GuestRefused, GuestUnreachable or GuestUnknown."""
    data = body(wanted)
    attributes: dict[str, str | int] = {"unibpf.guest": wanted.guest, "unibpf.element": wanted.element}
    attributes |= {"unibpf.handler": wanted.handler, "network.protocol.name": "coap"}
    with tracing.span("call handler", kind=SpanKind.CLIENT, attributes=attributes):
        session = sessions.of(wanted.guest)
        fact = await session.request("POST" if wanted.write else "FETCH", PATH, data, trace=tracing.context_bytes())
        return answers.handler_value(fact.body)
