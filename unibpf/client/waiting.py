"""What becomes of one push, computed from events only, so that it can be tested without a bus.

A push ends in one of these ways: the verifier or the signer refuses it, a service gives it up (a dead letter), or every element
that it is for has answered. With `settle` an answer `active` is not the last word: then it is `settled`, once the guest's
probation is over, or `rolled_back`. An element that runs something newer has superseded it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from unibpf.bus import Received
from unibpf.messages.elements import ElementEvent
from unibpf.messages.guests import GuestObserved
from unibpf.messages.operations import DeadLetter
from unibpf.messages.programs import Refused, Signed, Verdict
from unibpf.messages.reports import Report

Stage = Literal[
    "prepared", "published", "verified", "rejected", "refused", "dead", "signed",
    "active", "settled", "superseded", "rolled_back", "failed",
]  # fmt: skip
_GRAVEST_FIRST: Final[tuple[Stage, ...]] = ("failed", "rolled_back", "superseded")
SEQUENCE_RULE = "sequence"  # what a guest answers to a release that is older than what it had


class Outcome(msgspec.Struct, kw_only=True):
    """What `push --json` prints. Times are milliseconds from just before the publish.

    `stage` is how far it came, `waits_for` the elements (GUEST/ELEMENT) that have not answered, `staged` the guests' answers
    when the program lay beside the running one, `elements` the final ones.
    """

    program: str
    push_id: str = ""
    trace_id: str = ""
    stage: Stage = "prepared"
    waits_for: list[str] = []
    verdict: Verdict | None = None
    report: Report | None = None
    signed: Signed | None = None
    refused: Refused | None = None
    dead: DeadLetter | None = None
    staged: list[ElementEvent] = []
    elements: list[ElementEvent] = []
    verified_ms: float | None = None
    signed_ms: float | None = None
    active_ms: float | None = None
    settled_ms: float | None = None

    def states(self) -> set[str]:
        """How it ended on its elements."""
        return {event.state for event in self.elements}


@dataclass(kw_only=True)
class Waiting:
    """The state of `--wait`: hears events, knows when nothing more can come."""

    outcome: Outcome
    started: float
    settle: bool = False
    _targets: set[tuple[str, str]] | None = None
    _answers: dict[tuple[str, str], ElementEvent] = field(default_factory=dict)
    _newer: Signed | None = None

    def hear(self, event: Received, now: float) -> None:
        """Take one event; events of other pushes are passed over."""
        family, kind = event.tokens[2], event.tokens[3]
        elapsed = round((now - self.started) * 1000, 3)
        if family == "element":
            self._hear_element(event.decode(ElementEvent), elapsed)
        elif kind in {"verified", "rejected"}:
            self._hear_verdict(event.decode(Verdict), elapsed)
        elif kind == "refused":
            self._hear_refused(event.decode(Refused))
        elif kind == "signed":
            self._hear_signed(event.decode(Signed), elapsed)

    def give_up(self, letter: DeadLetter) -> None:
        """A service will never handle it."""
        self.outcome.dead, self.outcome.stage = letter, "dead"

    def aim(self, targets: set[tuple[str, str]]) -> None:
        """Say whom it is for."""
        self._targets = targets
        self._tell()

    @property
    def is_aimed(self) -> bool:
        """Whether that was said."""
        return self._targets is not None

    def finished(self) -> bool:
        """Whether the outcome is final."""
        if self.outcome.stage in {"rejected", "refused", "dead"}:
            return True
        return self._targets is not None and not self._missing()

    def _hear_verdict(self, verdict: Verdict, elapsed: float) -> None:
        if verdict.push_id == self.outcome.push_id:
            self.outcome.verdict, self.outcome.verified_ms = verdict, elapsed
            self.outcome.stage = "verified" if verdict.verdict == "safe" else "rejected"

    def _hear_refused(self, refused: Refused) -> None:
        if refused.push_id == self.outcome.push_id:
            self.outcome.refused, self.outcome.stage = refused, "refused"

    def _hear_signed(self, signed: Signed, elapsed: float) -> None:
        ours = self.outcome.signed
        if signed.push_id == self.outcome.push_id:
            self.outcome.signed, self.outcome.signed_ms, self.outcome.stage = signed, elapsed, "signed"
        elif ours is not None and signed.audience == ours.audience and signed.sequence > ours.sequence:
            self._newer = signed

    def _hear_element(self, event: ElementEvent, elapsed: float) -> None:
        signed = self.outcome.signed
        if signed is None:
            return
        place = (event.guest, event.element)
        is_ours = signed.envelope == event.envelope or event.push_id == self.outcome.push_id
        if not is_ours:
            if event.state == "active" and event.sequence > signed.sequence and place in (self._targets or ()):
                self._take(place, _superseded(event, signed), elapsed)
            return
        if event.state == "staged":
            self.outcome.staged = [*self.outcome.staged, event]
        elif event.state == "failed" and event.rule == SEQUENCE_RULE and self._newer is not None:
            self._take(place, msgspec.structs.replace(event, state="superseded"), elapsed)
        else:
            self._take(place, event, elapsed)

    def _take(self, place: tuple[str, str], event: ElementEvent, elapsed: float) -> None:
        before = self._answers.get(place)
        if before is not None and before.state == "rolled_back" and event.state in {"active", "settled"}:
            return  # that was before
        self._answers[place] = event
        self.outcome.elements = list(self._answers.values())
        if event.state == "active":
            self.outcome.active_ms = elapsed
        if event.state == "settled":
            self.outcome.settled_ms = elapsed
        self._tell()

    def _missing(self) -> set[tuple[str, str]]:
        last = {place for place, event in self._answers.items() if not self.settle or event.state != "active"}
        return (self._targets or set()) - last

    def _tell(self) -> None:
        self.outcome.waits_for = sorted(f"{guest}/{element}" for guest, element in self._missing())
        if self._targets and self._targets <= set(self._answers):
            states = self.outcome.states()
            well: Stage = "settled" if self.settle and not self._missing() else "active"
            self.outcome.stage = next((stage for stage in _GRAVEST_FIRST if stage in states), well)


def _superseded(event: ElementEvent, signed: Signed) -> ElementEvent:
    reason = f"release {event.sequence} of `{event.program}` runs there, which is newer than {signed.sequence}"
    return msgspec.structs.replace(
        event,
        state="superseded",
        sequence=signed.sequence,
        envelope=signed.envelope,
        push_id=signed.push_id,
        rule="superseded",
        reason=reason,
    )


def targets_of(signed: Signed, observed: Sequence[GuestObserved]) -> set[tuple[str, str]]:
    """[(guest, element)] that run the released program now."""
    return {
        (guest.guest, element)
        for guest in observed
        if guest.is_live and guest.audience == signed.audience
        for element, program in guest.programs.items()
        if program == signed.program and signed.element in {"*", element}
    }
