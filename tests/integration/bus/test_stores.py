"""`unibpf bus init` and `check` on real servers, three of them as a cluster."""

import asyncio
import contextlib
import json
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError

from services.signer.sequence import Reservation, Sequences, push_key
from tests.support.services.nats import NatsFixture
from unibpf import subjects
from unibpf.bus import topology
from unibpf.bus.embedded import executable, free_port
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup

CLUSTER_SECONDS = 60


@contextlib.asynccontextmanager
async def cluster(root: Path) -> AsyncIterator[JetStreamContext]:
    """Three servers without users."""
    clients, routes = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    servers = []
    for number, (client, route) in enumerate(zip(clients, routes, strict=True)):
        config = {
            "server_name": f"n{number}",
            "host": "127.0.0.1",
            "port": client,
            "jetstream": {"store_dir": str(root / str(number)), "max_file_store": topology.total_bytes()},
            "cluster": {
                "name": "c",
                "listen": f"127.0.0.1:{route}",
                "routes": [f"nats://127.0.0.1:{one}" for one in routes],
            },
        }
        file = root / f"{number}.json"
        file.write_text(json.dumps(config))
        servers.append(await asyncio.create_subprocess_exec(str(executable()), "-c", str(file), stderr=DEVNULL))
    try:
        client = await nats.connect([f"nats://127.0.0.1:{port}" for port in clients], connect_timeout=5)
        try:
            yield client.jetstream(timeout=10)
        finally:
            await client.close()
    finally:
        for server in servers:
            server.kill()
            await server.wait()


async def initialised(js: JetStreamContext) -> None:
    """Three replicas, as soon as the servers have a leader."""
    async with asyncio.timeout(CLUSTER_SECONDS):
        while True:
            with contextlib.suppress(APIError, TimeoutError, nats.errors.Error):
                done = await setup.init(js, hosts=("a",), replicas=3)
                if all(one.is_right for one in done):
                    return
            await asyncio.sleep(0.5)


async def replicas(js: JetStreamContext) -> set[int]:
    names = [str(config.name) for config in topology.stream_configs(1)]
    return {int((await js.stream_info(name)).config.num_replicas or 0) for name in names}


async def test_a_new_host_leaves_a_clusters_replicas_and_limits_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path) as js:
        await initialised(js)
        for asked in (None, 1):
            done = await setup.init(js, hosts=("b",), replicas=asked, yes=True)
            assert await replicas(js) == {3}
            assert "failed" not in {one.outcome for one in done}
        assert (await js.consumer_info("UNIBPF_EVENTS", "reconfigurer-b")).name == "reconfigurer-b"
        assert (await setup.look(js, hosts=("a", "b"))).is_right


async def test_what_stands_changes_only_when_asked_and_never_downwards(nats: NatsFixture) -> None:
    async with await nats.connect(OPERATOR) as operator:
        js = operator.jetstream
        for name, limit in (("UNIBPF_EVENTS", {"max_bytes": 1 << 20}), ("UNIBPF_DEAD", {"max_age": 90 * topology.DAY})):
            await js.update_stream((await js.stream_info(name)).config.evolve(**limit))
        assert {one.step.name for one in await setup.init(js, yes=False) if not one.is_right} == {"UNIBPF_EVENTS"}
        assert (await js.stream_info("UNIBPF_EVENTS")).config.max_bytes == 1 << 20
        assert all(one.is_right for one in await setup.init(js, yes=True))
        assert (await js.stream_info("UNIBPF_EVENTS")).config.max_bytes == 512 << 20
        assert (await js.stream_info("UNIBPF_DEAD")).config.max_age == 90 * topology.DAY


@pytest.mark.parametrize("lost", ["UNIBPF_EVENTS", "KV_unibpf-guests", "OBJ_unibpf-objects"])
async def test_check_says_what_is_missing_and_init_makes_that_alone(nats: NatsFixture, lost: str) -> None:
    async with await nats.connect(OPERATOR) as operator:
        js = operator.jetstream
        assert (await setup.look(js)).is_right
        await js.delete_stream(lost)
        wrong = [step for step in (await setup.look(js)).steps if step.do != "keep"]
        assert {step.do for step in wrong} == {"create"} and lost in {step.name for step in wrong}
        made = [one for one in await setup.init(js, yes=False) if one.outcome == "created"]
        assert [one.step.name for one in made] == [step.name for step in wrong]


async def test_a_stream_that_is_nearly_full_and_refuses_is_an_alarm(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "deployer") as (operator, deployer):
        js = operator.jetstream
        config = (await js.stream_info("KV_unibpf-leases")).config
        config.max_bytes = 20_000
        await js.update_stream(config)
        await (await deployer.kv(topology.LEASES)).create("fw1", b"x" * 19_000)
        found = await setup.look(js)
        assert [one.stream for one in found.fills if one.is_alarm] == ["KV_unibpf-leases"] and not found.is_right


async def test_anybody_may_ask_for_the_condition_of_the_stores(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "cli", "signer") as (operator, cli, signer):
        assert (await setup.condition(cli.jetstream)).faults == []
        await signer.publish(subjects.dead_letter("signer"), b"{}")
        await operator.jetstream.delete_stream("KV_unibpf-leases")
        config = (await operator.jetstream.stream_info("UNIBPF_AUDIT")).config
        await operator.jetstream.update_stream(config.evolve(max_msgs=1))
        await signer.publish(subjects.audit("fw"), b"{}")
        found = await setup.condition(cli.jetstream)
        assert found.dead_letters == 1 and found.missing == ["KV_unibpf-leases"]
        assert found.faults == ["stream KV_unibpf-leases is missing", "stream UNIBPF_AUDIT is 100% full (messages)"]


async def never(_: Reservation) -> bool:
    return False


async def test_reservations_never_stop_signing_by_being_full(nats: NatsFixture) -> None:
    """The bucket is made small, so that a few hundred pushes are what 175,000 were."""
    async with nats.buses(OPERATOR, "signer") as (operator, signer):
        config = (await operator.jetstream.stream_info("KV_unibpf-reservations")).config
        await operator.jetstream.update_stream(config.evolve(max_bytes=20_000))
        bucket = await signer.kv(topology.RESERVATIONS)
        sequences = Sequences(counters=await signer.kv(topology.SEQUENCES), reservations=bucket)
        for number in range(300):
            wanted = Reservation(push_id=f"S:{number}", sequence=number, policy="p", bundle="0" * 64)
            reserved = await sequences.reserve(push_key(wanted.push_id), wanted, seen=None, is_usable=never)
            await sequences.fulfil(push_key(wanted.push_id), reserved, "1" * 64)
            found = await sequences.find(push_key(wanted.push_id))
            assert found is not None and found.reservation is not None and found.reservation.envelope
        assert (await setup.condition(operator.jetstream)).faults == []
        assert await sequences.find("push.S.0") is None and await sequences.find("push.S.299") is not None


async def test_a_store_that_an_older_version_filled_and_left_disturbs_nothing(bare_nats: NatsFixture) -> None:
    retired = {"name": "KV_unibpf-verdicts", "subjects": ["$KV.unibpf-verdicts.>"], "max_bytes": 128 << 20}
    async with await bare_nats.connect(OPERATOR) as operator:
        await operator.jetstream.add_stream(**retired)
        await operator.jetstream.publish("$KV.unibpf-verdicts.a.b", b"{}")
        assert all(done.is_right for done in await setup.init(operator.jetstream))
    bare_nats.server.stop()
    bare_nats.server.start()
    async with await bare_nats.connect(OPERATOR) as operator:
        assert (await setup.look(operator.jetstream)).is_right
        assert (await operator.jetstream.stream_info("KV_unibpf-verdicts")).state.messages == 1
