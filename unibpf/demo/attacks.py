"""What an attacker on the management network can send: raw CoAP to the guest, past all services."""

from typing import Any

import aiocoap  # type: ignore[import-untyped]
import cbor2
from aiocoap.numbers.codes import Code  # type: ignore[import-untyped]

from unibpf.formats import cbor

RULE_KEY = "urn:unibpf:v1"


class AttackError(Exception):
    """Nobody took the request, or nobody answered it."""


async def stage_raw(control: str, element: str, envelope: bytes, bundle: bytes) -> str:
    """PUT a signed bundle as it is; the rule by which the guest refuses it, or `accepted`.

    `control` is the guest's address, host:port; raises AttackError. Staging needs no MAC: a signature suffices (design 6).
    """
    context = await aiocoap.Context.create_client_context()
    try:
        request = aiocoap.Message(
            code=Code.PUT,
            uri=f"coap://{control}/elements/{element}/staged",
            payload=cbor.encode([envelope, bundle]),
        )
        answer = await context.request(request).response
    except (aiocoap.error.Error, OSError) as error:
        raise AttackError(f"`{control}` gave no answer: {error!r}") from error
    finally:
        await context.shutdown()
    return "accepted" if answer.code.is_successful() else problem_rule(answer.payload)


def problem_rule(payload: bytes) -> str:
    """The rule's id in an RFC 9290 answer."""
    problem: Any = cbor2.loads(payload)
    return str(problem[RULE_KEY][0])


def tampered(data: bytes, position: int) -> bytes:
    """`data` with one bit of one byte changed."""
    changed = bytearray(data)
    changed[position % len(changed)] ^= 1
    return bytes(changed)
