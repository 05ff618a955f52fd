"""The ways in which an identity that was taken over may try to have something done that it has no right to.

Every way is given a target (a subject, or what the JetStream API calls by subject), bytes, and headers. None waits for an
answer: what came of it shows in the state.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from nats.aio.client import Client

from tests.attacks.world import CANARY, HOSTS, KEY, World, concrete, writers
from unibpf import subjects
from unibpf.authority.roles import host_of, role_of
from unibpf.authority.signing import signed
from unibpf.authority.statement import HEADER
from unibpf.bus import topology
from unibpf.bus.permissions import permissions
from unibpf.subjects import EVERYBODY, SUBJECTS

HOSTILE: Final = b'{"host": "a", "hostile": 1}'
VERBS: Final = (
    "STREAM.DELETE.{stream}",
    "STREAM.PURGE.{stream}",
    "STREAM.UPDATE.{stream}",
    "STREAM.CREATE.{stream}",
    "STREAM.MSG.DELETE.{stream}",
    "STREAM.SNAPSHOT.{stream}",
    "STREAM.RESTORE.{stream}",
    "STREAM.LEADER.STEPDOWN.{stream}",
    "CONSUMER.CREATE.{stream}",
    "CONSUMER.CREATE.{stream}.attack",
    "CONSUMER.DURABLE.CREATE.{stream}.attack",
    "CONSUMER.DELETE.{stream}.{consumer}",
    "CONSUMER.PAUSE.{stream}.{consumer}",
)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A genuine message, as anybody may have read it."""

    subject: str
    data: bytes
    headers: Mapping[str, str]


def bodies(verb: str, stream: str) -> bytes:
    """What the API would want, so that a refusal is about the right and not about the form."""
    config = {"name": stream, "subjects": ["attack"], "deliver_subject": subjects.signed("fw"), "ack_policy": "none"}
    if verb.startswith("STREAM.MSG"):
        return b'{"seq": 1}'
    if verb.startswith(("STREAM.CREATE", "STREAM.UPDATE")):
        return json.dumps({"name": stream, "subjects": ["attack"]}).encode()
    return json.dumps({"stream_name": stream, "config": config}).encode() if "CREATE" in verb else b""


def said_targets(identity: str) -> Iterator[str]:
    """Subjects of every row that this identity may not say: another's, another host's, or any."""
    role = role_of(identity)
    for row in SUBJECTS:
        if role not in row.senders and EVERYBODY not in row.senders:
            for pattern in row.patterns():
                yield _filled(pattern)
        elif "identity" in row.parameters:
            others = {subjects.CLI: "ci", subjects.PUSHER: "cli", subjects.SIGNER: "verifier"}
            yield concrete(row, others.get(role, "signer"))
        elif "service" in row.parameters:
            yield concrete(row, "verifier" if role == subjects.SIGNER else "signer")


def _filled(pattern: str) -> str:
    """`*` is the name of something that is there."""
    words = pattern.split(".")
    hosted = {"deployer", "reconfigurer"} & set(words[2:3])
    return ".".join(HOSTS[0] if word == "*" and hosted else KEY if word == "*" else word for word in words)


def kept_targets(identity: str) -> Iterator[str]:
    """Keys of every bucket whose values this identity may not sign."""
    for bucket in topology.BUCKETS:
        if (
            role_of(identity) not in writers(bucket.name)
            or bucket.authority == "command"
            or _is_foreign(bucket, identity)
        ):
            yield f"$KV.{bucket.name}.{KEY}"


def _is_foreign(bucket: topology.Bucket, identity: str) -> bool:
    """The value says host `a`."""
    return bucket.of_host and host_of(identity) not in {None, HOSTS[0]}


def api_targets() -> Iterator[tuple[str, bytes]]:
    """Every verb on every stream."""
    consumers = {row.stream: row.name for row in topology.consumers(HOSTS)}
    for config in topology.stream_configs(1):
        for verb in VERBS:
            name = verb.format(stream=config.name, consumer=consumers.get(str(config.name), "none"))
            yield f"$JS.API.{name}", bodies(verb, str(config.name))


async def directly(world: World, identity: str, target: str, data: bytes) -> None:
    """Publish it, unsigned and under his own signature, waiting for nothing."""
    client = client_of(world, identity)
    await client.publish(target, data, reply=f"_INBOX_{identity}.x")
    key = world.buses[identity].identity
    await client.publish(target, data, reply=f"_INBOX_{identity}.x", headers=signed(key, target, data, {}))


async def by_reply(world: World, identity: str, target: str) -> None:
    """Have the server acknowledge, a direct get answer, a service reply to the target."""
    client = client_of(world, identity)
    for subject in own_subjects(identity):
        await client.publish(subject, CANARY[:-1] + b', "canary": false}', reply=target)
    for stream in readable_streams(identity):
        for query in ({"last_by_subj": ">"}, {"seq": 1}, {"multi_last": [">"]}):
            await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(query).encode(), reply=target)
    for verb in ("PING", "STATS", "INFO"):
        for role in subjects.SERVICES:
            await client.publish(f"$SRV.{verb}.unibpf-{role}", b"", reply=target)
    for subject in ("$JS.API.INFO", f"$JS.API.STREAM.INFO.{subjects.EVENTS}", *asked_subjects(identity)):
        await client.publish(subject, b"{}", reply=target)


async def by_replay(world: World, identity: str, target: str, stored: list[Stored]) -> None:
    """Say again what others said: where it was said, with its headers; and elsewhere, as somebody who hopes it is not bound."""
    client = client_of(world, identity)
    for one in stored:
        await client.publish(one.subject, one.data, headers=dict(one.headers), reply=f"_INBOX_{identity}.x")
        await client.publish(target, one.data, headers={HEADER: one.headers[HEADER]}, reply=f"_INBOX_{identity}.x")


def own_subjects(identity: str) -> list[str]:
    """What the identity may publish into a stream whose messages need no signature, or are nobody's."""
    may = {f"unibpf.v1.trace.{'0' * 32}", f"unibpf.v1.dead.{identity}"}
    if role_of(identity) in {subjects.CLI, subjects.PUSHER}:
        may.add(f"$O.{topology.UPLOADED}.C.attack")
    return sorted(may)


def asked_subjects(identity: str) -> list[str]:
    """The services that it may ask something of."""
    return [concrete(row, identity) for row in SUBJECTS if row.server and role_of(identity) in row.senders]


def readable_streams(identity: str) -> list[str]:
    """Streams that it may read by direct gets."""
    prefix = "$JS.API.DIRECT.GET."
    found = permissions(identity)["publish"]["allow"]
    return [one.removeprefix(prefix) for one in found if one.startswith(prefix) and not one.endswith(">")]


def client_of(world: World, identity: str) -> Client:
    """Below everything that the bus's own code would check."""
    return world.buses[identity].jetstream._nc


async def recorded(world: World) -> list[Stored]:
    """Every genuine message that is stored anywhere, with its signature."""
    found = []
    for config in topology.stream_configs(1):
        name, sequence = str(config.name), 1
        js = world.buses["operator"].jetstream
        last = (await js.stream_info(name)).state.last_seq
        while sequence <= last:
            try:
                one = await js.get_msg(name, seq=sequence, next=True, subject=">", direct=True)
            except Exception:
                break
            headers = {
                k: v
                for k, v in (one.headers or {}).items()
                if k == HEADER or not k.startswith("Nats-") or "Expected" in k
            }
            if HEADER in headers:
                found.append(Stored(subject=one.subject or "", data=one.data or b"", headers=headers))
            sequence = (one.seq or sequence) + 1
    return found
