"""States and moves of the protocol of authority, with an adversary who holds one identity.

What the adversary can write is not part of the state: whoever reads it may read anything that he could have put there, now
or ever (old genuine things, forged ones, nothing). What he cannot write is: the signer's ledger, floors and records of hosts,
what guests run. The decisions are the services' own where they are pure; the guest's rule is that of design 5.

Deployer and reconfigurer write nothing on the bus by which anything here is decided: what they hold is their host's files.
One host is enough: hosts know nothing of each other. It begins without a past and gets one.

Time goes in steps that are longer than a list of releases is believed and than a release is fresh.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from services.signer import sequence as numbers
from services.signer import verdicts
from services.signer.errors import EvidenceError, PolicyRefusal
from unibpf.client.current import FRESH_SECONDS, MAX_AGE_SECONDS
from unibpf.host.outcomes import Outcome, choose, was_good
from unibpf.messages.programs import Signed, Verdict

STEP: Final = 4 * 86400
assert STEP > MAX_AGE_SECONDS > FRESH_SECONDS
BEGIN: Final = 1_700_000_000
HUGE: Final = (1 << 63) - 1
ELEMENT: Final = "fw"
PROGRAM: Final = "firewall"
GOOD: Final = ("v1", "v2", "v3")
BAD: Final = "bad"

IDENTITIES: Final = ("nobody", "pusher", "verifier", "signer", "deployer", "reconfigurer", "operator", "guest")
# What each of them makes up, wherever it is read.
STORES: Final = frozenset({"signer", "operator"})  # counters, reservations, releases, lists, `signed`
REPLAYS: Final = frozenset({"operator"})  # stored messages, published again
BARRIERS: Final = (
    "checker", "verifier-key", "ledger", "bounds", "floor", "floor-from-release", "list", "guest-key", "told-as-signed",
)  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One envelope: what it is of, its number, and whether the HSM signed it. `day` is when."""

    version: str
    sequence: int
    day: int
    is_signed: bool = True

    @property
    def told(self) -> Signed:
        """As it is told on the bus."""
        return _told(self)


@dataclass(frozen=True)
class Host:
    """A host and its guest: floor and records on the disk, what runs, the newest list that was seen."""

    floor: int | None = None
    good: frozenset[Release] = frozenset()
    active: Release | None = None
    guest_floor: int = 0
    seen: int = -1


@dataclass(frozen=True)
class State:
    """`pushes` are (day, version); `ledger` maps a push to its release; `lists` has the newest release of each day's list."""

    day: int = 0
    pushes: tuple[tuple[int, str], ...] = ()
    verified: frozenset[tuple[int, str]] = frozenset()
    ledger: tuple[tuple[tuple[int, str], Release], ...] = ()
    lists: tuple[tuple[int, Release], ...] = ()
    host: Host = Host()

    @property
    def releases(self) -> list[Release]:
        return [release for _, release in self.ledger]


@dataclass(frozen=True)
class World:
    """Who is taken over, and which barriers are taken away to see what they are for."""

    identity: str
    without: frozenset[str] = frozenset()
    days: int = 3

    def has(self, barrier: str) -> bool:
        return barrier not in self.without


def moves(world: World, state: State) -> Iterator[tuple[str, State]]:
    """Each thing that can happen next."""
    yield from _time(world, state)
    yield from _pushing(world, state)
    yield from _signing(world, state)
    yield from _hosting(world, state)


def _time(world: World, state: State) -> Iterator[tuple[str, State]]:
    if state.day < world.days:
        newest = max(state.releases, key=lambda one: one.sequence, default=None)
        lists = state.lists if newest is None else (*state.lists, (state.day + 1, newest))
        yield "a step of time", replace(state, day=state.day + 1, lists=lists)


def _pushing(world: World, state: State) -> Iterator[tuple[str, State]]:
    honest = [version for _, version in state.pushes if version != BAD]
    if len(honest) < world.days - 1 and not any(day == state.day and version != BAD for day, version in state.pushes):
        push = (state.day, GOOD[len(honest)])
        yield f"push {push[1]}", replace(state, pushes=(*state.pushes, push), verified=state.verified | {push})
    if world.identity == "pusher" and BAD not in {version for _, version in state.pushes}:
        yield "push what is unsafe", replace(state, pushes=(*state.pushes, (state.day, BAD)))  # the verifier rejects it


def _signing(world: World, state: State) -> Iterator[tuple[str, State]]:
    """A verdict reaches the signer: an honest one, one of a former day, or one that was made up."""
    offered = {push for push in state.verified if push[0] == state.day or push not in dict(state.ledger)}
    if world.identity in REPLAYS:
        offered |= state.verified
    forged = world.identity == "verifier" or (world.identity in REPLAYS | STORES and not world.has("verifier-key"))
    if forged:
        offered |= {(state.day, BAD), (state.day, GOOD[0])}
    for push in sorted(offered):
        for seen in _counters(world, state):
            after = sign(world, state, push, seen)
            if after != state:
                yield f"sign {push[1]}", after


def _counters(world: World, state: State) -> list[int]:
    """What the counter may say."""
    highest = max((one.sequence for one in state.releases), default=0)
    return [0, highest, HUGE] if world.identity in STORES else [highest]


def sign(world: World, state: State, push: tuple[int, str], counter: int) -> State:
    """What the signer does with a verdict on `push`."""
    day, version = push
    known = dict(state.ledger)
    if version == BAD and world.has("checker"):
        return state
    now = BEGIN + state.day * STEP
    if world.has("ledger"):
        if push in known:
            return state  # the release that it had
        verdict = VERDICTS[day]
        try:
            verdicts.check_age(verdict, closed_ms=0, now=now)
        except EvidenceError:
            return state
    signed = max((one.sequence for one in known.values()), default=0) if world.has("ledger") else 0
    if world.has("bounds"):
        try:
            number = numbers.next_sequence(stored=counter, audited=0, signed=signed, now=now)
        except PolicyRefusal:
            return state
    else:
        number = max(counter + 1, signed + 1, now * numbers.TICKS)
    key = push if push not in known else (state.day, f"{version} again")
    return replace(
        state, ledger=(*state.ledger, (key, Release(version=version, sequence=min(number, HUGE), day=state.day)))
    )


def _hosting(world: World, state: State) -> Iterator[tuple[str, State]]:
    """A release is offered to a running guest, or the guest boots with what is said to be newest."""
    for release in _shown(world, state):
        for shown in _lists(world, state):
            for name, act in (("offer", offer), ("boot", boot)):
                host = act(world, state, state.host, release, shown)
                if host != state.host:
                    yield f"{name} {release.version}", replace(state, host=host)


def _shown(world: World, state: State) -> list[Release]:
    """What a host may be told is the newest release."""
    newest = max(state.releases, key=lambda one: one.sequence, default=None)
    if world.identity not in STORES:
        return [] if newest is None else [newest]
    forged = Release(version=BAD, sequence=HUGE, day=state.day, is_signed=False)
    return [*state.releases, forged]


def _lists(world: World, state: State) -> list[tuple[int, Release] | None]:
    """Which signed list a host may be shown."""
    if world.identity in STORES:
        return [None, *state.lists]
    return [state.lists[-1] if state.lists else None]


def _is_current(
    world: World, state: State, host: Host, release: Release, shown: tuple[int, Release] | None
) -> tuple[bool, Host]:
    """unibpf/client/current.py: signed a moment ago, or named by a list of this step."""
    if not world.has("list") or release.sequence >= (BEGIN + state.day * STEP - FRESH_SECONDS) * numbers.TICKS:
        return True, host
    if shown is None or shown[0] != state.day or shown[0] < host.seen:
        return False, host
    return shown[1] == release, replace(host, seen=shown[0])


def _records(host: Host) -> dict[str, list[Outcome]]:
    return {ELEMENT: [Outcome(release=one.told, state="active") for one in host.good]}


def offer(world: World, state: State, host: Host, release: Release, shown: tuple[int, Release] | None) -> Host:
    """What the reconfigurer does (updater.py), and the guest."""
    if not release.is_signed and world.has("told-as-signed") and world.has("guest-key"):
        return host
    if host.floor is None and world.has("floor") and not was_good(_records(host), ELEMENT, release.told):
        is_current, host = _is_current(world, state, host, release, shown)
        if not is_current:
            return host
    return _take(world, host, release)


def _take(world: World, host: Host, release: Release) -> Host:
    """The guest's rule: a key that it pins, and a number above its floor."""
    if not release.is_signed and world.has("guest-key"):
        return host
    if world.has("floor") and release.sequence <= host.guest_floor:
        return host
    claimed = HUGE if world.identity == "guest" and not world.has("floor-from-release") else release.sequence
    return replace(
        host,
        active=release,
        guest_floor=release.sequence,
        floor=max(host.floor or 0, claimed),
        good=host.good | {release},
    )


def boot(world: World, state: State, host: Host, newest: Release, shown: tuple[int, Release] | None) -> Host:
    """What the deployer does (materials.py, boot.py): the guest that ran is gone, an honest one comes."""
    if not newest.is_signed and world.has("told-as-signed"):
        return host
    by_digest = {one.told.envelope: one for one in (*host.good, newest)}
    chosen = choose(_records(host), ELEMENT, PROGRAM, newest.told).release
    if chosen is None:
        return host
    release = by_digest[chosen.envelope]
    if world.has("floor") and not was_good(_records(host), ELEMENT, chosen):
        if host.floor is None:
            is_current, host = _is_current(world, state, host, release, shown)
            if not is_current:
                return host
        elif release.sequence < host.floor:
            return host
    floor = min(host.floor or 0, release.sequence)
    fresh = replace(host, active=None, guest_floor=floor - 1 if floor == release.sequence else floor)
    return _take(replace(world, identity="nobody"), fresh, release)


@cache
def _told(release: Release) -> Signed:
    digest = hashlib.sha256(repr(release).encode()).hexdigest()
    return Signed(
        push_id="", program=PROGRAM, audience="edge", kind="filter", element="*", sequence=release.sequence,
        envelope=digest, bundle=digest, policy="", identity="ci",
    )  # fmt: skip


def _verdict(day: int) -> Verdict:
    return Verdict(
        push_id=f"UNIBPF_UPLOADS:{day}", identity="ci", program=PROGRAM, audience="edge", verdict="safe", object="0" * 64,
        report="0" * 64, verdict_digest="0" * 64, verifier="", version="", options_digest="0" * 64,
        pushed_ms=(BEGIN + day * STEP) * 1000,
    )  # fmt: skip


VERDICTS: Final = [_verdict(day) for day in range(8)]
