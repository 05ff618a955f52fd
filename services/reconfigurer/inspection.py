"""Read what a guest is and holds: status, and maps page by page. Every answer is authenticated."""

from typing import Final

from services.reconfigurer import answers
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.map_changes import map_path
from services.reconfigurer.updater import EMPTY, Sessions
from unibpf import cbor
from unibpf.messages import GuestStatus, MapDump, MapQuery

PAGE_ENTRIES: Final = 512
MOST_ENTRIES: Final = 1 << 20


async def status(sessions: Sessions, guest: str) -> GuestStatus:
    """The guest's own account of itself."""
    fact = await sessions.of(guest).request("FETCH", "/status", EMPTY)
    return answers.status(fact.body)


async def dump(sessions: Sessions, query: MapQuery) -> MapDump:
    """All entries of a map, or that of one key."""
    session, path = sessions.of(query.guest), map_path(query.element, query.map)
    if query.key is not None:
        fact = await session.request("FETCH", path, cbor.encode({2: bytes.fromhex(query.key)}))
        page = answers.dump_page(fact.body)
        return _dump(page, page.entries)
    cursor, entries = 0, []
    while True:
        fact = await session.request("FETCH", path, cbor.encode({0: cursor, 1: PAGE_ENTRIES}))
        page = answers.dump_page(fact.body)
        entries += page.entries
        if page.next == 0:
            return _dump(page, entries)
        if page.next <= cursor or len(entries) > MOST_ENTRIES:
            raise GuestUnreachable("answer", f"the dump of `{query.map}` does not come to an end")
        cursor = page.next


def _dump(page: answers.DumpPage, entries: list[tuple[str, str]]) -> MapDump:
    return MapDump(name=page.name, type=page.type, key_size=page.key_size, value_size=page.value_size, entries=entries)
