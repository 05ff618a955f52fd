"""Entries that the maps of a guest are to have: what is asked for, and how far it was put there."""

from typing import Annotated, Any, Final

from msgspec import Meta

from unibpf.messages.base import ElementName, GuestName, Message
from unibpf.messages.maps import MapName

MAX_ENTRIES: Final = 8192  # of one guest
MAX_BYTES: Final = 384 * 1024  # of one guest, as JSON: a message takes a MiB
MAX_PROBLEMS: Final = 16

Rows = Annotated[list[tuple[Any, Any]], Meta(max_length=MAX_ENTRIES)]


class DesiredMap(Message, frozen=True, kw_only=True):
    """Rows of [key, value] of one map, as `unibpf map set` takes them (unibpf/formats/map_words.py); a later row wins.

    A value of null is no entry: it takes back one that another part of the same DesiredMaps asks for.
    """

    element: ElementName
    map: MapName
    entries: Rows


class DesiredMaps(Message, frozen=True, kw_only=True):
    """KV `unibpf-maps`, key `<guest>`: `file` is what its guest file says, `kept` what `map set --keep` added: that wins."""

    file: list[DesiredMap] = []
    kept: list[DesiredMap] = []


class DesiredChange(Message, frozen=True, kw_only=True):
    """Request to `deployer.<host>.keep`, answered by a DesiredChanged: entries that are to be there after every boot.

    A value of null forgets the entry of that key.
    """

    guest: GuestName
    element: ElementName
    map: MapName
    entries: Annotated[list[tuple[Any, Any]], Meta(min_length=1, max_length=MAX_ENTRIES)]


class DesiredChanged(Message, frozen=True, kw_only=True):
    """How many rows are kept of that map, and the revision of the guest's record in which they are."""

    kept: int
    revision: int


class PutBackQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.put_back`, answered by a MapsPutBack: see that the desired entries are there."""

    guest: GuestName


class MapsPutBack(Message, frozen=True, kw_only=True):
    """Of the `desired` entries of a guest, `put_back` are in its maps since its boot; `problems` say why the others are not.

    `revision` is that of the record in KV; 0 where the bus has none and the host's own copy counted.
    """

    desired: int = 0
    put_back: int = 0
    revision: int = 0
    problems: Annotated[list[str], Meta(max_length=MAX_PROBLEMS)] = []
