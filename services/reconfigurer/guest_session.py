"""Authenticated talk with one boot of one guest (design 6).

- Every request carries a MAC, with a counter of max(last + 1, Unix microseconds), so a restarted reconfigurer goes on
  without a file. Where the clock was set back, the guest's MACed 4.09 names its highest counter, and we go on from there.
- Only an answer whose MAC is right and belongs to this very request is a fact: a result, or GuestRefused with the guest's
  own rule. Anything else, also an error without a MAC, says nothing about the guest: GuestUnreachable.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from services.reconfigurer.coap_client import Response
from services.reconfigurer.errors import GuestRefused, GuestUnreachable
from unibpf.formats import cbor, control_mac
from unibpf.formats.control_keys import ProblemKey, RefusalKey
from unibpf.formats.control_mac import ControlKeys, MacError
from unibpf.formats.plain import MAX_TEXT, RULE
from unibpf.text import visible

MAX_ANSWER_BYTES: Final = 128 << 10  # a guest has a buffer of 80 KiB (guest/control/resources/resources.hpp)
MAX_COUNTER: Final = 1 << 62
AT_ONCE_BYTES: Final = 8 << 10  # what is longer is decoded beside the event loop: other guests do not wait for it
COUNTER_RULE: Final = "counter"
CONFLICT: Final = 4 << 5 | 9
PROBLEM: Final = "urn:unibpf:v1"


class Exchange(Protocol):
    """CoapClient's seam."""

    async def exchange(
        self, address: str, method: str, path: str, payload: bytes, *, trace: bytes | None = None
    ) -> Response:
        """One request and its answer."""


class Fact(Struct, frozen=True, kw_only=True):
    """What the guest vouches for, with the host's times of request and answer (Unix nanoseconds)."""

    body: Any
    sent_ns: int
    received_ns: int


class GuestSession:
    """One boot's keys, address and counter. Requests take turns.

    The guest keeps one answer for each client, path and method while it is fetched block by block (RFC 7959 2.4): a second
    request for the same would change it under the first one's hands; and counters must arrive in the order they were given.
    """

    def __init__(self, *, address: str, keys: ControlKeys, exchange: Exchange, now_us: Callable[[], int]) -> None:
        self._address = address
        self._keys = keys
        self._exchange = exchange
        self._now_us = now_us
        self._counter = 0
        self._turn = asyncio.Lock()

    async def request(self, method: str, path: str, body: bytes, *, trace: bytes | None = None) -> Fact:
        """Ask; raises GuestRefused or GuestUnreachable. A counter out of the guest's range is set right once."""
        async with self._turn:
            try:
                return await self._once(max(self._counter + 1, self._now_us()), method, path, body, trace)
            except GuestRefused as refused:
                if refused.rule != COUNTER_RULE or refused.code != CONFLICT or refused.highest is None:
                    raise
                # Above our own as well when that was too far ahead for the guest (schemas/control.cddl, counter).
                return await self._once(refused.highest + 1, method, path, body, trace)

    async def _once(self, counter: int, method: str, path: str, body: bytes, trace: bytes | None) -> Fact:
        self._counter = counter
        sealed = control_mac.seal_request(self._keys, method=method, path=path, counter=counter, body=body)
        response = await self._exchange.exchange(self._address, method, path, sealed.message, trace=trace)
        try:
            answer = control_mac.open_answer(self._keys, response.payload, request=sealed, code=response.code)
        except MacError as error:
            rule = "mac" if _claims_to_be_sealed(response.payload) else "answer"
            raise GuestUnreachable(rule, self._unproven(response, error)) from error
        item = _decode(answer) if len(answer) <= AT_ONCE_BYTES else await asyncio.to_thread(_decode, answer)
        if not response.is_success:
            raise refusal(response.code, item)
        return Fact(body=item, sent_ns=response.sent_ns, received_ns=response.received_ns)

    def _unproven(self, response: Response, error: MacError) -> str:
        """Say what the unauthenticated answer claims: it helps whoever looks, and decides nothing."""
        if not _claims_to_be_sealed(response.payload):
            return f"`{self._address}` answered {response.dotted} without a MAC{self._claim(response)}"
        return (
            f"`{self._address}` gave an answer {response.dotted} that its key does not vouch for "
            f"({error}){self._claim(response)}"
        )

    @staticmethod
    def _claim(response: Response) -> str:
        with contextlib.suppress(GuestUnreachable):
            return f"; it claims `{refusal(response.code, _decode(response.payload)).rule}`"
        return ""


def _claims_to_be_sealed(payload: bytes) -> bool:
    """An array of two, as every answer with a MAC is (schemas/control.cddl); what CoAP itself answers never is."""
    return payload[:1] == b"\x82"


def refusal(code: int, problem: Any) -> GuestRefused:
    """RFC 9290 problem details, with our own entry for rule and highest (schemas/control.cddl, problem)."""
    ours = problem.get(PROBLEM) if isinstance(problem, dict) else None
    rule = ours.get(RefusalKey.RULE) if isinstance(ours, dict) else None
    if not isinstance(ours, dict) or not isinstance(rule, str) or not RULE.fullmatch(rule):
        raise GuestUnreachable("answer", f"the guest refused with {code >> 5}.{code & 31:02d} and no problem details")
    title, detail = problem.get(ProblemKey.TITLE), problem.get(ProblemKey.DETAIL)
    message = ": ".join(visible(part[:MAX_TEXT]) for part in (title, detail) if isinstance(part, str) and part)
    highest = ours.get(RefusalKey.HIGHEST)
    return GuestRefused(
        rule,
        message or rule,
        code=code,
        highest=highest if isinstance(highest, int) and 0 <= highest < MAX_COUNTER else None,
    )


def _decode(data: bytes) -> Any:
    try:
        return cbor.decode(data, max_bytes=MAX_ANSWER_BYTES)
    except cbor.CborError as error:
        raise GuestUnreachable("answer", f"the guest's answer is not deterministic CBOR: {error}") from error
