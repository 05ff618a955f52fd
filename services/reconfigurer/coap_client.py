"""CoAP (RFC 7252) to one guest: methods, block-wise transfer, the trace option. It moves bytes and judges none.

aiocoap cuts bodies into blocks (RFC 7959), tags them (RFC 9175) and retransmits. Its own patience is long, so every exchange
has a limit of its own.
"""

import asyncio
import time
from typing import Final

import aiocoap  # type: ignore[import-untyped]
from aiocoap import error as coap_error
from aiocoap.numbers import OptionNumber  # type: ignore[import-untyped]
from aiocoap.optiontypes import OpaqueOption  # type: ignore[import-untyped]
from msgspec import Struct

from services.reconfigurer.errors import GuestUnreachable

TRACE_OPTION: Final = OptionNumber(65000)  # schemas/control.cddl; elective and safe to forward (RFC 7252 5.4.6)
CBOR: Final = 60  # application/cbor (RFC 8949 9.2)
METHODS: Final = {"PUT": aiocoap.PUT, "POST": aiocoap.POST, "FETCH": aiocoap.FETCH}


class SameHost(aiocoap.TransportTuning):  # type: ignore[misc]
    """RFC 7252 4.8.1 lets an application that knows its path choose: a guest is on this host and answers within milliseconds.

    A datagram that got lost (a queue of the guest's was full) costs half a second to three quarters then, not two to three.
    """

    ACK_TIMEOUT = 0.5




class Response(Struct, frozen=True, kw_only=True):
    """An answer as it came; `code` is the whole response code (2.04 is 68), times are Unix nanoseconds on this host."""

    code: int
    payload: bytes
    sent_ns: int
    received_ns: int

    @property
    def is_success(self) -> bool:
        """Class 2."""
        return self.code >> 5 == 2

    @property
    def dotted(self) -> str:
        """`4.09`."""
        return f"{self.code >> 5}.{self.code & 31:02d}"


class CoapClient:
    """One UDP endpoint for all guests; made by `create`."""

    def __init__(self, context: aiocoap.Context, *, limit: float) -> None:
        self._context = context
        self._limit = limit

    @classmethod
    async def create(cls, *, limit: float) -> "CoapClient":
        """`limit` is the time of one whole exchange in seconds, all blocks and retransmissions included."""
        return cls(await aiocoap.Context.create_client_context(), limit=limit)

    async def close(self) -> None:
        """Give the socket back."""
        await self._context.shutdown()

    async def exchange(
        self, address: str, method: str, path: str, payload: bytes, *, trace: bytes | None = None
    ) -> Response:
        """Send one request to `host:port` and wait for its whole answer; raises GuestUnreachable."""
        request = aiocoap.Message(
            code=METHODS[method], uri=f"coap://{address}{path}", payload=payload, transport_tuning=SameHost()
        )
        request.opt.content_format = CBOR
        if trace is not None:
            request.opt.add_option(OpaqueOption(TRACE_OPTION, trace))
        sent_ns = time.time_ns()
        try:
            async with asyncio.timeout(self._limit):
                answer = await self._context.request(request).response
        except TimeoutError:
            raise GuestUnreachable("timeout", f"no answer from `{address}` within {self._limit:g} s") from None
        except (coap_error.Error, OSError) as error:
            raise GuestUnreachable("network", f"no answer from `{address}`: {error!r}") from error
        return Response(code=int(answer.code), payload=answer.payload, sent_ns=sent_ns, received_ns=time.time_ns())
