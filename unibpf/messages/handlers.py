"""Reading and writing the handlers of a running guest's elements."""

from typing import Annotated, Final

from msgspec import Meta

from unibpf.messages.base import GuestName, Message, whole

MAX_WRITE_BYTES: Final = 4096  # guest/control/resources/handler_access.hpp

# Elements of compounds are `compound/element`, and those without a name `Class@3`.
AnyElementName = Annotated[str, whole("[A-Za-z0-9_@/-]{1,63}")]
HandlerName = Annotated[str, whole("[A-Za-z0-9_]{1,63}")]


class HandlerCall(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.handler`, answered by a HandlerValue: read a handler, or write `value` to it.

    Of a read, `value` is the argument of a handler that takes one. A write is not repeated: without an
    answer it may have been done.
    """

    guest: GuestName
    element: AnyElementName
    handler: HandlerName
    write: bool = False
    value: Annotated[str, Meta(max_length=MAX_WRITE_BYTES)] | None = None


class HandlerValue(Message, frozen=True, kw_only=True):
    """What a read gave; empty after a write."""

    value: str = ""
