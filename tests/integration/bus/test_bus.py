"""unibpf.bus on a real nats-server: topology, publishing, objects, buckets, requests, traces."""

import asyncio
import json
import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import PubAck

from tests.support.services.consuming import PATIENCE, consuming_uploads, eventually
from tests.support.services.nats import NatsFixture
from unibpf import subjects, tracing
from unibpf.bus import (
    Bus,
    BusNotReady,
    BusSettings,
    BusUnavailable,
    Conflict,
    ObjectCorrupt,
    ObjectMissing,
    Received,
    RequestFailed,
    ServiceError,
    Swallowed,
    consume,
    topology,
)
from unibpf.bus.embedded import free_port
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup
from unibpf.client.traces import build_tree, load_trace
from unibpf.host import identity
from unibpf.messages.graphs import SignedGraph, SignGraph


async def test_init_may_run_twice_and_says_what_it_did(bare_nats: NatsFixture) -> None:
    async with await bare_nats.connect(OPERATOR) as operator:
        assert len(await topology.missing(operator.jetstream)) == len(topology.stream_configs(1))
        assert "stream UNIBPF_UPLOADS created: missing" in map(str, await setup.init(operator.jetstream))
        assert {done.outcome for done in await setup.init(operator.jetstream)} == {"kept"}
        assert await topology.missing(operator.jetstream) == []


async def test_without_the_topology_every_use_says_what_to_run(bare_nats: NatsFixture) -> None:
    async with bare_nats.buses("cli", "verifier") as (cli, verifier):
        with pytest.raises(BusNotReady, match=r"no stream takes .* run `unibpf bus init`"):
            await cli.publish(subjects.upload("cli", "fw"), b"elf")
        with pytest.raises(BusNotReady, match="consumer `verifier` is missing"):
            await consume(verifier, "verifier", lambda _: asyncio.sleep(0))
        with pytest.raises(BusNotReady, match="bucket `unibpf-guests` is missing"):
            await (await cli.kv(topology.GUESTS)).get("fw1")
        with pytest.raises(BusNotReady, match="object store is missing"):
            await cli.put_object(b"bytes")


async def test_no_server_is_an_error_that_names_the_address(nats: NatsFixture) -> None:
    settings = BusSettings(url=f"nats://127.0.0.1:{free_port()}", identity=nats.identities["cli"], timeout=0.5)
    with pytest.raises(BusUnavailable, match="no NATS server answers at"):
        await Bus.connect(settings)


async def test_an_unknown_key_is_told_apart_from_a_missing_server(nats: NatsFixture) -> None:
    stranger = identity.create(nats.paths.keys, "stranger")
    with pytest.raises(BusUnavailable, match="does not know the key of `stranger`"):
        await Bus.connect(BusSettings(url=nats.server.url, identity=stranger))


async def test_an_upload_is_a_cloud_event_with_trace_context(nats: NatsFixture) -> None:
    tracing.init("ci", environ={})
    seen: list[Received] = []

    async def handler(received: Received) -> None:
        seen.append(received)

    async with nats.buses("ci", "verifier") as (ci, verifier), consuming_uploads(verifier, handler):
        with tracing.span("push"):
            trace_id = tracing.trace_id()
            delivery_id = await ci.publish(subjects.upload("ci", "fw"), b"\x7fELF", headers={"Unibpf-Audience": "edge"})
        await eventually(lambda: asyncio.sleep(0, bool(seen)))
    (received,) = seen
    assert received.delivery_id == delivery_id == "UNIBPF_UPLOADS:1"
    assert (received.data, received.headers["Unibpf-Audience"]) == (b"\x7fELF", "edge")
    assert received.headers["ce-type"] == "unibpf.v1.program.upload"
    assert received.headers["ce-source"] == "/unibpf/ci"
    assert trace_id in received.headers["traceparent"]


async def test_no_two_messages_have_one_id_and_none_can_be_foreseen(nats: NatsFixture) -> None:
    async with nats.buses("ci", OPERATOR) as (ci, operator):
        stored = [await ci.publish(subjects.upload("ci", "fw"), b"elf") for _ in range(3)]
        ids = [one.headers["Nats-Msg-Id"] async for one in operator.history(subjects.UPLOADS, ">")]
    assert len(set(stored)) == len(set(ids)) == 3
    assert all(uuid.UUID(one).version == 4 for one in ids)


async def test_a_try_that_got_no_answer_is_repeated_and_stored_once(
    nats: NatsFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nats.buses("ci") as (ci,):
        publish, tries = ci.jetstream.publish, []

        async def deaf(*arguments: Any, **more: Any) -> PubAck:
            ack = await publish(*arguments, **more)
            tries.append(ack)
            if len(tries) == 1:
                raise NatsTimeout
            return ack

        monkeypatch.setattr(ci.jetstream, "publish", deaf)
        stored = await ci.publish(subjects.upload("ci", "fw"), b"elf")
    assert [bool(one.duplicate) for one in tries] == [False, True]
    assert stored == f"{subjects.UPLOADS}:{tries[0].seq}"


async def test_a_first_try_that_the_server_takes_for_a_repeat_is_a_fault_told_loudly(
    nats: NatsFixture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    foreseen = uuid.uuid4()
    async with nats.buses("ci", OPERATOR) as (ci, operator):
        await operator.jetstream.publish(subjects.upload("x", "y"), b"first", headers={"Nats-Msg-Id": str(foreseen)})
        monkeypatch.setattr(uuid, "uuid4", lambda: foreseen)
        with pytest.raises(Swallowed, match=r"stored nothing .* as UNIBPF_UPLOADS:1"):
            await ci.publish(subjects.upload("ci", "fw"), b"elf")
    assert [record.levelname for record in caplog.records if record.message == "a message was swallowed"] == ["ERROR"]


@pytest.mark.parametrize("size", [0, 1, 1000, 512 * 1024, 512 * 1024 + 1, 2 * 1024 * 1024])
async def test_an_object_comes_back_under_its_digest(nats: NatsFixture, size: int) -> None:
    data = os.urandom(size)
    async with nats.buses("ci", "verifier") as (ci, verifier):
        digest = await ci.put_object(data, store=topology.UPLOADED)
        assert await verifier.get_object(digest, store=topology.UPLOADED) == data
        assert await verifier.put_object(data, store=topology.UPLOADED) == digest


async def test_missing_oversized_and_swapped_objects_are_refused(nats: NatsFixture) -> None:
    async with nats.buses("verifier", OPERATOR) as (verifier, operator):
        digest = await verifier.put_object(b"right bytes")
        with pytest.raises(ObjectMissing):
            await verifier.get_object("0" * 64)
        with pytest.raises(ObjectCorrupt, match="too large: got 11 bytes, expected at most 10"):
            await verifier.get_object(digest, max_bytes=10)
        meta = f"$O.{topology.OBJECTS}.M.>"
        (stored,) = [m async for m in operator.history(f"OBJ_{topology.OBJECTS}", meta)]
        info = json.loads(stored.data)
        other = await operator.jetstream.publish(f"$O.{topology.OBJECTS}.C.{info['nuid']}", b"wrong bytes")
        assert other.seq > 0
        with pytest.raises(ObjectCorrupt, match="does not have the digest"):
            await verifier.get_object(digest)
        assert await verifier.put_object(b"right bytes") == digest
        assert await verifier.get_object(digest) == b"right bytes"


async def test_a_bucket_changes_by_compare_and_set_only(nats: NatsFixture) -> None:
    async with nats.buses("deployer", "cli") as (deployer, cli):
        leases, seen = await deployer.kv(topology.LEASES), await cli.kv(topology.LEASES)
        assert await leases.get("fw1") is None
        revision = await leases.create("fw1", b"a")
        with pytest.raises(Conflict):
            await leases.create("fw1", b"b")
        with pytest.raises(Conflict):
            await leases.update("fw1", b"b", revision + 1)
        newer = await leases.update("fw1", b"b", revision)
        with pytest.raises(Conflict):
            await leases.delete("fw1", revision)
        assert [(entry.key, entry.value) for entry in await seen.entries()] == [("fw1", b"b")]
        await leases.delete("fw1", newer)
        assert await leases.get("fw1") is None and await seen.keys() == []
        await leases.create("fw1", b"again")


async def test_concurrent_changes_lose_nothing(nats: NatsFixture) -> None:
    async with nats.buses("deployer", "deployer") as buses:
        buckets = [await bus.kv(topology.LEASES) for bus in buses]
        increments = [
            b.change("n", lambda e: str(int((e.value or b"0") if e else 0) + 1).encode()) for b in buckets * 10
        ]
        await asyncio.gather(*increments)
        entry = await buckets[0].get("n")
        assert entry is not None and entry.value == b"20"


async def test_a_write_to_a_bucket_is_heard_by_who_watches_it(nats: NatsFixture) -> None:
    async with nats.buses("deployer") as (deployer,):
        guests = await deployer.kv(topology.GUESTS)
        async with await deployer.changes(topology.GUESTS) as changes:
            await guests.create("a", b"1")
            await guests.delete("a")
            assert [(await changes.next(PATIENCE)).tokens[-1] for _ in range(2)] == ["a", "a"]


async def test_a_request_is_answered_and_a_services_error_is_raised_as_its_own(nats: NatsFixture) -> None:
    async def sign(received: Received) -> SignedGraph:
        request = received.decode(SignGraph)
        if request.name == "forbidden":
            raise ServiceError("403", "policy: no")
        if request.name == "broken":
            raise RuntimeError("a bug")
        if request.name == "early":
            raise ObjectMissing("no object")
        return SignedGraph(
            name=request.name, audience="edge", sequence=1, envelope="0" * 64, graph="0" * 64, policy="p"
        )

    def ask(name: str) -> SignGraph:
        return SignGraph(guest="fw1", audience="edge", name=name, graph="c :: Control;")

    async with nats.buses("signer", "deployer") as (signer, deployer):
        with pytest.raises(BusNotReady, match="no service listens"):
            await deployer.request(subjects.sign_graph(), ask("fw1"), SignedGraph)
        await signer.serve("unibpf-signer", {subjects.sign_graph(): sign})
        assert (await deployer.request(subjects.sign_graph(), ask("fw1"), SignedGraph)).name == "fw1"
        for name, code, text in (
            ("forbidden", "403", "policy: no"),
            ("broken", "500", "RuntimeError: a bug"),
            ("early", "503", "no object"),
        ):
            with pytest.raises(RequestFailed, match=text) as caught:
                await deployer.request(subjects.sign_graph(), ask(name), SignedGraph)
            assert caught.value.code == code
        with pytest.raises(RequestFailed, match="payload"):
            await deployer.request(subjects.sign_graph(), b"{", SignedGraph)
        assert await deployer.ping("unibpf-signer")
        assert not await deployer.ping("unibpf-nobody", timeout=0.2)


async def test_a_trace_is_one_tree_across_publish_and_consume(nats: NatsFixture) -> None:
    async def consume_in_another_context(verifier: Bus, done: asyncio.Event) -> None:
        async def handler(_: Received) -> None:
            with tracing.span("analyse"):
                tracing.record("cpu", start_ns=1, end_ns=2, service="guest/fw1")
            done.set()

        await consume(verifier, "verifier", handler)

    done = asyncio.Event()
    tracing.init("verifier", environ={})
    verifier = await nats.connect("verifier")
    worker = asyncio.create_task(consume_in_another_context(verifier, done))
    tracing.init("ci", environ={})
    async with await nats.connect("ci") as ci:
        with tracing.span("push"):
            trace_id = tracing.trace_id()
            await ci.publish(subjects.upload("ci", "fw"), b"elf")
        await asyncio.wait_for(done.wait(), PATIENCE)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await verifier.close()
    async with nats.buses("cli") as (cli,):

        async def complete() -> bool:
            return len(await load_trace(cli, trace_id)) == 5

        await eventually(complete)
        (root,) = build_tree(await load_trace(cli, trace_id))
        chain = []
        node = root
        while True:
            chain.append((node.span.name, node.span.service))
            if not node.children:
                break
            (node,) = node.children
        assert chain == [
            ("push", "ci"),
            ("send unibpf.v1.program.upload", "ci"),
            ("process unibpf.v1.program.upload", "verifier"),
            ("analyse", "verifier"),
            ("cpu", "guest/fw1"),
        ]
        assert await load_trace(cli, "not a trace id") == []
        assert await load_trace(cli, "f" * 32) == []


async def test_the_limits_stream_gives_every_host_every_release(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "signer", "reconfigurer", "reconfigurer") as (operator, signer, one, two):
        await setup.init(operator.jetstream, hosts=("a", "b"))
        heard: dict[str, list[bytes]] = {"a": [], "b": []}

        def hear(host: str) -> Callable[[Received], Awaitable[None]]:
            async def handler(received: Received) -> None:
                heard[host].append(received.data)

            return handler

        tasks = [
            asyncio.create_task(consume(bus, topology.reconfigurer(host), hear(host)))
            for bus, host in ((one, "a"), (two, "b"))
        ]
        await signer.publish(subjects.signed("fw"), b"{}")
        await eventually(lambda: asyncio.sleep(0, heard == {"a": [b"{}"], "b": [b"{}"]}))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_follower_hears_events_published_after_it_began(nats: NatsFixture) -> None:
    heard = [subjects.signed("fw"), subjects.refused("fw")]
    async with nats.buses("signer", "cli") as (signer, cli), await cli.follow(heard) as follower:
        await signer.publish(subjects.signed("fw"), b"1")
        await signer.publish(subjects.refused("fw"), b"2")
        assert [(await follower.next(5)).data, (await follower.next(5)).data] == [b"1", b"2"]
        with pytest.raises(TimeoutError):
            await follower.next(0.05)
