"""One handler of a running guest's element, asked of the reconfigurer of the guest's host."""

from typing import Final

from unibpf import subjects
from unibpf.bus import Bus
from unibpf.client import guests
from unibpf.messages.handlers import HandlerCall, HandlerValue

PATIENCE: Final = 10.0  # seconds


class HandlerError(Exception):
    """The handler cannot be called; `hint` says what to do."""

    def __init__(self, rule: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.rule, self.hint = rule, hint


async def call(bus: Bus, guest: str, path: str, value: str | None = None) -> str:
    """Read `ELEMENT.HANDLER`, or write `value` to it; raises HandlerError and what the bus raises."""
    element, dot, handler = path.rpartition(".")
    if not (element and dot and handler):
        raise HandlerError(
            "handler", f"got `{path}`, expected ELEMENT.HANDLER", "`unibpf guest show` names the elements"
        )
    observed = await guests.observed(bus, guest)
    if observed is None or not observed.is_live:
        raise HandlerError("not-found", f"no guest `{guest}` is running", "`unibpf guest list` shows them")
    wanted = HandlerCall(guest=guest, element=element, handler=handler, write=value is not None, value=value)
    answer = await bus.request(subjects.handler_call(observed.host), wanted, HandlerValue, timeout=PATIENCE)
    return answer.value
