"""`unibpf bus adopt` on a real server: the store is lost, and what the host's files know is enough to go on."""

import hashlib
import shutil
import time

from services.deployer import desires
from services.signer.sequence import TICKS, Floor, Sequences
from tests.support.services.nats import NatsFixture, create_topology
from unibpf.bus import topology
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.release_keys import newest_release
from unibpf.client import adoption
from unibpf.host.guest_folder import Boot, GuestFolder
from unibpf.host.outcomes import Outcome
from unibpf.host.put_back import PutBackRecord
from unibpf.messages.desired_maps import DesiredMap, DesiredMaps
from unibpf.messages.guests import GuestSpec
from unibpf.messages.programs import Counter, Signed

AHEAD = 5000  # seconds that a clock, wrong for a while, had brought the sequences ahead of the clock


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signed(sequence: int, **more: str) -> Signed:
    about = {
        "program": "firewall",
        "audience": "edge",
        "element": "*",
        "kind": "filter",
        "policy": "p",
        "identity": "ci",
    }
    envelope, bundle = digest(b"envelope %d" % sequence), digest(b"bundle %d" % sequence)
    return Signed(push_id=f"S:{sequence}", sequence=sequence, envelope=envelope, bundle=bundle, **(about | more))


def spec(guest: str) -> GuestSpec:
    return GuestSpec(guest=guest, audience="edge", graph="c :: Control;", programs={"fw": "firewall"})


def kept_guest(nats: NatsFixture, guest: str, newest: int) -> GuestFolder:
    """As deployer and reconfigurer leave a folder: two releases were good, the third was rolled back."""
    folder = GuestFolder(nats.paths.guests, guest)
    boot = Boot(
        boot_id="b",
        spec=spec(guest),
        seed=b"s" * 32,
        machine="microvm",
        accel="tcg",
        control="127.0.0.1:1",
        started_us=1,
        graph_sequence=newest - 10,
    )
    folder.write_boot(boot, b"image")
    for sequence in (newest - 2, newest - 1):
        folder.outcomes.note("fw", Outcome(release=signed(sequence), state="active", at_us=sequence))
        folder.outcomes.shelve(signed(sequence), b"envelope %d" % sequence, b"bundle %d" % sequence)
    folder.outcomes.note("fw", Outcome(release=signed(newest), state="rolled_back", rule="probation"))
    folder.raise_floor("fw", newest)
    folder.raise_floor("", newest - 9)
    return folder


async def lose_the_store(nats: NatsFixture) -> None:
    nats.server.stop()
    shutil.rmtree(nats.paths.nats / "store")
    nats.server.start()
    await create_topology(nats)


async def test_a_lost_store_is_written_back_from_the_hosts_files(nats: NatsFixture) -> None:
    newest = (int(time.time()) + AHEAD) * TICKS
    folder = kept_guest(nats, "fw1", newest)
    wanted = DesiredMaps(kept=[DesiredMap(element="fw", map="hits", entries=[(1, 2)])])
    folder.put_back.write(PutBackRecord(boot_id="b", desired=wanted))
    await lose_the_store(nats)
    kept = adoption.gather(nats.paths.guests)
    async with nats.buses(OPERATOR, "deployer", "signer") as (operator, deployer, signer):
        done = await adoption.write_back(operator, kept)
        assert (done.guests, done.maps, done.unreadable) == (["fw1"], ["fw1"], [])
        assert (await (await deployer.kv(topology.MAPS)).get("fw1")).decode(DesiredMaps) == wanted
        assert done.sequences == {"program.edge.firewall": newest, "graph.edge.fw1": newest - 9}
        meant = desires.read(await (await deployer.kv(topology.GUESTS)).records(), host="local", known=["fw1"])
        assert list(meant.meant) == ["fw1"] and not meant.ended and not meant.unclear
        release = await newest_release(await deployer.kv(topology.RELEASES), "edge", "firewall", "fw")
        assert release == signed(newest - 1), "the newest good one, whose bytes are here"
        assert await deployer.get_object(release.envelope) == b"envelope %d" % (newest - 1)
        assert await deployer.get_object(release.bundle) == b"bundle %d" % (newest - 1)
        counters, reservations = await signer.kv(topology.SEQUENCES), await signer.kv(topology.RESERVATIONS)
        counter = "program.edge.firewall"
        taken = await Sequences(counters=counters, reservations=reservations).take(
            counter, "S:1", seen=await counters.get(counter), floor=Floor(), now=int(time.time())
        )
        assert taken == newest + 1, "above what the guest has seen, without waiting for the clock"
        assert await adoption.write_back(operator, kept) == adoption.Adopted(), "a second time there is nothing to do"


async def test_what_the_bus_knows_already_is_not_overwritten(nats: NatsFixture) -> None:
    newest = int(time.time())
    for guest in ("fw1", "fw2"):
        kept_guest(nats, guest, newest)
    async with nats.buses(OPERATOR) as (operator,):
        guests, releases = await operator.kv(topology.GUESTS), await operator.kv(topology.RELEASES)
        await guests.create("fw1", spec("fw1"))
        await guests.delete("fw1")
        await guests.create("fw2", b"{newer}")
        await releases.create("edge.firewall", signed(newest + 5))
        counters = await operator.kv(topology.SEQUENCES)
        await counters.create("program.edge.firewall", Counter(sequence=newest + 5, push_id="S:9"))
        done = await adoption.write_back(operator, adoption.gather(nats.paths.guests))
        assert (done.guests, done.releases, list(done.sequences)) == ([], [], ["graph.edge.fw1", "graph.edge.fw2"])
        assert [entry.value for entry in await guests.records()] == [None, b"{newer}"]


async def test_a_deleted_guest_gives_its_floors_and_no_wish(nats: NatsFixture) -> None:
    newest = int(time.time())
    kept_guest(nats, "fw1", newest).remove()
    kept = adoption.gather(nats.paths.guests)
    assert not kept.specs and kept.sequences == {"program.edge.firewall": newest}


async def test_files_that_cannot_be_read_are_named_and_hide_no_other(nats: NatsFixture) -> None:
    newest = int(time.time())
    kept_guest(nats, "ok", newest)
    for file in ("boot.json", "outcomes.json", "floors.json"):
        folder = kept_guest(nats, f"bad-{file[:4]}", newest)
        (folder.path / file).write_bytes(b"\xff{")
    kept = adoption.gather(nats.paths.guests)
    assert kept.unreadable == ["bad-boot", "bad-floo", "bad-outc"] and "ok" in kept.specs
