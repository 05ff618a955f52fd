"""Write `messages.schema.json` (JSON Schema 2020-12) and `asyncapi.json` (AsyncAPI 3.0) from the code.

Run as `python schemas/generate.py`; a test holds the files equal to what this makes.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from unibpf import messages
from unibpf.messages.base import NO_MORE, Message
from unibpf.messages.operations import SpanRecord
from unibpf.push import loading, upload
from unibpf.subjects import PREFIX, SUBJECTS, Subject

FOLDER = Path(__file__).parent
SCHEMA_FILE = FOLDER / "messages.schema.json"
ASYNCAPI_FILE = FOLDER / "asyncapi.json"


@dataclass(frozen=True)
class Channel:
    """One channel: a row of `unibpf.subjects`, or one of its states."""

    name: str
    row: Subject
    state: str | None = None

    @property
    def address(self) -> str:
        """The subject with its parameters in braces."""
        return self.row(
            *(f"{{{name}}}" if name in self.parameters else str(self.state) for name in self.row.parameters)
        )

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters that are open."""
        return [name for name in self.row.parameters if self.state is None or name != "state"]

    @property
    def description(self) -> str:
        """The subject as people write it, and what it is about."""
        shown = re.sub(r"\{(\w+)\}", lambda found: f"<{_words(found[1])}>", self.row.pattern)
        return f"`{PREFIX}.{shown}`: {self.row.text}."


def _words(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f" {letter[0].lower()}", name)


def channels() -> list[Channel]:
    """Every subject; each state of an event is a channel."""
    found = []
    for row in SUBJECTS:
        states = [Channel(f"{row.name}{state.title().replace('_', '')}", row, state) for state in row.states]
        found += states or [Channel(row.name, row)]
    return found


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
    _, components = msgspec.json.schema_components(message_types(), ref_template="#/$defs/{name}")
    definitions = json.loads(json.dumps(components).replace(json.dumps(NO_MORE)[1:-1], ""))
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
        "components": {"messages": _messages(SUBJECTS)},
    }


def _channel(channel: Channel) -> dict[str, Any]:
    name = _message_name(channel.row)
    found: dict[str, Any] = {
        "address": channel.address,
        "description": channel.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }
    if channel.parameters:
        found["parameters"] = {name: {} for name in channel.parameters}
    return found


def _operation(channel: Channel) -> dict[str, Any]:
    row = channel.row
    operation: dict[str, Any] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": f"Sent by: {', '.join(row.senders)}",
    }
    if row.answer is not None:
        operation["description"] = f"Answered by a {row.answer.__name__} (ADR-32)"
    return operation


def _messages(rows: Sequence[Subject]) -> dict[str, Any]:
    found = {_message_name(row): _message(row) for row in rows}
    return {name: found[name] for name in sorted(found)}


def _message(row: Subject) -> dict[str, Any]:
    if row.bytes_only:
        return {"contentType": "application/octet-stream", "headers": _headers()}
    if row.message is None:
        return {"payload": {}}
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


def _message_name(row: Subject) -> str:
    if row.message is not None:
        return row.message.__name__
    return "Object" if row.bytes_only else "Empty"


def render(document: dict[str, Any]) -> str:
    """As it lies in the repository."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(render(message_schema()))
    ASYNCAPI_FILE.write_text(render(asyncapi()))
