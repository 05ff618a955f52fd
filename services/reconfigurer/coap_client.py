"""CoAP (RFC 7252) to one guest: methods, block-wise transfer, the trace option. It moves bytes and judges none.

Blocks of a body (RFC 7959) that fit into the guest's queue go out at once, in order: all but the last of such a train are
non-confirmable, and its acknowledgement is that of the whole train. Waiting for each block's 2.31 would cost an update several
round trips through an emulated NIC. NSTART (RFC 7252 4.7) is the application's to choose (4.8) for a path that it knows, and a
guest is on this host. Where a block is lost, the guest finds a gap, keeps what it holds, and says 4.08; then that train goes
again, and the guest takes what it lacks. aiocoap also retransmits. Its own patience is long, so each message has a limit of
its own: a body may take as long as it makes progress.
"""

import asyncio
import contextlib
import secrets
import time
from typing import Final

import aiocoap  # type: ignore[import-untyped]
from aiocoap import error as coap_error
from aiocoap.numbers import OptionNumber  # type: ignore[import-untyped]
from aiocoap.optiontypes import OpaqueOption  # type: ignore[import-untyped]
from msgspec import Struct

from services.reconfigurer.coap_remote import numeric_remote
from services.reconfigurer.errors import GuestUnreachable

TRACE_OPTION: Final = OptionNumber(65000)  # schemas/control.cddl; elective and safe to forward (RFC 7252 5.4.6)
BLOCK_BYTES: Final = 1024
SIZE_EXPONENT: Final = 6  # of such blocks (RFC 7959 2.2)
TRAIN: Final = 8  # blocks; the guest's queue holds 32 frames
TRAIN_ATTEMPTS: Final = (
    24  # until a train is whole: at one datagram lost in four, one train in a thousand needs so many
)
RESEND_SECONDS: Final = 1.0
BEGINS: Final = 3  # of a body that the guest forgot half way
MAX_ANSWER: Final = 64 << 10  # to a body of several blocks: timings and map decisions
MAX_PAGE: Final = 128 << 10  # to others: status, pages of maps; a guest has a buffer of 80 KiB for it
CBOR: Final = 60  # application/cbor (RFC 8949 9.2)
METHODS: Final = {"PUT": aiocoap.PUT, "POST": aiocoap.POST, "FETCH": aiocoap.FETCH}


class SameHost(aiocoap.TransportTuning):  # type: ignore[misc]
    """RFC 7252 4.8.1 lets an application that knows its path choose: a guest is on this host and answers within milliseconds.

    A datagram that got lost (a queue of the guest's was full) costs a fifth of a second to a third then, not two to three.
    """

    ACK_TIMEOUT = 0.2
    MAX_RETRANSMIT = 5


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
        """`limit` is the time of one message and its answer in seconds, retransmissions included."""
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
        request.remote = numeric_remote(self._context, address) or request.remote
        request.opt.content_format = CBOR
        if trace is not None:
            request.opt.add_option(OpaqueOption(TRACE_OPTION, trace))
        sent_ns = time.time_ns()
        try:
            answer = await self._ask(request)
        except TimeoutError:
            raise GuestUnreachable("timeout", f"no answer from `{address}` within {self._limit:g} s") from None
        except (coap_error.Error, OSError) as error:
            raise GuestUnreachable("network", f"no answer from `{address}`: {error!r}") from error
        return Response(code=int(answer.code), payload=answer.payload, sent_ns=sent_ns, received_ns=time.time_ns())

    async def _ask(self, request: aiocoap.Message) -> aiocoap.Message:
        if len(request.payload) > BLOCK_BYTES:
            request.opt.request_tag = [secrets.token_bytes(4)]  # RFC 9175 3.4: blocks of two bodies never mix
            answer = await self._send_trains(request)
            return await self._with_rest(request, answer, MAX_ANSWER)
        return await self._with_rest(request, await self._step(request), MAX_PAGE)

    async def _send_trains(self, request: aiocoap.Message) -> aiocoap.Message:
        """The answer to the last block, or to the one after which it makes no sense to send more."""
        await self._context.find_remote_and_interface(request)
        blocks = list(enumerate(range(0, len(request.payload), BLOCK_BYTES)))
        begins = 0
        at, attempts = 0, 0
        while True:
            is_last = at + TRAIN >= len(blocks)
            answer = await self._send_train(request, blocks[at : at + TRAIN], patient=is_last)
            if answer.code == aiocoap.REQUEST_ENTITY_INCOMPLETE:
                attempts += 1
                if attempts < TRAIN_ATTEMPTS:
                    continue
                at, attempts, begins = 0, 0, begins + 1  # the guest had to forget what it held
                if begins < BEGINS:
                    continue
            at, attempts = at + TRAIN, 0
            if answer.code != aiocoap.CONTINUE or at >= len(blocks):
                return answer

    async def _send_train(
        self, request: aiocoap.Message, train: list[tuple[int, int]], *, patient: bool
    ) -> aiocoap.Message:
        """The answer to its last block; unless `patient`, the train goes again where none comes for a second.

        The last train of a body has to wait: the guest works on what it asks for.
        """
        if not patient:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limit):
                    while True:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(RESEND_SECONDS):
                                return await self._send_once(request, train)
            raise TimeoutError
        return await self._send_once(request, train)

    async def _send_once(self, request: aiocoap.Message, train: list[tuple[int, int]]) -> aiocoap.Message:
        *ahead, last = [_block(request, number, start) for number, start in train]
        for block in ahead:
            block.transport_tuning = aiocoap.Unreliable()
        sent = [self._context.request(block, handle_blockwise=False) for block in ahead]
        try:
            return await self._step(last)
        finally:
            for one in sent:
                one.response.cancel()

    async def _step(self, message: aiocoap.Message) -> aiocoap.Message:
        """One message and its answer: the time limit is one of progress, however many messages a body takes."""
        async with asyncio.timeout(self._limit):
            return await self._context.request(message, handle_blockwise=False).response

    async def _with_rest(self, request: aiocoap.Message, answer: aiocoap.Message, longest: int) -> aiocoap.Message:
        """RFC 7959 2.7: the answer to the last Block1 may be the first Block2 of a longer one."""
        payload, first = answer.payload, answer
        while answer.opt.block2 is not None and answer.opt.block2.more:
            number = answer.opt.block2.block_number + 1
            wanted = (number, False, answer.opt.block2.size_exponent)
            message = request.copy(payload=b"", mid=None, token=None, block2=wanted)
            answer = await self._step(message)
            if answer.opt.block2 is not None and answer.opt.block2.block_number != number:
                raise GuestUnreachable("network", f"got block {answer.opt.block2.block_number}, expected {number}")
            if answer.opt.etag != first.opt.etag or answer.opt.block2 is None:  # RFC 7959 2.4
                raise GuestUnreachable("network", "the answer changed while it was fetched")
            payload += answer.payload
            if len(payload) > longest:
                raise GuestUnreachable("network", f"the answer is longer than {longest} bytes")
        return answer.copy(payload=payload, mid=None, token=None)


def _block(request: aiocoap.Message, number: int, start: int) -> aiocoap.Message:
    end = start + BLOCK_BYTES
    more = end < len(request.payload)
    block = request.copy(payload=request.payload[start:end], mid=None, token=None, block1=(number, more, SIZE_EXPONENT))
    if number == 0:
        block.opt.size1 = len(request.payload)
    return block
