"""unibpf.bus on a real nats-server: work queues, retries, dead letters."""

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest

from tests.support.services.consuming import consuming_uploads, dead_letters, eventually
from tests.support.services.nats import NatsFixture
from unibpf import subjects
from unibpf.bus import (
    Bus,
    ObjectMissing,
    Received,
    Reject,
    Retry,
    topology,
)
from unibpf.bus import consumer as consuming
from unibpf.bus.permissions import OPERATOR


async def test_a_rejected_message_is_dead_at_once_and_the_queue_goes_on(nats: NatsFixture) -> None:
    done: list[bytes] = []

    async def handler(received: Received) -> None:
        if received.data == b"bad":
            raise Reject("elf", "not an ELF object")
        done.append(received.data)

    async with nats.buses("ci", "verifier", "cli") as (ci, verifier, cli), consuming_uploads(verifier, handler):
        await ci.publish(subjects.upload("ci", "fw"), b"bad")
        await ci.publish(subjects.upload("ci", "fw"), b"good")
        await eventually(lambda: asyncio.sleep(0, bool(done)))
        (letter,) = await dead_letters(cli)
        assert letter.reason == "elf: not an ELF object"
        assert (letter.stream, letter.sequence, letter.deliveries) == ("UNIBPF_UPLOADS", 1, 1)
        await eventually(lambda: no_pending(verifier))


async def no_pending(bus: Bus) -> bool:
    info = await bus.jetstream.consumer_info(subjects.UPLOADS, "verifier")
    return info.num_ack_pending == 0 and info.num_pending == 0


async def test_a_failure_that_passes_is_retried_and_one_that_stays_ends_as_a_dead_letter(
    nats: NatsFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "BACKOFF_SECONDS", (0.01,))
    attempts: dict[bytes, int] = {}

    async def handler(received: Received) -> None:
        attempts[received.data] = received.deliveries
        if received.data == b"never" or received.deliveries < 3:
            raise Retry("the analyser is busy")

    async with nats.buses("ci", "verifier", "cli") as (ci, verifier, cli), consuming_uploads(verifier, handler):
        await ci.publish(subjects.upload("ci", "fw"), b"soon")
        await ci.publish(subjects.upload("ci", "fw"), b"never")

        async def is_dead() -> bool:
            return bool(await dead_letters(cli))

        await eventually(is_dead)
        assert attempts == {b"soon": 3, b"never": topology.MAX_DELIVERIES}
        (letter,) = await dead_letters(cli)
        assert (letter.reason, letter.deliveries) == ("the analyser is busy", topology.MAX_DELIVERIES)


async def test_what_passes_is_logged_in_one_line_and_a_bug_with_its_traceback(
    nats: NatsFixture, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(received: Received) -> None:
        raise ObjectMissing("there is no object") if received.data == b"early" else ValueError("a bug")

    async with nats.buses("ci", "verifier") as (ci, verifier), consuming_uploads(verifier, handler):
        await ci.publish(subjects.upload("ci", "fw"), b"early")
        await ci.publish(subjects.upload("ci", "fw"), b"bug")

        def lines() -> dict[str, bool]:
            told = [record for record in caplog.records if record.getMessage() == "not handled"]
            return {str(vars(record)["code"]): record.exc_info is not None for record in told}

        await eventually(lambda: asyncio.sleep(0, lines() == {"ObjectMissing": False, "ValueError": True}))


async def test_work_longer_than_the_ack_wait_is_not_delivered_twice(nats: NatsFixture) -> None:
    deliveries: list[int] = []

    async def handler(received: Received) -> None:
        deliveries.append(received.deliveries)
        await asyncio.sleep(1.6)

    async with nats.buses(OPERATOR, "ci", "verifier") as (operator, ci, verifier):
        row = replace(topology.consumer("verifier"), ack_wait=0.5)
        await operator.jetstream.add_consumer(subjects.UPLOADS, topology.consumer_config(row))
        await ci.publish(subjects.upload("ci", "fw"), b"slow")
        task = asyncio.create_task(consuming.work(verifier, row, handler))
        await eventually(lambda: no_pending(verifier))
        task.cancel()
        assert deliveries == [1]


async def test_a_message_whose_workers_all_die_ends_in_the_servers_own_advisory(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "ci") as (operator, ci):
        config = topology.consumer_config(topology.consumer("verifier"))
        config.ack_wait, config.max_deliver = 0.1, 2
        await operator.jetstream.add_consumer(subjects.UPLOADS, config)
        await ci.publish(subjects.upload("ci", "fw"), b"kills its worker")
        pull = await operator.subscribe_pull(topology.consumer("verifier"))
        for _ in range(2):
            await pull.fetch(1, timeout=5)
        await asyncio.sleep(0.2)
        with contextlib.suppress(TimeoutError, Exception):
            await pull.fetch(1, timeout=0.5)

        async def advised() -> bool:
            advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"
            found = [json.loads(m.data) async for m in operator.history(subjects.DEAD, advisories)]
            return [(a["stream"], a["consumer"], a["stream_seq"]) for a in found] == [("UNIBPF_UPLOADS", "verifier", 1)]

        await eventually(advised)


async def test_several_workers_share_a_queue_and_each_message_is_handled_once(nats: NatsFixture) -> None:
    handled: list[int] = []
    running, most = 0, 0

    async def handler(received: Received) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        handled.append(received.sequence)
        running -= 1

    async with (
        nats.buses("ci", "verifier", "verifier") as (ci, one, two),
        consuming_uploads(one, handler, concurrency=2),
        consuming_uploads(two, handler, concurrency=2),
    ):
        for _ in range(20):
            await ci.publish(subjects.upload("ci", "fw"), b"elf")
        await eventually(lambda: asyncio.sleep(0, len(handled) >= 20))
    assert sorted(handled) == list(range(1, 21))
    assert 2 <= most <= 4


async def test_work_goes_on_after_the_server_was_killed_and_nothing_acknowledged_is_lost(nats: NatsFixture) -> None:
    handled: list[bytes] = []

    async def handler(received: Received) -> None:
        handled.append(received.data)

    async with nats.buses("ci", "verifier") as (ci, verifier):
        await ci.publish(subjects.upload("ci", "fw"), b"before")
        nats.server.kill()
        async with consuming_uploads(verifier, handler):
            nats.server.start()
            await eventually(lambda: asyncio.sleep(0, handled == [b"before"]))
            nats.server.kill()
            nats.server.start()
            await ci.publish(subjects.upload("ci", "fw"), b"after")
            await eventually(lambda: asyncio.sleep(0, handled == [b"before", b"after"]))
