"""One update of one element: one request to the guest, and what is to be written in which order.

The request is `PUT program`: the guest stages and activates, so that an update pays for one exchange and not for two. Its
answer is both of our events.

Invariants:
- `active` is reported only after the guest said so, authenticated, and after the floor is on the host's disk (design 5);
- updates of one element never overlap;
- doing it again is harmless: the guest answers `already`, and that is reported as active.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from opentelemetry.trace import SpanKind

from services.reconfigurer import answers, timings
from services.reconfigurer.answers import Outcome
from services.reconfigurer.errors import GuestRefused, GuestUnknown, GuestUnreachable
from services.reconfigurer.guest_session import Fact
from services.reconfigurer.plan import Target
from services.reconfigurer.sessions import Sessions
from unibpf import tracing
from unibpf.formats import cbor, envelope
from unibpf.messages.elements import ElementEvent, ElementState
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

UNAVAILABLE = 5 << 5 | 3
EMPTY = cbor.encode({})
RETRY_SECONDS = 0.2

Publish = Callable[[ElementEvent], Awaitable[None]]


class Package:
    """A release with its bytes."""

    def __init__(self, *, release: Signed, envelope: bytes, bundle: bytes) -> None:
        self.release = release
        self.envelope = envelope
        self.bundle = bundle


class Updater:
    """Installs releases and rolls back."""

    def __init__(self, *, sessions: Sessions, patience: float) -> None:
        self._sessions = sessions
        self._patience = patience
        self._locks: dict[Target, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def update(self, target: Target, package: Package, publish: Publish) -> ElementEvent:
        """Publish `staged` while the floor is written; returns what comes last: `active`, or `failed`.

        Raises GuestUnreachable when patience is over.
        """
        async with self._locks[target]:
            try:
                installed = await self._patiently(target, lambda: self._install(target, package))
            except GuestRefused as refused:
                return failure(target, package.release, refused)
            staged = event(target, "staged", package.release, answers.before_swap(installed))
            await asyncio.gather(self._note_floor(target, installed), publish(staged))
            return event(target, "active", package.release, installed)

    async def roll_back(self, target: Target) -> ElementEvent:
        """Ask for the previous program; raises GuestRefused or GuestUnreachable."""
        async with self._locks[target]:
            with tracing.span("roll back", kind=SpanKind.CLIENT, attributes=_attributes(target)):
                fact = await self._request(target, "POST", "rollback", EMPTY)
            outcome = answers.outcome(fact.body)
            return event(target, "rolled_back", None, outcome)

    async def _patiently(self, target: Target, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
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
            if time.monotonic() >= deadline:
                raise GuestUnreachable("unreachable", f"gave up on `{target.guest}`: {fault}") from fault
            logger.info("trying again", extra={"guest": target.guest, "element": target.element, "why": str(fault)})
            await asyncio.sleep(RETRY_SECONDS)

    async def _install(self, target: Target, package: Package) -> Outcome:
        body = envelope.signed_bundle(package.envelope, package.bundle)
        with tracing.span("install", kind=SpanKind.CLIENT, attributes=_attributes(target)):
            fact = await self._request(target, "PUT", "program", body)
            outcome = answers.outcome(fact.body)
            timings.record_steps(target.guest, outcome.steps, sent_ns=fact.sent_ns, received_ns=fact.received_ns)
            return outcome

    async def _request(self, target: Target, method: str, what: str, body: bytes) -> Fact:
        session = self._sessions.of(target.guest)
        path = f"/elements/{target.element}/{what}"
        return await session.request(method, path, body, trace=tracing.context_bytes())

    async def _note_floor(self, target: Target, outcome: Outcome) -> None:
        folder = self._sessions.folder(target.guest)
        with tracing.span("write floor"):
            await asyncio.to_thread(folder.raise_floor, target.element, outcome.sequence)


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
    )


def failure(target: Target, release: Signed, error: GuestRefused | GuestUnreachable | GuestUnknown) -> ElementEvent:
    """`failed`, with the guest's rule and sentence, or ours where it could not be reached."""
    return ElementEvent(
        guest=target.guest,
        element=target.element,
        state="failed",
        program=release.program,
        sequence=release.sequence,
        envelope=release.envelope,
        push_id=release.push_id,
        rule=error.rule,
        reason=str(error),
    )


def _attributes(target: Target) -> dict[str, str]:
    return {"unibpf.guest": target.guest, "unibpf.element": target.element, "network.protocol.name": "coap"}
