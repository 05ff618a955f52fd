"""Publish an object, and when asked follow it until the guests run it.

The outcome is computed from events only (`Progress.hear`), so that it can be tested without a bus.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus, Follower, Received
from unibpf.bus.topology import UPLOADED
from unibpf.client import guests
from unibpf.messages.base import Kind
from unibpf.messages.elements import ElementEvent
from unibpf.messages.guests import GuestObserved
from unibpf.messages.programs import Refused, Signed, Verdict
from unibpf.messages.reports import Report
from unibpf.push.loading import NOTHING, Loading
from unibpf.push.upload import ANY_ELEMENT, DEFAULT_AUDIENCE, INLINE_BYTES, MAX_OBJECT_BYTES, Upload


@dataclass(frozen=True, kw_only=True)
class Push:
    """What to push, and for whom."""

    program: str
    data: bytes
    audience: str = DEFAULT_AUDIENCE
    element: str = ANY_ELEMENT
    section: str | None = None
    function: str | None = None
    kind: Kind | None = None
    loading: Loading = NOTHING


class Outcome(msgspec.Struct, kw_only=True):
    """What `push --json` prints. Times are milliseconds from just before the publish.

    `staged` are the guests' answers when the program lay beside the running one, `elements` the final ones.
    """

    program: str
    push_id: str = ""
    trace_id: str = ""
    verdict: Verdict | None = None
    report: Report | None = None
    signed: Signed | None = None
    refused: Refused | None = None
    staged: list[ElementEvent] = []
    elements: list[ElementEvent] = []
    verified_ms: float | None = None
    signed_ms: float | None = None
    active_ms: float | None = None


@dataclass(kw_only=True)
class Waiting:
    """The state of `--wait`: hears events, knows when nothing more can come."""

    outcome: Outcome
    started: float
    targets: set[tuple[str, str]] | None = None
    _answers: dict[tuple[str, str], ElementEvent] = field(default_factory=dict)

    def hear(self, event: Received, now: float) -> None:
        """Take one event; events of other pushes are passed over."""
        kind = event.tokens[3]
        elapsed = round((now - self.started) * 1000, 3)
        if kind in {"verified", "rejected"}:
            verdict = event.decode(Verdict)
            if verdict.push_id == self.outcome.push_id:
                self.outcome.verdict, self.outcome.verified_ms = verdict, elapsed
        elif kind == "refused":
            refused = event.decode(Refused)
            if refused.push_id == self.outcome.push_id:
                self.outcome.refused = refused
        elif kind == "signed":
            signed = event.decode(Signed)
            if signed.push_id == self.outcome.push_id:
                self.outcome.signed, self.outcome.signed_ms = signed, elapsed
        elif event.tokens[2] == "element":
            self._hear_element(event.decode(ElementEvent), elapsed)

    def _hear_element(self, event: ElementEvent, elapsed: float) -> None:
        signed = self.outcome.signed
        if signed is None or event.envelope != signed.envelope:
            return
        if event.state == "staged":
            self.outcome.staged = [*self.outcome.staged, event]
            return
        self._answers[event.guest, event.element] = event
        self.outcome.elements = list(self._answers.values())
        self.outcome.active_ms = elapsed

    def finished(self) -> bool:
        """Whether the outcome is final: refused somewhere, or every target has answered."""
        if self.outcome.verdict is not None and self.outcome.verdict.verdict != "safe":
            return True
        if self.outcome.refused is not None:
            return True
        return self.targets is not None and self.targets <= set(self._answers)


def targets_of(signed: Signed, observed: Sequence[GuestObserved]) -> set[tuple[str, str]]:
    """[(guest, element)] that run the released program now."""
    return {
        (guest.guest, element)
        for guest in observed
        if guest.is_live and guest.audience == signed.audience
        for element, program in guest.programs.items()
        if program == signed.program and signed.element in {"*", element}
    }


async def publish(bus: Bus, push: Push) -> str:
    """Publish the object (by reference when it is large); returns the push id."""
    data = push.data
    upload = Upload(
        audience=push.audience,
        element=push.element,
        section=push.section,
        function=push.function,
        kind=push.kind,
        loading=push.loading,
    )
    if len(data) > INLINE_BYTES:
        upload, data = msgspec.structs.replace(upload, object=await bus.put_object(data, store=UPLOADED)), b""
    return await bus.publish(subjects.upload(bus.identity.name, push.program), data, headers=upload.headers())


def _told(program: str) -> Iterator[str]:
    """What there is to hear about a push."""
    yield from (row(program) for row in (subjects.verified, subjects.rejected, subjects.signed, subjects.refused))
    yield from subjects.element.patterns()


async def push_and_wait(bus: Bus, push: Push, *, wait: bool, timeout: float) -> Outcome:  # noqa: ASYNC109
    """Publish, and when asked follow it to its end; TimeoutError when that does not come in `timeout` seconds."""
    outcome = Outcome(program=push.program)
    heard = list(_told(push.program)) if wait else []
    async with await bus.follow(heard) as follower:
        with tracing.span(f"push {push.program}", attributes={"unibpf.program": push.program}):
            outcome.trace_id = tracing.trace_id()
            started = time.monotonic()
            outcome.push_id = await publish(bus, push)
        if wait:
            await _wait(bus, follower, Waiting(outcome=outcome, started=started), timeout)
    if outcome.verdict is not None and outcome.verdict.verdict != "safe":
        outcome.report = msgspec.json.decode(await bus.get_object(outcome.verdict.report), type=Report)
    return outcome


async def _wait(bus: Bus, follower: Follower, waiting: Waiting, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not waiting.finished():
            waiting.hear(await follower.next(), time.monotonic())
            signed = waiting.outcome.signed
            if signed is not None and waiting.targets is None:
                waiting.targets = targets_of(signed, await guests.all_observed(bus))


def read_object(path: Path) -> bytes:
    """The object's bytes; OSError when it cannot be read, ValueError above the cap."""
    size = path.stat().st_size
    if size > MAX_OBJECT_BYTES:
        raise ValueError(f"`{path}` is too large: got {size} bytes, expected at most {MAX_OBJECT_BYTES}")
    return path.read_bytes()
