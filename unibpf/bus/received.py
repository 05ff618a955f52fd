"""A message as a handler sees it."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from opentelemetry.context import Context

from unibpf import subjects, tracing
from unibpf.authority.judge import Judge, NoAuthority, Said
from unibpf.authority.nonces import Nonces
from unibpf.bus.errors import Reject

T = TypeVar("T")
SIGNATURE_HEADER: Final = "Unibpf-Signature"
STORED_HEADER: Final = "Nats-Time-Stamp"  # of a direct get (ADR-31)
How = Literal["request", "live", "delivered", "stored"]
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message and where it lies. `deliveries` counts from 1; live events (`follow`) have neither stream nor sequence.

    `stored_us` is when the server stored it. `said` is who said it, once that was looked at (`believed`); None where nobody
    signed it and nobody has to.
    """

    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: str = ""
    sequence: int = 0
    deliveries: int = 1
    reply: str = ""
    stored_us: int = 0
    said: Said | None = None

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
            stored_us=round(meta.timestamp.timestamp() * 1e6),
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
            stored_us=stamp_us(headers.get(STORED_HEADER, "")),
        )

    def believed(self, judge: Judge, how: How, heard: Nonces | None = None) -> "Received":
        """With who said it, where the table says that somebody has to; raises NoAuthority. `heard` is a listener's memory."""
        row = subjects.row_of(self.subject)
        if row is None or row.authority == "not" or (row.authority == "may" and not judge.can_tell(self.headers)):
            return self
        said = judge.said_row(row, self.subject, self.data, self.headers)
        match how:
            case "request":
                judge.request(said)
            case "live":
                judge.live(said, heard if heard is not None else Nonces())
            case "delivered":
                judge.delivered(said, stored_us=self.stored_us, place=self.delivery_id)
            case "stored":
                judge.stored(said, stored_us=self.stored_us)
        return replace(self, said=said)

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


def stamp_us(text: str) -> int:
    """The server's time stamp (RFC 3339, nanoseconds) as Unix microseconds; 0 where there is none."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return 0
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    return int(whole) * 1_000_000 + int((found[2] or "0").ljust(9, "0")[:6])


def refusal(error: NoAuthority) -> Reject:
    """For whoever answers or puts aside."""
    return Reject(error.rule, error.reason)
