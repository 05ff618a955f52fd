"""Read what a guest is and holds: status, maps page by page, handlers of elements, which may be written too.

Every answer is authenticated.
"""

from typing import Any, Final

from opentelemetry.trace import SpanKind

from services.reconfigurer import answers
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.maps.map_changes import map_path
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.updater import EMPTY
from unibpf import tracing
from unibpf.bus import Reject
from unibpf.formats import cbor
from unibpf.formats.control_keys import HandlerKey, MapQueryKey
from unibpf.messages.handlers import MAX_WRITE_BYTES, HandlerCall, HandlerValue
from unibpf.messages.maps import MapDump, MapQuery
from unibpf.messages.status import GuestStatus

HANDLERS: Final = "/handlers"
PAGE_ENTRIES: Final = 4096
ENOUGH_CHARACTERS: Final = 300_000  # of hex in one message: NATS takes a MiB, and a page may have twice 70,000 more


async def status(sessions: Sessions, guest: str) -> GuestStatus:
    """The guest's own account of itself."""
    fact = await sessions.of(guest).request("FETCH", "/status", EMPTY)
    found = answers.status(fact.body)
    if found.guest != guest:
        raise GuestUnreachable("answer", f"`{guest}` calls itself `{found.guest}`")
    return found


async def dump(sessions: Sessions, query: MapQuery) -> MapDump:
    """The entries from the cursor on, page by page until a message is full; or the entry of one key."""
    session, path = sessions.of(query.guest), map_path(query.element, query.map)
    asks: dict[int, bytes | int] = (
        {MapQueryKey.KEY: bytes.fromhex(query.key)} if query.key is not None else _page(query.cursor)
    )
    cursor, entries, characters = query.cursor, list[tuple[str, str]](), 0
    while True:
        fact = await session.request("FETCH", path, cbor.encode(asks))
        page = answers.dump_page(fact.body)
        entries += page.entries
        characters += sum(len(key) + len(value) + 8 for key, value in page.entries)  # 8: JSON's own
        if page.next == 0 or characters > ENOUGH_CHARACTERS:
            return _dump(page, entries)
        if page.next <= cursor:
            raise GuestUnreachable("answer", f"the dump of `{query.map}` does not come to an end")
        cursor = page.next
        asks = _page(cursor)


def handler_body(call: HandlerCall) -> bytes:
    """Pure: `handler-call`; raises Reject where the value is more than one request takes."""
    items: dict[int, Any] = {HandlerKey.ELEMENT: call.element, HandlerKey.NAME: call.handler}
    if call.value is not None:
        if len(call.value.encode()) > MAX_WRITE_BYTES:
            raise Reject("size", f"got {len(call.value.encode())} bytes, expected at most {MAX_WRITE_BYTES}")
        items[HandlerKey.VALUE] = call.value
    return cbor.encode(items)


async def call_handler(sessions: Sessions, wanted: HandlerCall) -> HandlerValue:
    """Read a handler of an element, or write to it; without an answer a write may have been done or not.

    Raises Reject, GuestRefused, GuestUnreachable or GuestUnknown.
    """
    data = handler_body(wanted)
    attributes: dict[str, str | int] = {"unibpf.guest": wanted.guest, "unibpf.element": wanted.element}
    attributes |= {"unibpf.handler": wanted.handler, "network.protocol.name": "coap"}
    with tracing.span("call handler", kind=SpanKind.CLIENT, attributes=attributes):
        session = sessions.of(wanted.guest)
        fact = await session.request("POST" if wanted.write else "FETCH", HANDLERS, data, trace=tracing.context_bytes())
        return answers.handler_value(fact.body)


def _page(cursor: int) -> dict[int, bytes | int]:
    return {MapQueryKey.CURSOR: cursor, MapQueryKey.MOST: PAGE_ENTRIES}


def _dump(page: answers.DumpPage, entries: list[tuple[str, str]]) -> MapDump:
    return MapDump(
        name=page.name,
        type=page.type,
        key_size=page.key_size,
        value_size=page.value_size,
        entries=entries,
        next=page.next,
        position=page.position,
        lost=page.lost,
    )
