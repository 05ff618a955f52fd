"""Read what a guest is and holds: status, and maps page by page. Every answer is authenticated."""

from typing import Final

from services.reconfigurer import answers
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.sessions import Sessions, map_path
from services.reconfigurer.updater import EMPTY
from unibpf.formats import cbor
from unibpf.formats.control_keys import MapQueryKey
from unibpf.messages.maps import MapDump, MapQuery
from unibpf.messages.status import GuestStatus

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
