"""Signatures on a real server: what is believed of a bucket, a command, a request, whoever wrote it."""

import asyncio
from pathlib import Path

import pytest

from tests.support.services.nats import NatsFixture
from unibpf import subjects
from unibpf.authority.signing import signed
from unibpf.bus import Bus, BusSettings, Received, Reject, RequestFailed, ServiceError, topology
from unibpf.bus.permissions import OPERATOR
from unibpf.messages.elements import ElementEvent, RollbackQuery

HOSTILE = b'{"hostile": 1}'


async def command(cli: Bus, subject: str, data: bytes) -> Received:
    """A command as a deployer gets it."""
    async with await cli.follow([subject]) as heard:
        await cli.publish(subject, data)
        return await heard.next(5)


async def forge(operator: Bus, key: str, data: bytes = HOSTILE, **headers: str) -> None:
    """What whoever holds the server can write."""
    await operator.jetstream.publish(key, data, headers={one.replace("_", "-"): text for one, text in headers.items()})


async def test_a_value_that_nobody_may_have_written_hides_no_genuine_one(nats: NatsFixture) -> None:
    async with nats.buses("signer", "cli", OPERATOR) as (signer, cli, operator):
        releases = await signer.kv(topology.RELEASES)
        await releases.create("edge.fw", b'{"genuine": 1}')
        await forge(operator, f"$KV.{topology.RELEASES}.edge.fw")
        await forge(operator, f"$KV.{topology.RELEASES}.edge.fw", b"", KV_Operation="DEL")
        for reader in (signer, cli):
            entry = await (await reader.kv(topology.RELEASES)).get("edge.fw")
            assert entry is not None
            assert (entry.value, entry.revision, entry.fault) == (b'{"genuine": 1}', 3, None)
        await releases.update("edge.fw", b'{"genuine": 2}', 3)
        assert [entry.value for entry in await releases.entries()] == [b'{"genuine": 2}']


async def test_where_nothing_genuine_is_left_there_is_neither_a_value_nor_a_deletion(nats: NatsFixture) -> None:
    async with nats.buses("deployer", OPERATOR) as (deployer, operator):
        await forge(operator, f"$KV.{topology.GUESTS}.fw1", b"", KV_Operation="DEL")
        (record,) = await (await deployer.kv(topology.GUESTS)).records()
        assert record.value is not None
        assert (record.fault or "").startswith("unsigned:")


async def test_a_genuine_value_cannot_be_written_again(nats: NatsFixture) -> None:
    async with nats.buses("deployer", OPERATOR) as (deployer, operator):
        leases = await deployer.kv(topology.LEASES)
        await leases.create("fw1", b'{"host": "old"}')
        old = await operator.jetstream.get_msg(
            f"KV_{topology.LEASES}", subject=f"$KV.{topology.LEASES}.fw1", direct=True
        )
        await leases.update("fw1", b'{"host": "new"}', 1)
        claim = {"Unibpf-Authority": (old.headers or {})["Unibpf-Authority"]}
        for headers in (claim, {**claim, "Nats-Expected-Last-Subject-Sequence": "4"}):
            await operator.jetstream.publish(f"$KV.{topology.LEASES}.fw1", b'{"host": "old"}', headers=headers)
            entry = await leases.get("fw1")
            assert entry is not None
            assert (entry.fault or "").startswith("wrong-signer:")
            await leases.update("fw1", b'{"host": "new"}', entry.revision)


async def test_a_desired_guest_is_what_somebody_asked_for_and_a_deployer_cannot_make_it_up(nats: NatsFixture) -> None:
    async with nats.buses("deployer", "cli") as (deployer, cli):
        guests = await deployer.kv(topology.GUESTS)
        await guests.carry("fw1", await command(cli, subjects.guest_apply("fw1"), b'{"wanted": 1}'), deletes=False)
        await guests.update("fw1", b'{"made up": 1}', 1)
        await guests.delete("fw1")
        entry = await guests.get("fw1")
        assert entry is not None and entry.said is not None
        assert (entry.value, entry.said.identity) == (b'{"wanted": 1}', "cli")
        await guests.carry("fw1", await command(cli, subjects.guest_delete("fw1"), b""), deletes=True)
        assert await guests.get("fw1") is None


async def test_an_old_command_changes_nothing_however_and_whenever_it_comes_again(
    nats: NatsFixture, tmp_path: Path
) -> None:
    def settings() -> BusSettings:
        return BusSettings(url=nats.server.url, identity=nats.identities["deployer"], order=tmp_path / "commands.json")

    async with nats.buses("cli", OPERATOR) as (cli, operator):
        async with await Bus.connect(settings()) as deployer:
            guests = await deployer.kv(topology.GUESTS)
            old = await command(cli, subjects.guest_apply("fw1"), b'{"version": 1}')
            await guests.carry("fw1", old, deletes=False)
            await guests.carry("fw1", await command(cli, subjects.guest_apply("fw1"), b'{"version": 2}'), deletes=False)
            assert (await guests.get("fw1")) is not None
            with pytest.raises(Reject, match="something newer"):
                await guests.carry("fw1", old, deletes=False)
        # While no deployer runs, all that is newer goes, and the old command is there again, as it came.
        await operator.jetstream.purge_stream(f"KV_{topology.GUESTS}")
        await operator.jetstream.publish(f"$KV.{topology.GUESTS}.fw1", old.data, headers=dict(old.headers))
        async with await Bus.connect(settings()) as deployer:
            (record,) = await (await deployer.kv(topology.GUESTS)).records()
            assert (record.fault or "").startswith("stale:")


async def test_a_request_counts_once_and_only_from_who_may_ask(nats: NatsFixture) -> None:
    done = []

    async def roll_back(received: Received) -> ElementEvent:
        done.append(received.said)
        raise ServiceError("404", "no such guest")

    query, subject = RollbackQuery(guest="fw1", element="fw"), subjects.rollback("local")
    async with nats.buses("reconfigurer", "cli") as (reconfigurer, cli):
        await reconfigurer.serve("unibpf-reconfigurer", {subject: roll_back})
        with pytest.raises(RequestFailed, match="no such guest"):
            await cli.request(subject, query, ElementEvent)
        assert [one.identity for one in done if one is not None] == ["cli"]
        client = cli.jetstream._nc
        headers = signed(cli.identity, subject, b"{}", {})
        found = [
            (await client.request(subject, b"{}", headers=sent)).headers or {} for sent in (headers, headers, None)
        ]
        rules = [one["Nats-Service-Error"].partition(":")[0] for one in found]
        assert rules == ["no such guest", "replayed", "unsigned"]


async def test_a_service_answers_to_inboxes_only(nats: NatsFixture) -> None:
    async def answer(_: Received) -> bytes:
        return b"an answer"

    async with nats.buses("verifier", OPERATOR) as (verifier, operator):
        await verifier.serve("unibpf-verifier", {subjects.verify(): answer})
        client = verifier.jetstream._nc
        for asked in (subjects.verify(), "$SRV.PING", "$SRV.STATS.unibpf-verifier"):
            await client.publish(asked, b"", reply=subjects.verified("fw"))
        inbox = await client.subscribe("_INBOX_verifier.fine")
        await client.publish("$SRV.PING.unibpf-verifier", b"", reply="_INBOX_verifier.fine")
        assert b"unibpf-verifier" in (await inbox.next_msg(timeout=5)).data
        await asyncio.sleep(0.2)
        assert (await operator.jetstream.stream_info(subjects.EVENTS)).state.messages == 0
