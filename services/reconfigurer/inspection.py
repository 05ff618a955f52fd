"""Read what a guest is and holds: status, and maps page by page. Every answer is authenticated."""

from typing import Final
from urllib.parse import quote

from services.reconfigurer import answers
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.updater import EMPTY, Sessions
from unibpf import cbor
from unibpf.messages import GuestStatus, MapDump

PAGE_ENTRIES: Final = 512
MOST_ENTRIES: Final = 1 << 20


async def status(sessions: Sessions, guest: str) -> GuestStatus:
    """The guest's own account of itself."""
    fact = await sessions.of(guest).request("FETCH", "/status", EMPTY)
    return answers.status(fact.body)


async def dump(sessions: Sessions, guest: str, element: str, map_name: str) -> MapDump:
    """All entries of a map."""
    session = sessions.of(guest)
    path = f"/elements/{element}/maps/{quote(map_name)}"
    cursor, entries = 0, []
    while True:
        fact = await session.request("FETCH", path, cbor.encode({0: cursor, 1: PAGE_ENTRIES}))
        page = answers.dump_page(fact.body)
        entries += page.entries
        if page.next == 0:
            return MapDump(
                name=page.name, type=page.type, key_size=page.key_size, value_size=page.value_size, entries=entries
            )
        if page.next <= cursor or len(entries) > MOST_ENTRIES:
            raise GuestUnreachable("answer", f"the dump of `{map_name}` does not come to an end")
        cursor = page.next
