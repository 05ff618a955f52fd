"""What became of one update of one element, in the guest's own words."""

from typing import Literal

from unibpf.messages.base import Digest, ElementName, GuestName, Message

ElementState = Literal["staged", "active", "failed", "rolled_back", "superseded", "settled"]


class MapDecision(Message, frozen=True, kw_only=True):
    """What happened to one map at a swap: 'kept', 'new', 'reset' or 'migrated', with the entries that survived."""

    name: str
    decision: Literal["kept", "new", "reset", "migrated"]
    entries: int


class ElementEvent(Message, frozen=True, kw_only=True):
    """`element.<state>`: the guest's own, authenticated answer about one update of one element.

    `steps` are the guest's timings, [name, start ns, duration ns]. On `failed`, `rule` and `reason` are the guest's. On
    `rolled_back` the release is the one that runs now, and `push_id` names the push that was rolled back, where that is known.
    `settled` follows on `active`: the guest still runs it after its probation. `engine_before` is that of the program which ran
    until then; where `engine` is a slower one, `reason` says so, on `active` and `rolled_back` too.
    """

    guest: GuestName
    element: ElementName
    state: ElementState
    program: str
    sequence: int
    envelope: Digest
    push_id: str = ""
    already: bool = False
    rule: str | None = None
    reason: str | None = None
    steps: list[tuple[str, int, int]] = []
    maps: list[MapDecision] = []
    engine: str = ""
    swap_ns: int = 0
    longest_gap_ns: int = 0
    packets_during: int = 0
    packets_lost: int = 0
    engine_before: str = ""


class RollbackQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.rollback`, answered by the ElementEvent that is also published."""

    guest: GuestName
    element: ElementName
