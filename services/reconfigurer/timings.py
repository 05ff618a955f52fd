"""The guest's own timings as spans.

Guest and host share no clock. The guest counts its steps from the arrival of a request's last block; the host knows when it
sent and when the answer came. The steps are laid so that the last one ends half of the unexplained time before the answer:
the other half is taken to be the request's way. They never leave the exchange they belong to.
"""

from collections.abc import Sequence

from msgspec import Struct

from unibpf import tracing


class Placed(Struct, frozen=True, kw_only=True):
    """One step in the host's time, Unix nanoseconds."""

    name: str
    start_ns: int
    end_ns: int


def place(steps: Sequence[tuple[str, int, int]], *, sent_ns: int, received_ns: int) -> list[Placed]:
    """Pure: the steps in the host's time."""
    busy = max((start + duration for _, start, duration in steps), default=0)
    origin = max(sent_ns, received_ns - busy - max(0, received_ns - sent_ns - busy) // 2)
    return [
        Placed(
            name=name,
            start_ns=min(origin + start, received_ns),
            end_ns=min(origin + start + duration, received_ns),
        )
        for name, start, duration in steps
    ]


def record_steps(guest: str, steps: Sequence[tuple[str, int, int]], *, sent_ns: int, received_ns: int) -> None:
    """Add them below the current span, as spans of the guest; the guest's exact durations go along as attributes."""
    for step, (_, _, duration) in zip(place(steps, sent_ns=sent_ns, received_ns=received_ns), steps, strict=True):
        tracing.record(
            step.name,
            start_ns=step.start_ns,
            end_ns=step.end_ns,
            service=f"guest/{guest}",
            attributes={"unibpf.guest_ns": duration},
        )
