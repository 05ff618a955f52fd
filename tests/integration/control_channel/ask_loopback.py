"""Run by test_addresses.py in its namespace: asks peers on loopback by CoAP and prints the codes of their answers."""

import asyncio
import socket
import sys
from pathlib import Path

import aiocoap

sys.path.insert(0, str(Path(__file__).parents[3]))
from services.reconfigurer.coap_client import CoapClient


async def answer_one(wire: socket.socket) -> None:
    """The piggy-backed answer (RFC 7252 5.2.1)."""
    loop = asyncio.get_running_loop()
    data, address = await loop.sock_recvfrom(wire, 2048)
    request = aiocoap.Message.decode(data)
    answer = aiocoap.Message(code=aiocoap.CHANGED)
    answer.mtype, answer.mid, answer.token = aiocoap.ACK, request.mid, request.token
    await loop.sock_sendto(wire, answer.encode(), address)


async def ask(client: CoapClient, family: int, bound: str, written: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.bind((bound, 0))
        wire.setblocking(False)
        answering = asyncio.create_task(answer_one(wire))
        answer = await client.exchange(f"{written}:{wire.getsockname()[1]}", "PUT", "/elements/fw/program", b"x")
        await answering
    return answer.dotted


async def main() -> None:
    client = await CoapClient.create(limit=5)
    peers = [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET, "127.0.0.2", "127.0.0.2")]
    print(*[await ask(client, *peer) for peer in [*peers, (socket.AF_INET6, "::1", "[::1]")]])
    await client.close()


asyncio.run(main())
