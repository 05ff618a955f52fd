"""The base of all messages, and the names and numbers that several topics share."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

# Python's `$` also matches before a line break at the end, which JSON Schema's does not: `NO_MORE` says that there is none.
NO_MORE: Final = "(?!\n)"


def whole(pattern: str) -> Meta:
    """That a text is `pattern` from its beginning to its end."""
    return Meta(pattern=f"^{pattern}${NO_MORE}")


Digest = Annotated[str, whole("[0-9a-f]{64}")]
ProgramName = Annotated[str, whole("[a-z0-9][a-z0-9_-]{0,47}")]
GuestName = Annotated[str, whole("[a-z0-9][a-z0-9-]{0,47}")]
ElementName = Annotated[str, whole("[A-Za-z_][A-Za-z0-9_@-]{0,62}")]
Audience = Annotated[str, whole("[a-z0-9][a-z0-9_-]{0,47}")]
Identity = Annotated[str, whole("[a-z0-9][a-z0-9_-]{0,47}")]
Kind = Literal["filter", "classifier", "rewriter"]


class Message(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all messages."""
