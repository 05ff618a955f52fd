"""A message as a handler sees it."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from opentelemetry.context import Context

from unibpf import tracing
from unibpf.bus.errors import Reject

T = TypeVar("T")
SIGNATURE_HEADER: Final = "Unibpf-Signature"


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message and where it lies. `deliveries` counts from 1; live events (`follow`) have neither stream nor sequence."""

    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: str = ""
    sequence: int = 0
    deliveries: int = 1
    reply: str = ""
    stored_ms: int = 0  # Unix milliseconds; of what a consumer delivers

    @classmethod
    def delivered(cls, message: Msg) -> "Received":
        """From a consumer."""
        meta = message.metadata
        return cls(
            subject=message.subject,
            data=message.data,
            headers=message.headers or {},
            stream=meta.stream,
            sequence=meta.sequence.stream,
            deliveries=meta.num_delivered,
            stored_ms=int(meta.timestamp.timestamp() * 1000),
        )

    @classmethod
    def live(cls, message: Msg) -> "Received":
        """From a plain subscription."""
        return cls(subject=message.subject, data=message.data, headers=message.headers or {}, reply=message.reply)

    @classmethod
    def stored(cls, stream: str, message: RawStreamMsg) -> "Received":
        """From a direct get."""
        headers: dict[str, Any] = message.headers or {}
        return cls(
            subject=message.subject or "",
            data=message.data or b"",
            headers=headers,
            stream=stream,
            sequence=message.seq or 0,
        )

    @property
    def delivery_id(self) -> str:
        """`<stream>:<sequence>`: the same for every redelivery."""
        return f"{self.stream}:{self.sequence}"

    @property
    def tokens(self) -> list[str]:
        """The subject's tokens."""
        return self.subject.split(".")

    @property
    def context(self) -> Context:
        """The trace context that the message came with."""
        return tracing.extract(self.headers)

    @property
    def signature(self) -> bytes:
        """The bytes of `Unibpf-Signature`; empty when there is none or it is not base64."""
        try:
            return base64.b64decode(self.headers.get(SIGNATURE_HEADER, ""), validate=True)
        except binascii.Error:
            return b""

    def decode(self, kind: type[T]) -> T:
        """The payload as a message; Reject with rule `payload` when it is not one."""
        try:
            return msgspec.json.decode(self.data, type=kind)
        except msgspec.MsgspecError as error:
            raise Reject("payload", f"`{self.subject}` does not carry a {kind.__name__}: {error}") from error
