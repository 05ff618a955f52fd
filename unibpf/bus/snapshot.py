"""The newest message of every subject below a pattern, in one request and without a consumer (ADR-31, `multi_last`).

Readers need no right to create consumers then. That right is more than reading: a push consumer makes the server publish
stored bytes on any subject its creator names, past his own permissions, so an uploader could speak as somebody else.
"""

import asyncio
import json
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg

from unibpf.bus.errors import BusError
from unibpf.bus.received import STORED_HEADER, Received, stamp_us

ANSWER_SECONDS: Final = 5.0
_END_OF_BATCH: Final = "204"
_NO_RESULTS: Final = "404"
_NO_RESPONDERS: Final = "503"


async def newest_of_each(client: Client, stream: str, pattern: str) -> list[Received] | None:
    """By stream sequence, as of one moment; None when the stream does not exist. The server gives at most 1,024 subjects."""
    inbox = client.new_inbox()
    answers: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=answers.put)
    try:
        query = json.dumps({"multi_last": [pattern]}).encode()
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", query, reply=inbox)
        return await asyncio.wait_for(_collect(stream, answers), ANSWER_SECONDS)
    finally:
        await subscription.unsubscribe()


async def _collect(stream: str, answers: "asyncio.Queue[Msg]") -> list[Received] | None:
    found = []
    while True:
        message = await answers.get()
        headers = message.headers or {}
        match headers.get("Status"):
            case None:
                found.append(_received(stream, message, headers))
            case status if status in {_END_OF_BATCH, _NO_RESULTS}:
                return sorted(found, key=lambda received: received.sequence)
            case status if status == _NO_RESPONDERS:
                return None
            case status:
                raise BusError(f"reading `{stream}` failed: got status {status}, expected a batch")


def _received(stream: str, message: Msg, headers: dict[str, str]) -> Received:
    return Received(
        subject=headers["Nats-Subject"],
        data=message.data,
        headers=headers,
        stream=stream,
        sequence=int(headers["Nats-Sequence"]),
        stored_us=stamp_us(headers.get(STORED_HEADER, "")),
    )
