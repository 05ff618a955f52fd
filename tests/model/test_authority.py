"""Every state that the protocol of authority can reach while somebody holds one identity, and what must hold in each."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.model import authority
from tests.model.authority import BAD, GOOD, HUGE, IDENTITIES, Host, Release, State, World, moves

MOST_STATES = 400_000


def reach(world: World) -> Iterator[tuple[State, list[str]]]:
    """Every state, nearest first, with the moves that led there; what is wrong in it is for the caller to say."""
    begin = State()
    came: dict[State, tuple[State, str] | None] = {begin: None}
    waiting = deque([begin])
    while waiting:
        state = waiting.popleft()
        yield state, _way(came, state)
        for name, after in moves(world, state):
            if after not in came:
                came[after] = (state, name)
                waiting.append(after)
        assert len(came) < MOST_STATES, "the search must be whole"


def _way(came: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps, at = list[str](), came[state]
    while at is not None:
        steps.append(at[1])
        at = came[at[0]]
    return steps[::-1]


def faults(world: World, state: State) -> Iterator[str]:
    """What must not be, of a state and of each move from it."""
    if len(state.ledger) != len({key for key, _ in state.ledger}) or any("again" in key[1] for key, _ in state.ledger):
        yield "a push became two releases"
    if any(release.version == BAD for _, release in state.ledger):
        yield "something unverified was signed"
    if any(release.sequence >= HUGE for release in state.releases):
        yield "nothing can ever be above what was signed"
    if not _may_go_on(world, state):
        yield "somebody is locked out for ever"
    active = state.host.active
    if active is not None and (not active.is_signed or active.version not in GOOD):
        yield "something unverified runs"
    for _, after in moves(world, state):
        now = after.host.active
        if active is not None and now is not None and now.sequence < active.sequence:
            yield "the host went back"
        if active is None and now is not None and now.is_signed and not _is_newest_of_the_step(after, now):
            yield "a host that knew nothing began with what is not current"


def _is_newest_of_the_step(state: State, release: Release) -> bool:
    """Nothing newer was signed before this step of time, which is as long as a list is believed."""
    return not any(one.sequence > release.sequence and one.day < state.day for one in state.releases)


def _may_go_on(world: World, state: State) -> bool:
    """The adversary is gone, what he wrote is there still: the next honest push reaches the host, whose guest is honest."""
    honest = replace(world, identity="nobody")
    day = state.day + 1
    push = (day, "v3")
    later = replace(state, day=day, verified=state.verified | {push})
    counters = [0, HUGE] if world.identity in authority.STORES else [0]
    for counter in counters:
        signed = authority.sign(honest, later, push, counter)
        release = dict(signed.ledger).get(push)
        if release is None:
            return False
        running = replace(signed.host, active=None, guest_floor=signed.host.floor or 0)
        if authority.offer(honest, signed, running, release, None).active != release:
            return False
    return True


def first_fault(world: World, wanted: str = "") -> str | None:
    """What is wrong in a state nearest to the beginning, and how it came about."""
    for state, way in reach(world):
        for fault in faults(world, state):
            if wanted in fault:
                return f"{fault}: {', '.join(way)}"
    return None


@pytest.mark.parametrize("identity", IDENTITIES)
def test_whoever_holds_one_identity_nothing_unverified_or_older_runs_and_nobody_is_locked_out(identity: str) -> None:
    days = 2 if identity == "verifier" else 3  # who forges verdicts has very many ways
    assert first_fault(World(identity=identity, days=days)) is None


@pytest.mark.parametrize(
    ("identity", "without", "fault"),
    [
        ("verifier", {"checker"}, "unverified was signed"),
        ("operator", {"verifier-key", "checker"}, "unverified was signed"),
        ("operator", {"ledger"}, "became two releases"),
        ("operator", {"bounds"}, "nothing can ever be above"),
        ("operator", {"floor"}, "went back"),
        ("signer", {"floor"}, "went back"),
        ("operator", {"list"}, "began with what is not current"),
        ("signer", {"list"}, "began with what is not current"),
        ("guest", {"floor-from-release"}, "locked out"),
        ("operator", {"guest-key", "told-as-signed"}, "unverified runs"),
    ],
)
def test_without_its_barrier_the_search_finds_the_hole(identity: str, without: set[str], fault: str) -> None:
    assert first_fault(World(identity=identity, without=frozenset(without)), fault) is not None


def test_the_search_is_no_walk_round_one_corner() -> None:
    sizes = {identity: sum(1 for _ in reach(World(identity=identity))) for identity in ("nobody", "operator")}
    assert sizes["operator"] > sizes["nobody"] > 50
    assert {state.host == Host() for state, _ in reach(World(identity="nobody"))} == {True, False}
