"""Having the Click configuration of a guest signed."""

from typing import Annotated

from msgspec import Meta

from unibpf.messages.base import Audience, Digest, GuestName, Message, ProgramName


class SignGraph(Message, frozen=True, kw_only=True):
    """Request `unibpf.v1.signer.sign_graph`: sign the Click configuration of one guest for its audience."""

    guest: GuestName
    audience: Audience
    name: ProgramName
    graph: Annotated[str, Meta(min_length=1, max_length=65536)]


class SignedGraph(Message, frozen=True, kw_only=True):
    """Answer to SignGraph. The envelope is in the object store under `envelope`; asking again gives the same one."""

    name: ProgramName
    audience: Audience
    sequence: int
    envelope: Digest
    graph: Digest
    policy: str
    not_after: int | None = None
