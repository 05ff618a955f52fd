"""`unibpf bus adopt`: after a lost store, what this host's own files know is written back to the bus.

Guest folders know what the guests should be, which releases were active, and which sequences were seen. `gather` reads
them and is pure but for that; `write_back` adds what the bus does not have and lowers nothing: a desired state, a tombstone
or a newer release that is there already stays. It runs on every host, in any order, any number of times.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from unibpf.bus import Bus, Entry
from unibpf.bus.release_keys import release_key
from unibpf.bus.topology import GUESTS, MAPS, RELEASES, SEQUENCES
from unibpf.host.guest_folder import GuestFolder
from unibpf.host.outcomes import Outcomes
from unibpf.messages.desired_maps import DesiredMaps
from unibpf.messages.guests import GuestSpec
from unibpf.messages.programs import Counter, Signed

T = TypeVar("T", GuestSpec, DesiredMaps)

ADOPTED: Final = "adopted"
GRAPH: Final = ""  # the graph's place among the floors


class Kept(Struct, kw_only=True):
    """What a host knows: desired guests and entries of their maps, newest good releases with their bytes, sequences."""

    specs: dict[str, GuestSpec] = {}
    maps: dict[str, DesiredMaps] = {}
    releases: dict[str, Signed] = {}
    bytes: dict[str, tuple[bytes, bytes]] = {}
    sequences: dict[str, int] = {}
    unreadable: list[str] = []


class Adopted(Struct, kw_only=True):
    """What was written; `unreadable` are guests whose files say nothing that can be read."""

    guests: list[str] = []
    maps: list[str] = []
    releases: list[str] = []
    sequences: dict[str, int] = {}
    unreadable: list[str] = []


def gather(guests: Path) -> Kept:
    """Read every guest's folder, those of deleted guests too: their floors outlive them."""
    kept = Kept()
    for path in sorted(entry for entry in guests.glob("*") if entry.is_dir()):
        folder = GuestFolder(guests, path.name)
        boot, outcomes = folder.boot(), folder.outcomes.read()
        spec = None if boot is None else folder.good_spec() or boot.spec
        if folder.is_unreadable() or folder.outcomes.alarm():
            kept.unreadable.append(path.name)
        if spec is not None and boot is not None:
            kept.specs[path.name] = spec
            entries = folder.put_back.read()
            if entries is not None and entries.desired != DesiredMaps():
                kept.maps[path.name] = entries.desired
            _raise(kept, f"graph.{spec.audience}.{path.name}", boot.graph_sequence)
        _keep_releases(kept, folder, outcomes)
        try:
            floors = folder.floors()
        except msgspec.MsgspecError:
            kept.unreadable.append(path.name)
            continue
        for counter, sequence in _floors(path.name, spec, outcomes, floors):
            _raise(kept, counter, sequence)
    kept.unreadable = sorted(set(kept.unreadable))
    return kept


def _floors(
    guest: str, spec: GuestSpec | None, outcomes: Outcomes, floors: dict[str, int]
) -> Iterable[tuple[str, int]]:
    """Yield each floor under the counters that it may belong to: a floor names an element, a counter a program."""
    for element, sequence in floors.items():
        if element == GRAPH:
            if spec is not None:
                yield f"graph.{spec.audience}.{guest}", sequence
            continue
        names = {(one.release.audience, one.release.program) for one in outcomes.get(element, ())}
        if spec is not None and element in spec.programs:
            names.add((spec.audience, spec.programs[element]))
        for audience, program in names:
            yield f"program.{audience}.{program}", sequence


def _keep_releases(kept: Kept, folder: GuestFolder, outcomes: Outcomes) -> None:
    for one in (one for rows in outcomes.values() for one in rows):
        release = one.release
        _raise(kept, f"program.{release.audience}.{release.program}", release.sequence)
        key = release_key(release.audience, release.program, release.element)
        held = kept.releases.get(key)
        if one.state != "active" or (held is not None and held.sequence >= release.sequence):
            continue
        taken = folder.outcomes.take(release)
        if taken is not None:
            kept.releases[key], kept.bytes[key] = release, taken


def _raise(kept: Kept, counter: str, sequence: int) -> None:
    if sequence > kept.sequences.get(counter, 0):
        kept.sequences[counter] = sequence


async def write_back(bus: Bus, kept: Kept) -> Adopted:
    """Sequences first: a push that comes meanwhile is above what guests have seen. Then releases, then the guests."""
    done = Adopted(unreadable=kept.unreadable)
    counters, releases, guests = await bus.kv(SEQUENCES), await bus.kv(RELEASES), await bus.kv(GUESTS)
    for counter, sequence in sorted(kept.sequences.items()):
        if await counters.change(counter, _raised(sequence)) is not None:
            done.sequences[counter] = sequence
    for key, release in sorted(kept.releases.items()):
        for part in kept.bytes[key]:
            await bus.put_object(part)
        if await releases.change(key, _newer(release)) is not None:
            done.releases.append(key)
    done.maps = await _maps_back(bus, kept)
    known = {entry.key for entry in await guests.records()}
    for guest, spec in sorted(kept.specs.items()):
        if guest not in known and await guests.change(guest, _absent(spec)) is not None:
            done.guests.append(guest)
    return done


async def _maps_back(bus: Bus, kept: Kept) -> list[str]:
    """The desired map entries of guests of which the bus has no record, and no tombstone."""
    if not kept.maps:
        return []
    bucket, done = await bus.kv(MAPS), []
    known = {entry.key for entry in await bucket.records()}
    for guest, maps in sorted(kept.maps.items()):
        if guest not in known and await bucket.change(guest, _absent(maps)) is not None:
            done.append(guest)
    return done


def _raised(sequence: int) -> Callable[[Entry | None], Counter | None]:
    def step(entry: Entry | None) -> Counter | None:
        stands = 0 if entry is None else entry.decode(Counter).sequence
        return Counter(sequence=sequence, push_id=ADOPTED) if sequence > stands else None

    return step


def _newer(release: Signed) -> Callable[[Entry | None], Signed | None]:
    def step(entry: Entry | None) -> Signed | None:
        return release if entry is None or entry.decode(Signed).sequence < release.sequence else None

    return step


def _absent(value: T) -> Callable[[Entry | None], T | None]:
    def step(entry: Entry | None) -> T | None:
        return value if entry is None else None

    return step
