"""The base of all messages, and the names and numbers that several topics share."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
ProgramName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
GuestName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,47}$")]
ElementName = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_@-]{0,62}$")]
Audience = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
Identity = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
Kind = Literal["filter", "classifier", "rewriter"]


class Message(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all messages."""
