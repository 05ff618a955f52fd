"""How a guest describes itself."""

from unibpf.messages.base import Digest, GuestName, Kind, Message


class GuestQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.status`, answered by a GuestStatus."""

    guest: GuestName


class Placed(Message, frozen=True, kw_only=True):
    """A release inside an element: staged, or previous and still loaded."""

    sequence: int
    envelope: Digest


class MapStatus(Message, frozen=True, kw_only=True):
    """One map of an element's active program; `type` is Linux' number, sizes are bytes."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    entries: int


class ElementStatus(Message, frozen=True, kw_only=True):
    """One element as the guest itself describes it. Fields about a program are None where no program is active.

    `isolation` is `none` or `pku`; None where the element runs no programs, or the guest is older than the field.
    """

    name: str
    class_name: str
    kind: Kind | None = None
    program: str | None = None
    sequence: int | None = None
    envelope: Digest | None = None
    engine: str | None = None
    packets: int = 0
    drops: dict[str, int] = {}
    maps: list[MapStatus] = []
    staged: Placed | None = None
    previous: Placed | None = None
    floor: int | None = None
    handlers: dict[str, str] = {}
    isolation: str | None = None


class NicStatus(Message, frozen=True, kw_only=True):
    """The counters of one NIC since boot.

    `rx_no_slot` are frames that came while no packet was free, `rx_too_long` those of `rx_dropped` that were longer than a
    packet can be (1,664 bytes).
    """

    name: str
    mac: str
    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    rx_dropped: int
    tx_dropped: int
    rx_no_slot: int = 0
    rx_too_long: int = 0


class GuestStatus(Message, frozen=True, kw_only=True):
    """The guest's own, authenticated answer to a status request. Memory is bytes; `boot` are its steps from entry to ready.

    `longest_gap_ns` is the longest time between two batches since boot, `recent_gap_ns` since the last status answer.
    """

    guest: GuestName
    boot_nonce: str
    uptime_ns: int
    audience: str
    elements: list[ElementStatus]
    nics: list[NicStatus]
    memory_total: int
    memory_used: int
    memory_peak: int
    graph: str
    graph_sequence: int
    graph_digest: Digest
    longest_gap_ns: int
    boot: list[tuple[str, int, int]] = []
    version: str = ""
    platform: str = ""
    recent_gap_ns: int = 0
