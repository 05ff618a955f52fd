"""The CoAP client against a peer that counts and loses datagrams, and against a guest."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiocoap
import pytest

from services.reconfigurer.coap_client import MAX_ANSWER, TRAIN, CoapClient, Response, SameHost
from services.reconfigurer.errors import GuestUnreachable
from tests.support.guests import live_guest
from tests.support.guests.live_guest import counting_filter, first_program
from tests.support.signing.signing import Signer, signed_bundle

PATH = "/elements/fw/program"
CON, NON = 0, 1


class Peer:
    """The other end of the wire, in the test's hands."""

    def __init__(self, wire: socket.socket, client: CoapClient) -> None:
        self._wire, self._client = wire, client
        self._address: Any = None

    def ask(self, payload: bytes) -> "asyncio.Task[Response]":
        """Let the client begin."""
        address = f"127.0.0.1:{self._wire.getsockname()[1]}"
        return asyncio.create_task(self._client.exchange(address, "PUT", PATH, payload))

    async def hear(self) -> aiocoap.Message:
        """The next datagram."""
        async with asyncio.timeout(8):
            data, self._address = await asyncio.get_running_loop().sock_recvfrom(self._wire, 2048)
        return aiocoap.Message.decode(data)

    async def acknowledge(self, request: aiocoap.Message, code: aiocoap.Code, **options: Any) -> None:
        """The piggy-backed answer (RFC 7252 5.2.1)."""
        answer = aiocoap.Message(code=code, **options)
        answer.mtype, answer.mid, answer.token = aiocoap.ACK, request.mid, request.token
        await asyncio.get_running_loop().sock_sendto(self._wire, answer.encode(), self._address)

    async def nothing_more(self) -> bool:
        """Whether it is quiet for as long as a guest needs for an answer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.get_running_loop().sock_recvfrom(self._wire, 2048)
                return False
        return True


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    client = await CoapClient.create(limit=10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.setblocking(False)
        yield Peer(wire, client)
    await client.close()


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_datagram_is_sent_again_before_a_person_would_notice(peer: Peer, lost: int) -> None:
    started = time.monotonic()
    asking = peer.ask(b"x")
    heard = [await peer.hear() for _ in range(1 + lost)]
    assert len({message.mid for message in heard}) == 1  # the same message, so that the guest knows it again
    await peer.acknowledge(heard[-1], aiocoap.CHANGED)
    assert (await asking).dotted == "2.04"
    # 0.5 to 0.75 s, then twice that: the default parameters would take 2 to 3 s for the first alone.
    assert time.monotonic() - started < 1.9 * (2**lost - 1)


async def test_the_blocks_of_a_body_go_out_at_once_and_one_answer_is_waited_for(peer: Peer) -> None:
    body = bytes(range(256)) * 13  # 3,328 bytes
    asking = peer.ask(body)
    heard = [await peer.hear() for _ in range(4)]
    assert await peer.nothing_more()
    assert [message.opt.block1 for message in heard] == [(0, True, 6), (1, True, 6), (2, True, 6), (3, False, 6)]
    assert [int(message.mtype) for message in heard] == [NON, NON, NON, CON]
    assert b"".join(message.payload for message in heard) == body
    assert heard[0].opt.size1 == len(body)
    assert len({tuple(message.opt.request_tag) for message in heard}) == 1
    assert [len(tag) for tag in heard[0].opt.request_tag] == [4]
    await peer.acknowledge(heard[-1], aiocoap.CHANGED, payload=b"done", block1=(3, False, 6))
    answer = await asking
    assert (answer.dotted, answer.payload) == ("2.04", b"done")


async def test_a_long_body_waits_for_an_acknowledgement_after_each_train(peer: Peer) -> None:
    asking = peer.ask(bytes(1024 * (TRAIN + 1)))
    first = [await peer.hear() for _ in range(TRAIN)]
    assert await peer.nothing_more()
    await peer.acknowledge(first[-1], aiocoap.CONTINUE, block1=(TRAIN - 1, True, 6))
    last = await peer.hear()
    assert (last.opt.block1, int(last.mtype)) == ((TRAIN, False, 6), CON)
    await peer.acknowledge(last, aiocoap.CHANGED, block1=(TRAIN, False, 6))
    assert (await asking).dotted == "2.04"


async def test_of_a_body_with_a_gap_only_the_train_with_the_gap_is_sent_again(peer: Peer) -> None:
    asking = peer.ask(bytes(1024 * TRAIN + 3000))
    first = [await peer.hear() for _ in range(TRAIN)]
    await peer.acknowledge(first[-1], aiocoap.CONTINUE, block1=(TRAIN - 1, True, 6))
    for code in (aiocoap.REQUEST_ENTITY_INCOMPLETE, aiocoap.REQUEST_ENTITY_INCOMPLETE, aiocoap.CHANGED):
        train = [await peer.hear() for _ in range(3)]
        assert await peer.nothing_more()
        assert [block.opt.block1.block_number for block in train] == [TRAIN, TRAIN + 1, TRAIN + 2]
        assert {tuple(block.opt.request_tag) for block in (*first, *train)} == {tuple(first[0].opt.request_tag)}
        await peer.acknowledge(train[-1], code, block1=(TRAIN + 2, False, 6))
    assert (await asking).dotted == "2.04"


async def test_an_answer_longer_than_a_block_is_fetched_to_its_end(peer: Peer) -> None:
    asking = peer.ask(bytes(2000))
    train = [await peer.hear() for _ in range(2)]
    part = {"payload": b"a" * 1024, "etag": b"1", "block1": (1, False, 6), "block2": (0, True, 6)}
    await peer.acknowledge(train[-1], aiocoap.CHANGED, **part)
    more = await peer.hear()
    assert (more.opt.block2, more.opt.block1, more.payload) == ((1, False, 6), None, b"")
    await peer.acknowledge(more, aiocoap.CHANGED, payload=b"b", etag=b"1", block2=(1, False, 6))
    assert (await asking).payload == b"a" * 1024 + b"b"


async def begin_of_a_long_answer(peer: Peer, asking: "asyncio.Task[Response]") -> aiocoap.Message:
    """The question for its second block."""
    train = [await peer.hear() for _ in range(2)]
    await peer.acknowledge(train[-1], aiocoap.CHANGED, payload=bytes(1024), block1=(1, False, 6), block2=(0, True, 6))
    assert not asking.done()
    return await peer.hear()


async def test_an_answer_without_end_is_cut(peer: Peer) -> None:
    asking = peer.ask(bytes(2000))
    question = await begin_of_a_long_answer(peer, asking)
    for number in range(1, MAX_ANSWER // 1024):
        await peer.acknowledge(question, aiocoap.CHANGED, payload=bytes(1024), block2=(number, True, 6))
        question = await peer.hear()
    await peer.acknowledge(question, aiocoap.CHANGED, payload=bytes(1024), block2=(MAX_ANSWER // 1024, True, 6))
    with pytest.raises(GuestUnreachable, match=f"longer than {MAX_ANSWER} bytes"):
        await asking


async def test_a_block_of_another_number_than_asked_for_is_not_taken(peer: Peer) -> None:
    asking = peer.ask(bytes(2000))
    question = await begin_of_a_long_answer(peer, asking)
    await peer.acknowledge(question, aiocoap.CHANGED, payload=b"b", block2=(3, False, 6))
    with pytest.raises(GuestUnreachable, match="got block 3, expected 1"):
        await asking


@pytest.mark.parametrize("machine", ["process", "microvm"])
async def test_a_guest_takes_trains_of_blocks(machine: live_guest.Machine, bin_directory: Path) -> None:
    signer = Signer()
    image = live_guest.boot(signer, programs=[first_program(signer, counting_filter(2), sequence=10)])
    client = await CoapClient.create(limit=10)
    with live_guest.running(machine, bin_directory, image) as guest:
        for first_sequence, filler in ((11, 350), (111, 3500)):
            for sequence in range(first_sequence, first_sequence + 10):
                program = counting_filter(1, filler=filler)
                body = signed_bundle(signer.release(program, sequence=sequence), program)
                assert len(body) > 1024 * (1 if filler == 350 else TRAIN)
                first, before = requests(guest), requests(guest)
                answer = await client.exchange(
                    f"127.0.0.1:{guest.channel.address[1]}", "PUT", "/elements/fw/staged", body
                )
                assert answer.dotted == "2.04"
                if answer.received_ns - answer.sent_ns < SameHost.ACK_TIMEOUT * 1e9:  # else it rightly sends again
                    break
            else:
                pytest.fail("ten exchanges took longer than it takes to send a datagram again")
            assert (
                requests(guest) - before == -(-len(body) // 1024) + before - first
            )  # each block once, and the question
    await client.close()


def requests(guest: live_guest.LiveGuest) -> int:
    """Datagrams with a request that the guest has counted; those that ask for it come on top."""
    return int(dict(guest.channel.element("control")[13])["requests"])
