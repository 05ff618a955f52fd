"""unibpf.bus on a real nats-server: what an identity may not do, and what limits cannot lose."""

import json
import os

import pytest
from nats.js.errors import APIError

from tests.support.services.nats import NatsFixture
from unibpf import subjects
from unibpf.bus import (
    Bus,
    BusFull,
    ObjectMissing,
    PermissionDenied,
    topology,
)
from unibpf.bus.permissions import OPERATOR
from unibpf.messages.graphs import SignedGraph


async def test_an_identity_is_confined_to_its_own_token(nats: NatsFixture) -> None:
    async with nats.buses("ci") as (ci,):
        await ci.publish(subjects.upload("ci", "fw"), b"mine")
        for subject in (subjects.upload("cli", "fw"), subjects.verified("fw"), subjects.guest_apply("fw1")):
            with pytest.raises(PermissionDenied, match="`ci` may not use"):
                await ci.publish(subject, b"not mine")
        with pytest.raises(PermissionDenied):
            await (await ci.kv(topology.GUESTS)).create("fw1", b"{}")
        with pytest.raises(PermissionDenied):
            await ci.request(subjects.sign_graph(), b"{}", SignedGraph)


async def test_an_uploader_cannot_make_the_server_speak_for_somebody_else(nats: NatsFixture) -> None:
    """A push consumer would publish stored bytes on any subject, past its creator's permissions."""
    async with nats.buses("ci", OPERATOR) as (ci, operator):
        await ci.put_object(b"\x7fELF, chosen by ci", store=topology.UPLOADED)
        deliver = {"deliver_subject": subjects.upload("cli", "fw"), "ack_policy": "none", "filter_subject": "$O.*.C.>"}
        request = json.dumps({"stream_name": f"OBJ_{topology.UPLOADED}", "config": deliver}).encode()
        with pytest.raises(PermissionDenied):
            await ci.request(f"$JS.API.CONSUMER.CREATE.OBJ_{topology.UPLOADED}", request, dict)
        assert (await operator.jetstream.stream_info(subjects.UPLOADS)).state.messages == 0


async def test_an_uploader_cannot_empty_the_object_store_with_a_rollup(nats: NatsFixture) -> None:
    async with nats.buses("verifier", "ci") as (verifier, ci):
        digest = await verifier.put_object(b"an object", store=topology.UPLOADED)
        with pytest.raises(APIError, match="rollup"):
            await ci.publish(f"$O.{topology.UPLOADED}.M.x", b"", headers={"Nats-Rollup": "all"})
        assert await verifier.get_object(digest, store=topology.UPLOADED) == b"an object"


async def test_an_uploader_writes_to_the_store_of_uploads_only(nats: NatsFixture) -> None:
    async with nats.buses("ci") as (ci,):
        with pytest.raises(PermissionDenied):
            await ci.put_object(b"among the bundles")


async def shrink(operator: Bus, name: str, **limits: int) -> None:
    """Give a stream limits that a test can reach; everything else stays as in the table."""
    config = next(config for config in topology.stream_configs(1) if config.name == name)
    await operator.jetstream.update_stream(config.evolve(**limits))


async def test_a_full_upload_queue_refuses_more_and_keeps_what_it_took(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "ci") as (operator, ci):
        await shrink(operator, subjects.UPLOADS, max_bytes=100_000)
        taken = [await ci.publish(subjects.upload("ci", "fw"), bytes(30_000)) for _ in range(3)]
        with pytest.raises(
            BusFull, match=r"upload.ci.fw` has reached its limit on the server \(maximum bytes exceeded"
        ):
            await ci.publish(subjects.upload("ci", "fw"), bytes(30_000))
        assert (await operator.jetstream.stream_info(subjects.UPLOADS)).state.messages == len(taken)
        await shrink(operator, subjects.UPLOADS, max_msgs=len(taken))
        with pytest.raises(BusFull, match="maximum messages exceeded"):
            await ci.publish(subjects.upload("ci", "fw"), b"small")


async def test_a_flood_of_uploaded_objects_pushes_out_uploads_and_nothing_else(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "ci", "verifier") as (operator, ci, verifier):
        kept = await verifier.put_object(b"a bundle")
        await shrink(operator, f"OBJ_{topology.UPLOADED}", max_bytes=100_000)
        digests = [await ci.put_object(os.urandom(30_000), store=topology.UPLOADED) for _ in range(6)]
        assert (await operator.jetstream.stream_info(f"OBJ_{topology.UPLOADED}")).state.bytes <= 100_000
        with pytest.raises(ObjectMissing):
            await verifier.get_object(digests[0], store=topology.UPLOADED)
        assert len(await verifier.get_object(digests[-1], store=topology.UPLOADED)) == 30_000
        assert await verifier.get_object(kept) == b"a bundle"


async def test_a_full_audit_stream_takes_no_record_and_loses_none(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "signer") as (operator, signer):
        await shrink(operator, subjects.AUDIT, max_bytes=10_000)
        with pytest.raises(BusFull):
            for _ in range(10):
                await signer.publish(subjects.audit("fw"), bytes(3_000))
        assert (await operator.jetstream.stream_info(subjects.AUDIT)).state.first_seq == 1


@pytest.mark.parametrize("identity", ["ci", "cli", "deployer", "reconfigurer"])
async def test_the_servers_answers_are_nobodys_deputies(nats: NatsFixture, identity: str) -> None:
    """An acknowledgement and a direct get go wherever the asker says, past his permissions: but not into another account."""
    row = {"ci": subjects.upload("ci", "fw"), "cli": subjects.guest_apply("fw1")}
    said = row.get(identity, subjects.dead_letter(identity))
    targets = ("$JS.API.STREAM.DELETE.UNIBPF_AUDIT", subjects.upload("other", "fw"), "$KV.unibpf-releases.edge.fw")
    async with nats.buses(identity, OPERATOR) as (taken_over, operator):
        await operator.publish(subjects.element("active", "g", "e"), b"chosen bytes")
        client = taken_over.jetstream._nc
        for target in targets:
            await client.publish(said, b"", reply=target)
            await client.publish(f"$JS.API.DIRECT.GET.{subjects.EVENTS}", b'{"seq": 1}', reply=target)
        await client.flush()
        await taken_over.publish(said, b"the last")
        await operator.jetstream.stream_info(subjects.AUDIT)
        state = (await operator.jetstream.stream_info(subjects.UPLOADS, subjects_filter=">")).state
        assert subjects.upload("other", "fw") not in (state.subjects or {})
        assert (await operator.jetstream.stream_info(f"KV_{topology.RELEASES}")).state.messages == 0
