"""Publish an object, and when asked follow it to its end (unibpf.client.waiting says which ends there are)."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from unibpf import subjects, tracing
from unibpf.bus import Bus, Follower, Received
from unibpf.bus.topology import UPLOADED
from unibpf.client import guests
from unibpf.client.waiting import Outcome, Waiting, targets_of
from unibpf.messages.base import Kind
from unibpf.messages.operations import DeadLetter
from unibpf.messages.programs import MapWish, Probation
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
    budget: int | None = None
    loading: Loading = NOTHING
    maps: dict[str, MapWish] = field(default_factory=dict)
    probation: Probation | None = None


async def publish(bus: Bus, push: Push) -> str:
    """Publish the object (by reference when it is large); returns the push id."""
    data = push.data
    upload = Upload(
        audience=push.audience,
        element=push.element,
        section=push.section,
        function=push.function,
        kind=push.kind,
        budget=push.budget,
        loading=push.loading,
        maps=push.maps,
        probation=push.probation,
    )
    if len(data) > INLINE_BYTES:
        upload, data = msgspec.structs.replace(upload, object=await bus.put_object(data, store=UPLOADED)), b""
    return await bus.publish(subjects.upload(bus.identity.name, push.program), data, headers=upload.headers())


def _told(program: str) -> Iterator[str]:
    """What there is to hear about a push."""
    yield from (row(program) for row in (subjects.verified, subjects.rejected, subjects.signed, subjects.refused))
    yield from subjects.element.patterns()
    yield subjects.dead_letter("*")


async def push_and_wait(bus: Bus, push: Push, *, wait: bool, timeout: float) -> Outcome:  # noqa: ASYNC109
    """Publish, and when asked follow it to its end; TimeoutError when that does not come in `timeout` seconds."""
    outcome = Outcome(program=push.program)
    await push_and_follow(bus, push, outcome, seconds=timeout if wait else None)
    return outcome


async def push_and_follow(
    bus: Bus, push: Push, outcome: Outcome, *, seconds: float | None, settle: bool = False
) -> None:
    """Publish, and follow it for that many seconds, with `settle` to the end of the guests' probation.

    `outcome` is filled in as things happen: whoever gave it knows how far it came, however this ends.
    """
    heard = list(_told(push.program)) if seconds is not None else []
    async with await bus.follow(heard) as follower:
        with tracing.span(f"push {push.program}", attributes={"unibpf.program": push.program}):
            outcome.trace_id = tracing.trace_id()
            started = time.monotonic()
            outcome.push_id = await publish(bus, push)
            outcome.stage = "published"
        if seconds is not None:
            await _wait(bus, follower, Waiting(outcome=outcome, started=started, settle=settle), seconds)
    if outcome.verdict is not None and outcome.verdict.verdict != "safe":
        outcome.report = msgspec.json.decode(await bus.get_object(outcome.verdict.report), type=Report)


async def _wait(bus: Bus, follower: Follower, waiting: Waiting, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not waiting.finished():
            event = await follower.next()
            with contextlib.suppress(msgspec.MsgspecError):  # of a newer version: not for us
                if event.tokens[2] == "dead":
                    await _hear_letter(bus, waiting, event.decode(DeadLetter))
                else:
                    waiting.hear(event, time.monotonic())
            signed = waiting.outcome.signed
            if signed is not None and not waiting.is_aimed:
                waiting.aim(targets_of(signed, await guests.all_observed(bus)))


async def _hear_letter(bus: Bus, waiting: Waiting, letter: DeadLetter) -> None:
    """A letter names the message that was given up: the upload itself, or an event that speaks of it."""
    if f"{letter.stream}:{letter.sequence}" == waiting.outcome.push_id:
        waiting.give_up(letter)
        return
    if letter.subject not in {subjects.verified(waiting.outcome.program), subjects.signed(waiting.outcome.program)}:
        return
    async for stored in bus.history(letter.stream, letter.subject, start=letter.sequence):
        if _push_of(stored) == waiting.outcome.push_id:
            waiting.give_up(letter)
        return  # it is the first one from there on


class _Pushed(msgspec.Struct):
    push_id: str = ""


def _push_of(event: Received) -> str:
    try:
        return event.decode(_Pushed).push_id
    except msgspec.MsgspecError:
        return ""


def read_object(path: Path) -> bytes:
    """The object's bytes; OSError when it cannot be read, ValueError above the cap."""
    size = path.stat().st_size
    if size > MAX_OBJECT_BYTES:
        raise ValueError(f"`{path}` is too large: got {size} bytes, expected at most {MAX_OBJECT_BYTES}")
    return path.read_bytes()
