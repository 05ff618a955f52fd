"""The CoAP client against a peer that loses datagrams."""

import asyncio
import socket
import time

import pytest

from services.reconfigurer.coap_client import CoapClient

CHANGED = 68  # 2.04


def acknowledgement(request: bytes) -> bytes:
    """The piggy-backed 2.04 to a request (RFC 7252 3 and 5.2.1), for its token."""
    token = request[4 : 4 + (request[0] & 15)]
    return bytes([0x60 | len(token), CHANGED]) + request[2:4] + token


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_lost_datagram_is_sent_again_before_a_person_would_notice(lost: int) -> None:
    loop = asyncio.get_running_loop()
    client = await CoapClient.create(limit=10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        started = time.monotonic()
        address = f"127.0.0.1:{peer.getsockname()[1]}"
        asking = asyncio.create_task(client.exchange(address, "POST", "/elements/fw/rollback", b"x"))
        try:
            datagrams = [await loop.sock_recvfrom(peer, 2048) for _ in range(1 + lost)]
            assert len({data for data, _ in datagrams}) == 1  # the same message, so that the guest knows it again
            await loop.sock_sendto(peer, acknowledgement(datagrams[-1][0]), datagrams[-1][1])
            assert (await asking).code == CHANGED
        finally:
            await client.close()
    # 0.5 to 0.75 s, then twice that: the default parameters would take 2 to 3 s for the first alone.
    assert time.monotonic() - started < 1.9 * (2**lost - 1)
