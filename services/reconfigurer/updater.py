"""One update of one element: one request to the guest, and what is to be written in which order.

The request is `PUT program`: the guest stages and activates, so that an update pays for one exchange and not for two. Its
answer is both of our events.

Invariants:
- `active` is reported only after the guest said so, authenticated, of this very release, and after floor and outcome are on the
  host's disk (design 5); what the guest refused for good is on the disk before `failed` is reported;
- what outlives the guest (floors, outcomes) has the release's numbers, which are signed, never the guest's own;
- updates of one element never overlap;
- doing it again is harmless: the guest answers `already`, and that is reported as active.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from opentelemetry.trace import SpanKind

from services.reconfigurer import answers, timings
from services.reconfigurer.answers import Outcome
from services.reconfigurer.errors import GuestRefused, GuestUnknown, GuestUnreachable
from services.reconfigurer.guest_session import Fact
from services.reconfigurer.plan import Target
from services.reconfigurer.sessions import Sessions
from unibpf import tracing
from unibpf.client.current import CurrentReleases
from unibpf.formats import bundle as bundles
from unibpf.formats import cbor, envelope, map_differences
from unibpf.formats.bundle import BundleError
from unibpf.host.outcomes import Outcome as Recorded
from unibpf.host.outcomes import was_good
from unibpf.messages.elements import ElementEvent, ElementState
from unibpf.messages.programs import Signed
from unibpf.messages.status import ElementStatus

logger = logging.getLogger(__name__)

UNAVAILABLE = 5 << 5 | 3
EMPTY = cbor.encode({})
RETRY_SECONDS = 0.2
ASKED = "somebody asked for it"
PASSING = frozenset({UNAVAILABLE, 4 << 5 | 9, 4 << 5 | 8})  # 5.03 busy, 4.09 sequence or counter, 4.08 incomplete

Publish = Callable[[ElementEvent], Awaitable[None]]
OnSetback = Callable[
    [str, str, Recorded], Awaitable[None]
]  # guest, element, what was refused or left: it is on the disk


class Package:
    """A release with its bytes."""

    def __init__(self, *, release: Signed, envelope: bytes, bundle: bytes) -> None:
        self.release = release
        self.envelope = envelope
        self.bundle = bundle


class Updater:
    """Installs releases and rolls back."""

    def __init__(self, *, sessions: Sessions, patience: float, on_setback: OnSetback, current: CurrentReleases) -> None:
        self._on_setback = on_setback
        self._sessions = sessions
        self._current = current
        self._patience = patience
        self._locks: dict[Target, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def update(
        self, target: Target, package: Package, publish: Publish, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> ElementEvent:
        """Publish `staged` while the floor is written; returns what comes last: `active`, or `failed`.

        Raises GuestUnreachable when patience is over, or once the release `is_wanted` no more.
        """
        async with self._locks[target]:
            await self._require_current(target, package.release)
            try:
                installed = await self._patiently(target, lambda: self._install(target, package), is_wanted)
            except GuestRefused as refused:
                told = await self._in_full(target, package, refused)
                await self._note_refusal(target, package.release, told)
                return failure(target, package.release, told)
            staged = event(target, "staged", package.release, answers.before_swap(installed))
            await asyncio.gather(self._note_active(target, package.release), publish(staged))
            return event(target, "active", package.release, installed)

    async def _require_current(self, target: Target, release: Signed) -> None:
        """Where this host has nothing to compare it with, a release has to be one that is known to be current."""
        folder = self._sessions.folder(target.guest)
        floors, records = await asyncio.to_thread(lambda: (folder.floors(), folder.outcomes.read()))
        if target.element in floors or was_good(records, target.element, release):
            return  # the guest has its floor
        wrong = await self._current.fault(release)
        if wrong is not None:
            raise GuestUnreachable("release-list", wrong)

    async def keep(self, target: Target, package: Package) -> None:
        """Put the bytes of what became active on the host's shelf: the guest can boot with them while the bus is away."""
        shelf = self._sessions.folder(target.guest).outcomes
        await asyncio.to_thread(shelf.shelve, package.release, package.envelope, package.bundle)

    async def roll_back(self, target: Target) -> ElementEvent:
        """Ask for the previous program, unless the element has gone back already; raises GuestRefused or GuestUnreachable.

        What was left is not offered to this element again, nor booted: a newer release is.
        """
        async with self._locks[target]:
            session = self._sessions.of(target.guest)
            fact = await session.request("FETCH", "/status", EMPTY)
            element = next((one for one in answers.status(fact.body).elements if one.name == target.element), None)
            rows = self._sessions.folder(target.guest).outcomes.read().get(target.element, [])
            if element is not None and has_gone_back(element, rows):
                return already_back(target, element)
            with tracing.span("roll back", kind=SpanKind.CLIENT, attributes=_attributes(target)):
                fact = await self._request(target, "POST", "rollback", EMPTY)
            outcome = answers.outcome(fact.body)
            left = await self._note_left(target, outcome.envelope, rule="asked", reason=ASKED)
            back = event(target, "rolled_back", left, outcome)
            reason = f"{ASKED}; {back.reason}" if back.reason else ASKED
            return msgspec.structs.replace(back, rule="asked", reason=reason)

    async def note_left(self, target: Target, release: Signed, element: ElementStatus) -> ElementEvent:
        """The guest went back by itself: write it down, and say so."""
        reason = f"the guest left release {release.sequence} by itself and runs {element.sequence}"
        await self._note_left(target, element.envelope or "", rule="probation", reason=reason)
        return ElementEvent(
            guest=target.guest,
            element=target.element,
            state="rolled_back",
            program=element.program or release.program,
            sequence=element.sequence or 0,
            envelope=element.envelope or release.envelope,
            push_id=release.push_id,
            rule="probation",
            reason=reason,
        )

    async def _note_left(self, target: Target, now_active: str, *, rule: str, reason: str) -> Signed | None:
        """The newest release that was active there and is not what runs now."""
        file = self._sessions.folder(target.guest).outcomes
        rows = [one.release for one in file.read().get(target.element, []) if one.state == "active"]
        left = max(rows, key=lambda one: one.sequence, default=None)
        if left is None or left.envelope == now_active:
            return None
        record = Recorded(release=left, state="rolled_back", rule=rule, reason=reason, at_us=_now_us(), untold=True)
        await self.note(target, record)
        return left

    async def note(self, target: Target, record: Recorded) -> None:
        """Write down that a release was refused or left, and tell whoever is to know."""
        await asyncio.to_thread(self._sessions.folder(target.guest).outcomes.note, target.element, record)
        await self._on_setback(target.guest, target.element, record)

    async def _patiently(
        self, target: Target, work: Callable[[], Awaitable[Outcome]], is_wanted: Callable[[], bool]
    ) -> Outcome:
        """Try again while the guest can't be reached or is busy, for as long as our patience lasts."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return await work()
            except GuestUnreachable as error:
                fault: Exception = error
            except GuestRefused as error:
                if error.code != UNAVAILABLE:
                    raise
                fault = error
            if time.monotonic() >= deadline or not is_wanted():
                raise GuestUnreachable("unreachable", f"gave up on `{target.guest}`: {fault}") from fault
            logger.info("trying again", extra={"guest": target.guest, "element": target.element, "why": str(fault)})
            await asyncio.sleep(RETRY_SECONDS)

    async def _install(self, target: Target, package: Package) -> Outcome:
        body = envelope.signed_bundle(package.envelope, package.bundle)
        with tracing.span("install", kind=SpanKind.CLIENT, attributes=_attributes(target)):
            fact = await self._request(target, "PUT", "program", body)
            outcome = vouched(target, package.release, answers.outcome(fact.body))
            timings.record_steps(target.guest, outcome.steps, sent_ns=fact.sent_ns, received_ns=fact.received_ns)
            return outcome

    async def _request(self, target: Target, method: str, what: str, body: bytes) -> Fact:
        session = self._sessions.of(target.guest)
        path = f"/elements/{target.element}/{what}"
        return await session.request(method, path, body, trace=tracing.context_bytes())

    async def _note_active(self, target: Target, release: Signed) -> None:
        folder = self._sessions.folder(target.guest)
        record = Recorded(release=release, state="active", at_us=_now_us(), untold=True)

        def write() -> None:
            folder.raise_floor(target.element, release.sequence)
            folder.outcomes.note(target.element, record)

        with tracing.span("write floor"):
            await asyncio.to_thread(write)

    async def _in_full(self, target: Target, package: Package, refused: GuestRefused) -> GuestRefused:
        """The refusal of a map with its name and what differs, as far as that can be found out."""
        if refused.rule != map_differences.RULE:
            return refused
        try:
            found = await self._differing(target, package.bundle)
        except (GuestUnreachable, GuestRefused, BundleError) as error:
            logger.info("what differs in the maps of `%s` is not known: %s", target.guest, error)
            return refused
        if not found:
            return refused
        text = f"{refused}: {'; '.join(found)}"
        return GuestRefused(refused.rule, text, code=refused.code, highest=refused.highest)

    async def _differing(self, target: Target, wanted: bytes) -> list[str]:
        fact = await self._sessions.of(target.guest).request("FETCH", "/status", EMPTY)
        element = next((one for one in answers.status(fact.body).elements if one.name == target.element), None)
        if element is None:
            return []
        shelf = self._sessions.folder(target.guest).outcomes
        rows = await asyncio.to_thread(lambda: shelf.read().get(target.element, []))
        release = next((one.release for one in rows if one.release.envelope == element.envelope), None)
        kept = await asyncio.to_thread(shelf.take, release) if release is not None else None
        old = map_differences.of_status(element.maps)
        if kept is not None:
            old = map_differences.of_bundle(bundles.decode(kept[1]))
        return map_differences.sentences(old, map_differences.of_bundle(bundles.decode(wanted)))

    async def _note_refusal(self, target: Target, release: Signed, refused: GuestRefused) -> None:
        """A judgement about the release is kept; a conflict with what the guest has seen says nothing about it."""
        if refused.code in PASSING:
            return
        record = Recorded(
            release=release, state="refused", rule=refused.rule, reason=str(refused), at_us=_now_us(), untold=True
        )
        await self.note(target, record)


def vouched(target: Target, release: Signed, outcome: Outcome) -> Outcome:
    """The guest's answer, if it is about what it was asked for."""
    rows: tuple[tuple[str, object, object], ...] = (
        ("element", outcome.element, target.element),
        ("program", outcome.program, release.program),
        ("sequence", outcome.sequence, release.sequence),
        ("envelope", outcome.envelope, release.envelope),
    )
    for field, got, expected in rows:
        if got != expected:
            raise GuestUnreachable("answer", f"the guest answers with {field} `{got}`, expected `{expected}`")
    return outcome


def has_gone_back(element: ElementStatus, rows: Sequence[Recorded]) -> bool:
    """Whether it runs something older than what was active there last, in this boot or before it."""
    if element.sequence is None or element.floor is None:
        return False
    last = max(rows, key=lambda one: one.release.sequence, default=None)
    is_left = last is not None and last.state == "rolled_back" and last.release.sequence > element.sequence
    return element.sequence < element.floor or is_left


def already_back(target: Target, element: ElementStatus) -> ElementEvent:
    """The answer to a roll-back that took place before."""
    return ElementEvent(
        guest=target.guest,
        element=target.element,
        state="rolled_back",
        program=element.program or "",
        sequence=element.sequence or 0,
        envelope=element.envelope or "0" * 64,
        already=True,
        engine=element.engine or "",
    )


def superseded(target: Target, release: Signed, *, by: Signed) -> ElementEvent:
    """A release that nobody waits for any more."""
    reason = f"release {by.sequence} of `{by.program}` is newer"
    return _ended(target, release, "superseded", rule="superseded", reason=reason)


def settled(target: Target, release: Signed) -> ElementEvent:
    """A release that stood its probation."""
    return _ended(target, release, "settled")


def _ended(
    target: Target, release: Signed, state: ElementState, *, rule: str | None = None, reason: str | None = None
) -> ElementEvent:
    return ElementEvent(
        guest=target.guest,
        element=target.element,
        state=state,
        program=release.program,
        sequence=release.sequence,
        envelope=release.envelope,
        push_id=release.push_id,
        rule=rule,
        reason=reason,
    )


def event(target: Target, state: ElementState, release: Signed | None, outcome: Outcome) -> ElementEvent:
    """What the guest vouched for, as an event; `release` None: it is the guest that names it (rollback)."""
    return ElementEvent(
        guest=target.guest,
        element=target.element,
        state=state,
        program=outcome.program,
        sequence=outcome.sequence,
        envelope=outcome.envelope,
        push_id=release.push_id if release else "",
        already=outcome.already,
        steps=outcome.steps,
        maps=outcome.maps,
        engine=outcome.engine,
        swap_ns=outcome.swap_ns,
        longest_gap_ns=outcome.longest_gap_ns,
        packets_during=outcome.packets_during,
        packets_lost=outcome.packets_lost,
        engine_before=outcome.engine_before,
        reason=slower(outcome),
    )


def slower(outcome: Outcome) -> str | None:
    """What to say of a program that is interpreted in the place of native code; None of any other."""
    if (outcome.engine_before, outcome.engine) != ("jit", "interpreter"):
        return None
    return "the program before was native code, this one is interpreted: the guest had no memory for its native code"


def of_record(target: Target, record: Recorded) -> ElementEvent:
    """The end of a push as it was written down, told later; the guest's numbers are not known any more."""
    states: dict[str, ElementState] = {"active": "active", "refused": "failed", "rolled_back": "rolled_back"}
    found = _ended(target, record.release, states[record.state], rule=record.rule, reason=record.reason)
    return msgspec.structs.replace(found, already=record.state == "active")


def failure(target: Target, release: Signed, error: GuestRefused | GuestUnreachable | GuestUnknown) -> ElementEvent:
    """`failed`, with the guest's rule and sentence, or ours where it could not be reached."""
    return _ended(target, release, "failed", rule=error.rule, reason=str(error))


def _now_us() -> int:
    return time.time_ns() // 1000


def _attributes(target: Target) -> dict[str, str]:
    return {"unibpf.guest": target.guest, "unibpf.element": target.element, "network.protocol.name": "coap"}
