"""Write `messages.schema.json` (JSON Schema 2020-12) and `asyncapi.json` (AsyncAPI 3.0) from the code.

Run as `python schemas/generate.py`; a test holds the files equal to what this makes.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from unibpf import messages, subjects
from unibpf.messages.base import Message
from unibpf.messages.elements import ElementEvent, RollbackQuery
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.guests import GuestEvent, GuestSpec, HostStatus
from unibpf.messages.maps import MapChange, MapChanged, MapDump, MapQuery
from unibpf.messages.operations import DeadLetter, SpanRecord
from unibpf.messages.programs import AuditRecord, Refused, Signed, Verdict
from unibpf.messages.reports import Report
from unibpf.messages.status import GuestQuery, GuestStatus
from unibpf.push import loading, upload

FOLDER = Path(__file__).parent
SCHEMA_FILE = FOLDER / "messages.schema.json"
ASYNCAPI_FILE = FOLDER / "asyncapi.json"
ANYONE = "anyone allowed"
RAW = (subjects.upload, subjects.verify)


@dataclass(frozen=True)
class Channel:
    """One subject: `make` is its function in `subjects`, called with the names of its parameters in braces."""

    name: str
    make: Callable[..., str]
    arguments: tuple[str, ...]
    message: type[Message] | None
    sender: str
    answer: type[Message] | None = None

    @property
    def address(self) -> str:
        """The subject with its parameters in braces."""
        return self.make(*self.arguments)


def channels() -> list[Channel]:
    """Every subject of `unibpf.subjects`."""
    program = ("{program}",)
    guest = ("{guest}",)
    host = ("{host}",)
    return [
        Channel("programUpload", subjects.upload, ("{identity}", "{program}"), None, ANYONE),
        Channel("programVerified", subjects.verified, program, Verdict, "verifier"),
        Channel("programRejected", subjects.rejected, program, Verdict, "verifier"),
        Channel("programSigned", subjects.signed, program, Signed, "signer"),
        Channel("programRefused", subjects.refused, program, Refused, "signer"),
        Channel("guestApply", subjects.guest_apply, guest, GuestSpec, ANYONE),
        Channel("guestDelete", subjects.guest_delete, guest, None, ANYONE),
        *(
            Channel(f"guest{state.title()}", subjects.guest_state, (state, "{guest}"), GuestEvent, "deployer")
            for state in get_args(subjects.GuestState)
        ),
        *(
            Channel(f"rollout{command.title()}", subjects.rollout, (command, "{program}"), None, ANYONE)
            for command in get_args(subjects.RolloutCommand)
        ),
        *(
            Channel(
                f"element{state.title().replace('_', '')}",
                subjects.element,
                (state, "{guest}", "{element}"),
                ElementEvent,
                "reconfigurer",
            )
            for state in get_args(subjects.ElementState)
        ),
        Channel("trace", subjects.trace, ("{traceId}",), SpanRecord, ANYONE),
        Channel("audit", subjects.audit, program, AuditRecord, "signer"),
        Channel("deadLetter", subjects.dead_letter, ("{service}",), DeadLetter, "the service"),
        Channel("signGraph", subjects.sign_graph, (), SignGraph, "deployer", SignedGraph),
        Channel("verify", subjects.verify, (), None, ANYONE, Report),
        Channel("deployerStatus", subjects.deployer_status, host, None, ANYONE, HostStatus),
        Channel("guestStatus", subjects.guest_status, host, GuestQuery, ANYONE, GuestStatus),
        Channel("mapDump", subjects.map_dump, host, MapQuery, ANYONE, MapDump),
        Channel("mapChange", subjects.map_change, host, MapChange, ANYONE, MapChanged),
        Channel("rollback", subjects.rollback, host, RollbackQuery, ANYONE, ElementEvent),
    ]


def message_types() -> list[type[Message]]:
    """Every message, by name."""
    topics = [
        importlib.import_module(f"{messages.__name__}.{row.name}") for row in pkgutil.iter_modules(messages.__path__)
    ]
    found = {
        kind
        for topic in topics
        for kind in vars(topic).values()
        if isinstance(kind, type) and issubclass(kind, Message)
    }
    return sorted(found - {Message}, key=lambda kind: kind.__name__)


def message_schema() -> dict[str, Any]:
    """One JSON Schema with a definition a message."""
    _, definitions = msgspec.json.schema_components(message_types(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:unibpf:v1:messages",
        "title": "Every message of UniBPF; made by schemas/generate.py",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def asyncapi() -> dict[str, Any]:
    """The subjects, who sends on them, and what."""
    rows = channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "UniBPF",
            "version": "1",
            "description": "Events are CloudEvents 1.0 in binary mode (`ce-*` headers) with W3C `traceparent`. "
            "Made by schemas/generate.py.",
        },
        "defaultContentType": "application/json",
        "channels": {row.name: _channel(row) for row in rows},
        "operations": {f"send{row.name[0].upper()}{row.name[1:]}": _operation(row) for row in rows},
        "components": {"messages": _messages(rows)},
    }


def _channel(row: Channel) -> dict[str, Any]:
    names = [argument.strip("{}") for argument in row.arguments if argument.startswith("{")]
    channel: dict[str, Any] = {
        "address": row.address,
        "description": (row.make.__doc__ or "").strip(),
        "messages": {_message_name(row): {"$ref": f"#/components/messages/{_message_name(row)}"}},
    }
    if names:
        channel["parameters"] = {name: {} for name in names}
    return channel


def _operation(row: Channel) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{row.name}"},
        "summary": f"Sent by: {row.sender}",
    }
    if row.answer is not None:
        operation["description"] = f"Answered by a {row.answer.__name__} (ADR-32)"
    return operation


def _messages(rows: list[Channel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        found[_message_name(row)] = _message(row)
    return {name: found[name] for name in sorted(found)}


def _message(row: Channel) -> dict[str, Any]:
    if row.message is None:
        return (
            {"contentType": "application/octet-stream", "headers": _headers()} if row.make in RAW else {"payload": {}}
        )
    reference = {"$ref": f"messages.schema.json#/$defs/{row.message.__name__}"}
    many = row.message is SpanRecord  # a batch of spans is one message
    return {"payload": {"type": "array", "items": reference} if many else reference}


def _headers() -> dict[str, Any]:
    """What an upload says beside its bytes; all of it is optional."""
    capped = {option.header: {"maxLength": loading.MAX_BYTES} for option in loading.OPTIONS}
    properties = {
        name: {"type": "string", "description": text, **capped.get(name, {})} for name, text in upload.HEADERS.items()
    }
    return {"type": "object", "properties": properties}


def _message_name(row: Channel) -> str:
    if row.message is not None:
        return row.message.__name__
    return "Object" if row.make in RAW else "Empty"


def render(document: dict[str, Any]) -> str:
    """As it lies in the repository."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(render(message_schema()))
    ASYNCAPI_FILE.write_text(render(asyncapi()))
