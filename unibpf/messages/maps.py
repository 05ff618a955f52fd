"""Reading and changing the maps of a running guest."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from unibpf.messages.base import Digest, ElementName, GuestName, Message, whole

MapName = Annotated[str, whole("[A-Za-z0-9_.]{1,63}")]
HexBytes = Annotated[str, whole("([0-9a-f]{2})+")]
MapMode = Literal["any", "create", "replace"]
MAX_CHANGES: Final = 4096
MAX_CHANGE_BYTES: Final = 66_048  # of keys and values: one of the largest that a map has, or many small ones


class MapQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.dump`, answered by a MapDump: entries from `cursor` on, or that of `key` (hex).

    Of a ring, `cursor` is the `position` up to which records have arrived: the guest forgets those.
    """

    guest: GuestName
    element: ElementName
    map: MapName
    key: HexBytes | None = None
    cursor: Annotated[int, Meta(ge=0)] = 0


class MapChange(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.change`, answered by a MapChanged: set or delete entries of a map, in this order.

    `changes` are [key, value] in hex, MAX_CHANGE_BYTES at most; a value of null deletes. `mode` is for entries that are set:
    `create` only new ones, `replace` only those that exist. With `envelope` nothing is changed unless that release is active.
    """

    guest: GuestName
    element: ElementName
    map: MapName
    changes: Annotated[list[tuple[HexBytes, HexBytes | None]], Meta(min_length=1, max_length=MAX_CHANGES)]
    mode: MapMode = "any"
    envelope: Digest | None = None


class MapChanged(Message, frozen=True, kw_only=True):
    """How far a MapChange came: `applied` changes were made and stay made; `entries` are in the map now.

    With `errno` (Linux'), the change number `applied`, counted from 0, failed with it, and none after it was tried.
    """

    name: str
    applied: int
    entries: int
    errno: int | None = None


class MapDump(Message, frozen=True, kw_only=True):
    """A map's content, keys and values in hex, as much as a message takes; `next` is the cursor to go on from, 0 at the end.

    A dump is no snapshot: packets go on changing the map meanwhile. Entries of a ring (ring buffer, perf event array) are its
    records, oldest first, without keys, and `position` is after them: asked with it as `cursor`, the guest gives back their
    room. `lost` records found the ring full.
    """

    name: str
    type: int
    key_size: int
    value_size: int
    entries: list[tuple[str, str]] = []
    next: int = 0
    position: int | None = None
    lost: int = 0
