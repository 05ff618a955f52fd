"""CloudEvents 1.0, NATS binding, binary mode: the attributes travel in `ce-*` headers, the payload is the data.

`ce-type` is the subject's kind (`unibpf.v1.program.upload`), `ce-subject` what it is about (`ci.firewall`).
"""

import urllib.parse
from datetime import UTC, datetime
from typing import Final

_SINGLE_WORD_KINDS: Final = ("trace", "audit", "dead")
_UNESCAPED: Final = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')


def event_type(subject: str) -> str:
    """The kind of a subject: its first four tokens, or three where the fourth is a name."""
    tokens = subject.split(".")
    return ".".join(tokens[: 3 if tokens[2:3] and tokens[2] in _SINGLE_WORD_KINDS else 4])


def event_subject(subject: str) -> str:
    """What the event is about: the tokens after its kind."""
    return subject[len(event_type(subject)) + 1 :]


def event_headers(*, subject: str, source: str, event_id: str, now: datetime | None = None) -> dict[str, str]:
    """The required attributes and the time (CloudEvents 1.0, 3.1 and 3.2)."""
    return {
        "ce-specversion": "1.0",
        "ce-id": _escape(event_id),
        "ce-source": _escape(source),
        "ce-type": event_type(subject),
        "ce-subject": _escape(event_subject(subject)),
        "ce-time": (now or datetime.now(UTC)).isoformat().replace("+00:00", "Z"),
    }


def _escape(value: str) -> str:
    """Header values are percent-encoded outside printable ASCII (HTTP binding 3.1.3.2, which the NATS binding adopts)."""
    return urllib.parse.quote(value, safe=_UNESCAPED)
