"""The object store on a real server: it forgets what no release names, and keeps what one does."""

import os

import pytest

from services.signer.sequence import Reservation
from services.signer.upkeep.keeping import Keeping
from tests.support.services.nats import NatsFixture
from unibpf.bus import ObjectMissing, topology
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup
from unibpf.messages.programs import Counter, Signed

OBJECTS = f"OBJ_{topology.OBJECTS}"
SMALL = 2 << 20


def signed(sequence: int, envelope: str, bundle: str) -> Signed:
    about = {"program": "fw", "audience": "edge", "element": "*", "kind": "filter", "policy": "p", "identity": "ci"}
    return Signed(push_id=f"S:{sequence}", sequence=sequence, envelope=envelope, bundle=bundle, **about)


async def test_what_releases_and_graphs_name_outlives_three_turns_of_the_store(nats: NatsFixture) -> None:
    async with nats.buses(OPERATOR, "verifier", "signer", "cli") as (operator, verifier, signer, cli):
        config = next(one for one in topology.stream_configs(1) if one.name == OBJECTS)
        await operator.jetstream.update_stream(config.evolve(max_bytes=SMALL))
        releases, keeping = await signer.kv(topology.RELEASES), Keeping(signer)
        named = []
        for sequence in (1, 2):  # the older one is within the kept history
            envelope, bundle = await signer.put_object(os.urandom(600)), await verifier.put_object(os.urandom(440_000))
            await releases.change("edge.fw", lambda _, e=envelope, b=bundle, s=sequence: signed(s, e, b))
            named += [envelope, bundle]
        graph = await signer.put_object(os.urandom(600))
        await (await signer.kv(topology.SEQUENCES)).create("graph.edge.g1", Counter(sequence=7, push_id="graph:1"))
        reservation = Reservation(push_id="graph:1", sequence=7, policy="p", bundle="0" * 64, envelope=graph)
        await (await signer.kv(topology.RESERVATIONS)).create("graph.edge.g1.7", reservation)

        others, alarms = [], set()
        for _ in range(100):
            others.append(await verifier.put_object(os.urandom(60_000)))
            await keeping.look()
            alarms.add(keeping.alarm)
        for name in [*named, graph]:
            assert len(await cli.get_object(name)) in {600, 440_000}
        with pytest.raises(ObjectMissing):
            await cli.get_object(others[0])
        found = await setup.stream(operator.jetstream, OBJECTS)
        assert found is not None and found["state"]["bytes"] <= SMALL
        assert any("raise its limit" in one for one in alarms if one), "0.9 of 2 MiB are too much"
        assert await keeping.look() == 0
