"""A real server, everybody's identity, and at each place where something is acted on the code that services hear with.

What counts is `State`: which messages reached a handler, what each service reads in the buckets, the audit log as the signer
reads it, streams and consumers. An attack must leave all of it as it was.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.support.services.nats import NatsFixture, running_server
from unibpf import subjects
from unibpf.authority.roles import OF_A_HOST, OPERATOR, host_of, role_of
from unibpf.bus import Bus, Received, consume, topology
from unibpf.bus.accounts import account_of
from unibpf.bus.permissions import ROLES
from unibpf.bus.stores import setup
from unibpf.subjects import AUDIT, EVERYBODY, SUBJECTS, Subject

HOSTS: Final = ("a", "b")
PEOPLE: Final = (
    OPERATOR, "verifier", "signer", "deployer-a", "reconfigurer-a", "deployer-b", "reconfigurer-b", "cli", "ci", "other",
)  # fmt: skip
READERS: Final = {
    topology.GUESTS: "deployer-a",
    topology.GUESTS_OBSERVED: "reconfigurer-a",
    topology.LEASES: "deployer-a",
    topology.MAPS: "deployer-a",
}
KEY: Final = "fw1"
CANARY: Final = b'{"host": "a", "canary": true}'


class Answer(Struct):
    """What every service of this world answers."""

    done: bool = True


class State(Struct):
    """What must not change by an attack."""

    acted: list[tuple[str, str, bytes]]
    values: dict[str, tuple[bytes | None, str]]
    audit: list[bytes]
    streams: dict[str, dict[str, Any]]

    def acted_but_for(self, attacker: str) -> list[tuple[str, str, bytes]]:
        """Without what an attacker makes itself hear in its own account, and the letters that say what was refused.

        Somebody who listens may hear a genuine event late, when the server gives it to him again; he hears it once.
        """
        late = {
            one
            for one in self.acted
            if one[0].endswith(" hears") and b"genuine" in one[2] and self.acted.count(one) == 1
        }
        return [
            (who, what, data)
            for who, what, data in self.acted
            if not (who.endswith(" hears") and account_of(who.split()[0]) == account_of(attacker))
            and not (who.endswith(" hears") and what.startswith("unibpf.v1.dead."))
            and (who, what, data) not in late
        ]


@dataclass(kw_only=True)
class World:
    """The server, the connections, and what was acted on: (receiver, subject, payload)."""

    nats: NatsFixture
    buses: dict[str, Bus]
    acted: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def state(self) -> State:
        """Everything that counts, as the services see it."""
        values = {}
        for row in topology.BUCKETS:
            entry = await (await self.buses[READERS.get(row.name, "signer")].kv(row.name)).get(KEY)
            values[row.name] = (None, "none") if entry is None else (entry.value, entry.fault or "")
        audit = [one.data async for one in self.buses["signer"].history(AUDIT, subjects.audit("*"))]
        audit = [data for data in audit if data != CANARY]
        return State(acted=sorted(self.acted), values=values, audit=audit, streams=await self._streams())

    async def _streams(self) -> dict[str, dict[str, Any]]:
        found = {}
        for config in topology.stream_configs(1):
            info = await self.buses[OPERATOR].jetstream.stream_info(str(config.name))
            found[str(config.name)] = {
                **info.config.as_dict(),
                "first": info.state.first_seq if info.config.name == AUDIT else 0,
            }
        return found

    async def settle(self) -> None:
        """Until whatever was sent before was looked at: each queue is in order, so its canary comes last."""
        wanted = []
        for row in SUBJECTS:
            if row.authority == "not":
                continue
            sender = sender_of(row)
            subject = concrete(row, sender)
            wanted += [one for one in receivers(row) if row.consumer is not None]
            if row.server is None:
                await self.buses[sender].publish(subject, CANARY)
        async with asyncio.timeout(20):
            while any((one, CANARY) not in {(who, data) for who, _, data in self.acted} for one in wanted):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        self.acted[:] = [one for one in self.acted if one[2] != CANARY]


def concrete(row: Subject, identity: str, **names: str) -> str:
    """A subject of the row that this identity would use."""
    role, host = role_of(identity), host_of(identity) or HOSTS[0]
    service = f"reconfigurer-{host}" if role == subjects.RECONFIGURER else role if role != subjects.PUSHER else identity
    own = {
        "identity": identity,
        "service": service,
        "host": HOSTS[0],
        "guest": KEY,
        "element": "fw",
        "program": "fw",
        **names,
    }
    own |= {"state": row.states[0]} if row.states else {}
    return row(*(own.get(name, "0" * 32) for name in row.parameters))


def sender_of(row: Subject) -> str:
    """Somebody who may say it."""
    found = {"deployer": "deployer-a", "reconfigurer": "reconfigurer-a", "pusher": "ci", EVERYBODY: "signer"}
    return found.get(row.senders[0], row.senders[0])


def receivers(row: Subject) -> list[str]:
    """Who acts on it in this world: the consumer's workers, or the server."""
    if row.consumer is not None:
        return [row.consumer.format(host=host) for host in HOSTS] if "{host}" in row.consumer else [row.consumer]
    return []


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Everybody is connected and listens; each row and each bucket has one genuine message, which is in the state."""
    with running_server(folder / "state", PEOPLE) as nats:
        async with nats.buses(*PEOPLE) as buses:
            made = World(nats=nats, buses=dict(zip(PEOPLE, buses, strict=True)))
            await setup.init(made.buses[OPERATOR].jetstream, hosts=HOSTS)
            async with contextlib.AsyncExitStack() as stack:
                tasks = [asyncio.create_task(work) for work in _workers(made)]
                for identity, heard in _listeners():
                    follower = await stack.enter_async_context(await made.buses[identity].follow(heard))
                    tasks.append(asyncio.create_task(_hear(made, identity, follower)))
                await _serve(made)
                await _say_all(made)
                await made.settle()
                yield made
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def _workers(made: World) -> Iterator[Any]:
    for row in topology.consumers(HOSTS):
        role, _, host = row.name.partition("-")
        identity = f"{role}-{host or HOSTS[0]}" if role in {"deployer", "reconfigurer"} else role
        yield consume(made.buses[identity], row.name, _acting(made, row.name))


def _acting(made: World, who: str) -> Callable[[Received], Awaitable[None]]:
    async def act(received: Received) -> None:
        row = subjects.row_of(received.subject)
        if received.said is None and row is not None and row.authority == "must":
            raise AssertionError("nobody said it")
        name = received.said.identity if received.said else "unsigned"
        made.acted.append((who, f"{received.subject} by {name}", received.data))

    return act


def _listeners() -> Iterator[tuple[str, list[str]]]:
    for identity in PEOPLE:
        rows = [row for row in SUBJECTS if role_of(identity) in row.hears]
        heard = [pattern for row in rows for pattern in row.patterns()]
        if heard:
            yield identity, heard


async def _hear(made: World, identity: str, follower: Any) -> None:
    while True:
        await _acting(made, f"{identity} hears")(await follower.next())


async def _serve(made: World) -> None:
    for identity in PEOPLE:
        rows = [row for row in SUBJECTS if row.server == role_of(identity)]
        endpoints = {}
        for row in rows:
            host = {"host": host_of(identity) or ""} if row.parameters else {}
            endpoints[row(*host.values())] = _answering(made, f"{identity} serves")
        if endpoints:
            await made.buses[identity].serve(f"unibpf-{role_of(identity)}", endpoints)


def _answering(made: World, who: str) -> Callable[[Received], Awaitable[Answer]]:
    async def answer(received: Received) -> Answer:
        row = subjects.row_of(received.subject)
        if row is not None and row.authority == "must":  # what need not be signed changes nothing
            await _acting(made, who)(received)
        return Answer()

    return answer


async def _say_all(made: World) -> None:
    """One genuine message a row and a bucket."""
    for row in SUBJECTS:
        sender = sender_of(row)
        subject = concrete(row, sender)
        if row.server is not None:
            await made.buses[sender].request(subject, b'{"genuine": 1}', Answer)
        else:
            await made.buses[sender].publish(subject, b'{"host": "a", "genuine": 1}')
    for bucket in topology.BUCKETS:
        role = writers(bucket.name)[0]
        writer = f"{role}-a" if role in OF_A_HOST else role
        kv = await made.buses[writer].kv(bucket.name)
        if bucket.authority == "writer":
            await kv.create(KEY, b'{"host": "a", "genuine": 1}')
        else:
            await _carry(made, kv)


async def _carry(made: World, kv: Any) -> None:
    """The deployer keeps a command that it got."""
    subject = subjects.guest_apply(KEY)
    async with await made.buses["cli"].follow([subject]) as heard:
        await made.buses["cli"].publish(subject, b'{"host": "a", "genuine": 2}')
        await kv.carry(KEY, await heard.next(5), deletes=False)


def writers(bucket: str) -> list[str]:
    """The roles that may write to a bucket."""
    return [role for role, rights in ROLES.items() if bucket in rights.writes]
