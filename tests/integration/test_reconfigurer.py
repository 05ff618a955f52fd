"""The reconfigurer on a real nats-server: releases reach guests, and only what a guest vouches for is reported."""

import asyncio
import base64
import contextlib
import json
import signal

import msgspec
import pytest
from msgspec.structs import replace

from tests.support.guests import fake_guest
from tests.support.services.services import eventually, running
from tests.support.signing.release import TestSigner
from unibpf import subjects
from unibpf.bus import BusNotReady, PermissionDenied, RequestFailed
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.topology import GUESTS_OBSERVED, RELEASES
from unibpf.host.guest_folder import GuestFolder
from unibpf.host.outcomes import Outcome
from unibpf.messages.elements import ElementEvent, RollbackQuery
from unibpf.messages.guests import GuestEvent, GuestObserved
from unibpf.messages.maps import MapChange, MapChanged, MapDump, MapQuery
from unibpf.messages.status import GuestQuery, GuestStatus

HOST = "local"


class Bench:
    def __init__(self, nats, signer_bus, deployer_bus, cli):
        self.paths, self.signer, self.deployer, self.cli = nats.paths, TestSigner(bus=signer_bus), deployer_bus, cli

    async def observe(self, guest, *, state="running", audience="edge", announce=False):
        """What the deployer would have written about a guest."""
        seen = GuestObserved(
            guest=guest, state=state, audience=audience, host=HOST, programs={"fw": "firewall"}, boot_id="b-1"
        )
        await (await self.deployer.kv(GUESTS_OBSERVED)).change(guest, lambda _: seen)
        if announce:
            await self.deployer.publish(
                subjects.guest_state("running", guest), GuestEvent(guest=guest, state="running", host=HOST)
            )

    async def events(self, guest):
        found = self.cli.history("UNIBPF_EVENTS", f"unibpf.v1.element.*.{guest}.*")
        return [message.decode(ElementEvent) async for message in found]

    async def event(self, guest, state, *, number=1):
        async def look():
            found = [event for event in await self.events(guest) if event.state == state]
            return found[number - 1] if len(found) >= number else None

        return await eventually(look, what=f"`{state}` of `{guest}`")

    async def release(self, bundle=b"bundle", **fields):
        return await self.signer.release(bundle, program="firewall", audience="edge", **fields)

    def floors(self, guest):
        return GuestFolder(self.paths.guests, guest).floors()


@pytest.fixture
async def bench(nats):
    async with nats.buses("signer", "deployer", "cli") as buses:
        yield Bench(nats, *buses)


@pytest.fixture
async def service(nats, bench, tmp_path):
    environment = nats.environment() | {"UNIBPF_COAP_TIMEOUT": "1", "UNIBPF_GUEST_PATIENCE": "2"}
    async with running("reconfigurer", environment=environment, log=tmp_path / "log") as service:
        await eventually(lambda: listens(bench.cli), what="the reconfigurer")
        yield service


async def listens(cli):
    """True once the service answers anything at all."""
    try:
        await cli.request(subjects.guest_status(HOST), GuestQuery(guest="nobody"), GuestStatus, timeout=1.0)
    except BusNotReady:
        return None
    except RequestFailed:
        return True


@pytest.fixture
async def guest(bench):
    async with fake_guest.serving(bench.paths.guests, "g1") as guest:
        await bench.observe("g1")
        yield guest


async def test_a_release_is_staged_activated_and_reported_with_the_guests_own_numbers(bench, service, guest):
    signed = await bench.release(bytes(3000))
    active = await bench.event("g1", "active")
    staged = await bench.event("g1", "staged")
    assert (staged.sequence, active.sequence, active.envelope) == (signed.sequence, signed.sequence, signed.envelope)
    assert (active.push_id, active.already, active.packets_during, active.longest_gap_ns) == (
        signed.push_id,
        False,
        77,
        90_000,
    )
    assert active.steps[1:] == [("signature", 3000, 300_000), ("swap", 400_000, 1200)]
    assert (staged.steps, staged.swap_ns, staged.packets_during) == (active.steps[:2], 0, 0)
    changes = [request for request in guest.requests if request[0] != "FETCH"]
    assert changes == [("PUT", "/elements/fw/program")]  # one exchange an update
    assert [(row.name, row.decision, row.entries) for row in active.maps] == [("hits", "kept", 5)]
    assert bench.floors("g1") == {"fw": signed.sequence}
    assert {len(trace) for trace in guest.traces} == {25}


async def test_a_refusal_is_reported_with_the_guests_rule_and_leaves_the_floor(bench, service, guest):
    guest.refuse_with = "kind"
    await bench.release()
    failed = await bench.event("g1", "failed")
    assert (failed.rule, bench.floors("g1")) == ("kind", {})
    assert "got a, expected b" in (failed.reason or "")


async def test_a_refusal_without_a_mac_is_no_fact(bench, service, guest):
    guest.unsealed = 1
    await bench.release()
    await bench.event("g1", "active")
    assert "failed" not in {event.state for event in await bench.events("g1")}


async def test_a_busy_guest_is_asked_again(bench, service, guest):
    guest.busy = 2
    await bench.release()
    await bench.event("g1", "active")


async def test_a_counter_that_is_behind_goes_on_from_the_guests_highest(bench, service, guest):
    guest.counter = 1 << 60
    await bench.release()
    await bench.event("g1", "active")
    assert guest.counter > 1 << 60


async def test_a_reconfigurer_killed_and_started_again_ends_in_the_same_state(bench, service, guest):
    service.signal(signal.SIGKILL)
    signed = await bench.release()
    service.start()
    await bench.event("g1", "active")
    assert guest.active[0] == signed.sequence and len(guest.history) == 1


async def test_ends_that_were_written_down_and_not_told_are_told_once(bench, service, guest):
    release = await bench.release()
    await bench.event("g1", "active")
    file = GuestFolder(bench.paths.guests, "g1").outcomes
    refused = replace(release, sequence=release.sequence - 1, envelope="a" * 64, push_id="test:refused")
    file.note("fw", Outcome(release=refused, state="refused", rule="memory", reason="no room", at_us=1, untold=True))
    file.note("fw", Outcome(release=release, state="active", at_us=2, untold=True))
    await bench.observe("g1", announce=True)
    again = await bench.event("g1", "active", number=2)
    failed = await bench.event("g1", "failed")
    assert (again.push_id, again.already) == (release.push_id, True)
    assert (failed.push_id, failed.rule, failed.reason) == ("test:refused", "memory", "no room")
    await bench.observe("g1", announce=True)
    await asyncio.sleep(1.0)  # another comparison
    assert len([one for one in await bench.events("g1") if one.state in {"active", "failed"}]) == 3


async def test_a_release_sent_again_is_reported_as_already_active(bench, service, guest):
    signed = await bench.release()
    await bench.event("g1", "active")
    await bench.signer._bus.publish(subjects.signed("firewall"), signed)
    again = await bench.event("g1", "active", number=2)
    assert again.already and len(guest.history) == 1


async def test_a_guest_that_came_up_late_gets_the_release_it_missed(bench, service):
    signed = await bench.release()
    async with fake_guest.serving(bench.paths.guests, "g2") as guest:
        await bench.observe("g2", announce=True)
        await bench.event("g2", "active")
        assert guest.active[0] == signed.sequence


async def test_an_unreachable_guest_does_not_hold_up_another(bench, service, guest):
    async with fake_guest.serving(bench.paths.guests, "dead"):
        pass
    await bench.observe("dead")
    await bench.release()
    await bench.event("g1", "active")
    failed = await bench.event("dead", "failed")
    assert failed.rule == "unreachable"


async def test_other_audiences_and_other_elements_are_left_alone(bench, service, guest):
    await bench.release(element="other")
    await bench.signer.release(b"x", program="firewall", audience="core")
    signed = await bench.release()
    await bench.event("g1", "active")
    assert [entry[0] for entry in guest.history] == [signed.sequence]


def is_of_a_host(request):
    """The server says from which account a request came."""
    return json.loads(request.headers.get("Nats-Request-Info", "{}")).get("acc", "").startswith("HOST-")


async def test_a_host_reads_the_bytes_of_releases_for_its_guests_only(nats, bench, service, guest):
    async with nats.buses(OPERATOR) as [operator]:
        for _ in range(2):  # the second time the guest is known already, and its bytes are fetched at once
            signed = await bench.release()
            async with await operator.follow(["$JS.API.DIRECT.GET.OBJ_unibpf-objects.>"]) as heard:
                await bench.signer.release(b"x", program="firewall", audience="core")
                await bench.signer.release(b"x", program="nat", audience="edge")
                last = await bench.release()
                await eventually(lambda last=last: is_active(guest, last), what="the last release")
                asked = [one for one in await silence(heard) if is_of_a_host(one)]
            wanted = {signed.envelope, signed.bundle, last.envelope, last.bundle}
            assert asked and {digest for digest in map(named, asked) if digest} <= wanted


async def is_active(guest, release):
    return bool(guest.history) and guest.active[0] == release.sequence


async def silence(heard):
    """Everything that was heard until nothing more comes."""
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(await heard.next(0.3))
    return found


def named(message):
    """The digest whose metadata a direct get asks for; None for a chunk."""
    tokens = message.subject.split(".")
    return base64.urlsafe_b64decode(tokens[-1]).decode() if tokens[-2] == "M" else None


async def test_status_dump_and_rollback_are_answered_by_the_guest(bench, service, guest):
    first = await bench.release(b"one")
    await bench.event("g1", "active")
    await bench.release(b"two")
    await bench.event("g1", "active", number=2)
    status = await bench.cli.request(subjects.guest_status(HOST), GuestQuery(guest="g1"), GuestStatus)
    assert status.elements[0].drops == {"no-program": 1} and status.platform == "linux"
    ask = MapQuery(guest="g1", element="fw", map="hits")
    dump = await bench.cli.request(subjects.map_dump(HOST), ask, MapDump)
    assert dict(dump.entries) == {key.hex(): value.hex() for key, value in guest.entries.items()}
    back = await bench.cli.request(subjects.rollback(HOST), RollbackQuery(guest="g1", element="fw"), ElementEvent)
    assert (back.state, back.sequence) == ("rolled_back", first.sequence)
    await bench.event("g1", "rolled_back")


async def test_map_entries_are_set_and_deleted_and_asked_for_by_key(bench, service, guest):
    wanted = MapChange(guest="g1", element="fw", map="hits", changes=[("aa000000", "07" * 8), ("01000000", None)])
    changed = await bench.cli.request(subjects.map_change(HOST), wanted, MapChanged)
    assert (changed.name, changed.applied, changed.entries, changed.errno) == ("hits", 2, 5, None)
    assert guest.entries[b"\xaa\0\0\0"] == b"\x07" * 8 and b"\1\0\0\0" not in guest.entries
    assert len(guest.traces[-1]) == 25
    ask = MapQuery(guest="g1", element="fw", map="hits", key="aa000000")
    dump = await bench.cli.request(subjects.map_dump(HOST), ask, MapDump)
    assert dump.entries == [("aa000000", "07" * 8)]


async def test_a_change_that_the_map_refuses_tells_how_far_it_came(bench, service, guest):
    wanted = MapChange(
        guest="g1", element="fw", map="hits", changes=[("aa000000", "00" * 8), ("bb000000", None), ("cc", "00")]
    )
    changed = await bench.cli.request(subjects.map_change(HOST), wanted, MapChanged)
    assert (changed.applied, changed.errno) == (1, 2)


async def test_a_change_that_the_guest_refuses_or_that_is_malformed_says_why(bench, service, guest):
    async def change(**fields):
        base = {"guest": "g1", "element": "fw", "map": "hits", "changes": [("00000000", "00" * 8)]}
        await bench.cli.request(subjects.map_change(HOST), MapChange(**(base | fields)), MapChanged)

    for fields, code, words in (
        ({"guest": "nobody"}, "404", "no guest `nobody`"),
        ({"map": "other"}, "409", "path"),
        ({"changes": []}, "400", "payload"),
        ({"changes": [("0", None)]}, "400", "payload"),
        ({"changes": [("zz", None)]}, "400", "payload"),
        ({"changes": [("00", None)] * 4097}, "400", "payload"),
        ({"changes": [("00" * 4, "00" * 40_000)] * 2}, "400", "size: got 80008 bytes"),
    ):
        with pytest.raises(RequestFailed, match=words) as refused:
            await change(**fields)
        assert refused.value.code == code
    guest.refuse_with = "release"
    with pytest.raises(RequestFailed, match="release: refused"):
        await change()


async def test_a_dump_too_large_for_a_message_comes_in_parts(bench, service, guest):
    guest.entries = {bytes([n, 0, 0, 0]): bytes([n]) * 60_000 for n in range(8)}
    cursor, parts, entries = 0, 0, {}
    while True:
        ask = MapQuery(guest="g1", element="fw", map="hits", cursor=cursor)
        dump = await bench.cli.request(subjects.map_dump(HOST), ask, MapDump, timeout=20.0)
        entries |= dict(dump.entries)
        parts, cursor = parts + 1, dump.next
        if cursor == 0:
            break
    assert parts > 1
    assert entries == {key.hex(): value.hex() for key, value in guest.entries.items()}


async def test_only_the_cli_may_change_maps(bench, service, guest):
    wanted = MapChange(guest="g1", element="fw", map="hits", changes=[("01000000", None)])
    for bus in (bench.deployer, bench.signer._bus):
        with pytest.raises(PermissionDenied):
            await bus.request(subjects.map_change(HOST), wanted, MapChanged, timeout=2.0)
    assert b"\1\0\0\0" in guest.entries


async def test_asking_about_an_unknown_guest_or_map_says_so(bench, service, guest):
    with pytest.raises(RequestFailed, match="no guest `nobody`"):
        await bench.cli.request(subjects.guest_status(HOST), GuestQuery(guest="nobody"), GuestStatus)
    with pytest.raises(RequestFailed, match="nothing-previous"):
        ask = RollbackQuery(guest="g1", element="fw")
        await bench.cli.request(subjects.rollback(HOST), ask, ElementEvent)


@pytest.mark.parametrize("lies", [{3: (1 << 63) - 1}, {3: "9"}], ids=["highest", "text"])
async def test_what_a_guest_claims_of_itself_does_not_outlive_it(bench, service, guest, lies):
    """Its successor of the same name takes the next release."""
    guest.lies = lies
    await bench.release()
    failed = await bench.event("g1", "failed")
    assert (failed.rule, bench.floors("g1")) == ("unreachable", {})
    assert GuestFolder(bench.paths.guests, "g1").outcomes.read() == {}
    guest.lies, guest.history = {}, []
    signed = await bench.release()
    assert (await bench.event("g1", "active")).sequence == signed.sequence
    assert bench.floors("g1") == {"fw": signed.sequence}


async def test_a_release_that_is_told_otherwise_than_it_is_signed_goes_nowhere(bench, service, guest):
    """Whoever writes to the bus says a number that leaves none above it."""
    honest = await bench.release()
    await bench.event("g1", "active")
    forged = msgspec.structs.replace(honest, sequence=1 << 62)
    await (await bench.signer._bus.kv(RELEASES)).change("edge.firewall", lambda _: forged)
    await bench.signer._bus.publish(subjects.signed("firewall"), forged)
    async with fake_guest.serving(bench.paths.guests, "g2") as other:
        await bench.observe("g2", announce=True)
        signed = await bench.release(b"next")
        assert (await bench.event("g2", "active")).sequence == signed.sequence
    assert [sequence for sequence, *_ in (*guest.history, *other.history)][-1] == signed.sequence
    assert max(bench.floors("g1").values()) <= signed.sequence


async def test_a_guest_that_says_very_much_takes_no_time_of_others(bench, service, guest):
    guest.lies = {5: [[f"step {number}", 0, 1] for number in range(2000)]}
    guest.claims = {9: [[f"step {number}", 0, 1] for number in range(2000)]}
    async with fake_guest.serving(bench.paths.guests, "g2"):
        await bench.observe("g2")
        await bench.release()
        await bench.event("g2", "active")
    assert (await bench.event("g1", "failed")).rule == "unreachable"
    with pytest.raises(RequestFailed, match=r"not as in schemas/control\.cddl"):
        await bench.cli.request(subjects.guest_status(HOST), GuestQuery(guest="g1"), GuestStatus)


async def test_a_guest_cannot_speak_for_another(bench, service, guest):
    guest.claims = {0: "g2"}
    with pytest.raises(RequestFailed, match="`g1` calls itself `g2`"):
        await bench.cli.request(subjects.guest_status(HOST), GuestQuery(guest="g1"), GuestStatus)


async def test_a_host_without_a_floor_takes_an_old_release_only_if_the_signed_list_names_it(bench, service, guest):
    """Whoever holds the server shows a host that never saw the guest a genuine release of yesterday."""
    bench.signer.write_trusted(bench.paths.trusted_signers)
    yesterday = bench.signer.sequence - 86_400_000
    older, newer = await bench.release(b"one", sequence=yesterday), await bench.release(b"two", sequence=yesterday + 1)
    failed = await bench.event("g1", "failed")
    assert failed.rule == "release-list" and guest.history == []
    await bench.signer.write_list(newer)
    await bench.signer._bus.publish(subjects.signed("firewall"), older)
    await bench.signer._bus.publish(subjects.signed("firewall"), newer)
    active = await bench.event("g1", "active")
    assert (active.envelope, [sequence for sequence, *_ in guest.history]) == (newer.envelope, [newer.sequence])
