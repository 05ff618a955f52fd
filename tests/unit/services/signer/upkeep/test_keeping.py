"""services.signer.upkeep.keeping: a simulated year of pushes runs through stores of the sizes that the topology gives them."""

import random
from collections import deque

import msgspec
import pytest

from services.signer.sequence import MAX_AHEAD, TICKS, next_sequence
from services.signer.upkeep import keeping
from services.signer.upkeep.keeping import State
from unibpf.bus import topology
from unibpf.messages.programs import AuditRecord

YEAR = 365 * 86400
PUSHES = 600_000
PROGRAMS = 300
BUNDLE, REPORT, ENVELOPE = 9_000, 15_000, 600  # bytes; the certificate is counted with the report
HISTORY = next(row.history for row in topology.BUCKETS if row.name == topology.RELEASES)
OBJECTS = next(row for row in topology.STORES if row.name == topology.OBJECTS)
SERVER_BYTES = 150  # that the server has of each message beside its payload, or less


class Store:
    """A stream that forgets its oldest when it is full: an object is one entry of several messages."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.bytes, self.last, self.highest = max_bytes, 0, 0, 0
        self.kept: deque[tuple[int, int, int]] = deque()
        self.places: dict[int, int] = {}

    def put(self, name: int, size: int) -> None:
        self.last += 2
        self.kept.append((self.last, name, size))
        self.places[name] = self.last
        self.bytes += size + 2 * SERVER_BYTES
        while self.bytes > self.max_bytes:
            place, oldest, gone = self.kept.popleft()
            self.bytes -= gone + 2 * SERVER_BYTES
            if self.places.get(oldest) == place:
                del self.places[oldest]
        if self.bytes > self.highest:
            self.highest = self.bytes

    @property
    def state(self) -> State:
        first = self.kept[0][0] if self.kept else 0
        return State(first=first, last=self.last, fill=self.bytes / self.max_bytes)


def look(store: Store, named: dict[int, int], looked_at: int | None) -> int | None:
    """What `Keeping.look` does."""
    if not keeping.is_due(store.state, looked_at):
        return looked_at
    places = {name: store.places[name] for name in named if name in store.places}
    assert len(places) == len(named), "a release of the kept history lacks its bytes"
    state = store.state
    for name in keeping.stale(places, state):
        store.put(name, named[name])
    return state.last


def test_a_year_of_pushes_forgets_nothing_that_a_release_names_and_refuses_none() -> None:
    chance, store = random.Random(7), Store(OBJECTS.max_bytes)
    releases: dict[int, deque[tuple[int, int]]] = {}
    named: dict[int, int] = {}
    looked_at, sequence, now = None, 0, 1_700_000_000
    for push in range(PUSHES):
        # Few programs are pushed all the time, most hardly ever: these are what a ring would forget.
        program = chance.randrange(PROGRAMS) if push < PROGRAMS * 20 or push % 500 == 0 else chance.randrange(5)
        now += YEAR // PUSHES
        sequence = next_sequence(stored=sequence, audited=sequence, now=now)
        bundle, report, envelope = range(3 * push, 3 * push + 3)
        store.put(bundle, BUNDLE)
        store.put(report, REPORT)
        store.put(envelope, ENVELOPE)
        history = releases.setdefault(program, deque())
        history.append((bundle, envelope))
        named[bundle], named[envelope] = BUNDLE, ENVELOPE
        if len(history) > HISTORY:
            for name in history.popleft():
                del named[name]
        if push % 300 == 0:  # some PAUSE_SECONDS at ten pushes a second
            looked_at = look(store, named, looked_at)
    assert set(named) <= set(store.places)
    assert store.highest <= OBJECTS.max_bytes < PUSHES * (BUNDLE + REPORT + ENVELOPE), "it turned, and more than once"
    assert sequence <= now * TICKS + MAX_AHEAD // 1000


def test_the_audit_log_of_a_year_fits_below_its_alarm() -> None:
    record = AuditRecord(
        push_id="UNIBPF_UPLOADS:600000",
        program="a-name-of-a-program-that-is-rather-long",
        audience="edge-of-the-network",
        identity="continuous-integration",
        sequence=1 << 45,
        bundle="0" * 64,
        verdict_digest="0" * 64,
        policy="programs of continuous integration",
        signed_at=1 << 31,
        kid="0" * 16,
        certificate="0" * 64,
    )
    audit = next(row for row in topology.STREAMS if row.name == topology.AUDIT)
    assert PUSHES * (len(msgspec.json.encode(record)) + SERVER_BYTES) < 0.9 * audit.max_bytes


@pytest.mark.parametrize("row", [*topology.STREAMS, *topology.BUCKETS, *topology.STORES], ids=lambda row: row.name)
def test_every_store_has_somebody_who_may_write_it_a_lifetime_or_a_cleaner(row) -> None:
    assert row.max_bytes > 0
    assert row.max_age > 0 or row.cleaner, "it would fill by normal use"


def test_a_store_that_is_half_empty_or_has_not_turned_is_left_alone() -> None:
    half = State(first=1, last=801, fill=0.6)
    assert keeping.is_due(half, None) and keeping.is_due(half, 701) and not keeping.is_due(half, 702)
    assert not keeping.is_due(State(first=1, last=801, fill=0.4), None)
    assert keeping.stale({"new": 700, "old": 3, "older": 2, "middle": 401}, half) == ["older", "old"]
