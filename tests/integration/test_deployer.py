"""The deployer on a real nats-server, real libvirt and real QEMU: what it does to guests survives whatever happens to it.

The guest is a few instructions that say `ready`, so that only the deployer is under test.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.services.services import eventually, running
from tests.support.signing.release import TestSigner
from unibpf import subjects
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED, LEASES
from unibpf.formats import boot_image
from unibpf.host.guest_folder import GuestFolder
from unibpf.messages.guests import GuestObserved, GuestSpec, HostStatus, Nic

STUB = Path(__file__).parents[1] / "data" / "stub_guest.S"


@pytest.fixture(scope="session")
def stub_image(tmp_path_factory):
    """A PVH image that prints the ready line and halts."""
    folder = tmp_path_factory.mktemp("stub")
    compile_ = ["clang-19", "--target=i386-linux-gnu", "-c", str(STUB), "-o", str(folder / "stub.o")]
    link = ["ld.lld-19", "-m", "elf_i386", "-Ttext=0x100000", "-e", "start", "-o", str(folder / "stub.elf")]
    subprocess.run(compile_, check=True)
    subprocess.run([*link, str(folder / "stub.o")], check=True)
    return folder / "stub.elf"


@pytest.fixture
def environment(nats, stub_image):
    return nats.environment() | {"UNIBPF_GUEST_IMAGE": str(stub_image), "UNIBPF_ACCEL": "tcg", "UNIBPF_TICK": "0.5"}


class Bench:
    """The hands of a test: apply, delete, look."""

    def __init__(self, nats, cli):
        self.paths, self.cli = nats.paths, cli

    async def apply(self, spec):
        await self.cli.publish(subjects.guest_apply(spec.guest), spec)

    async def delete(self, guest):
        await self.cli.publish(subjects.guest_delete(guest), b"")

    async def observed(self, guest) -> GuestObserved | None:
        entry = await (await self.cli.kv(GUESTS_OBSERVED)).get(guest)
        return entry.decode(GuestObserved) if entry else None

    async def when(self, guest, holds, what="the guest"):
        async def look():
            found = await self.observed(guest)
            return found if found and holds(found) else None

        return await eventually(look, what=what)

    async def running(self, guest):
        return await self.when(guest, lambda it: it.is_live, "a running guest")

    def boot(self, guest):
        return GuestFolder(self.paths.guests, guest).boot()


@pytest.fixture
async def bench(nats):
    async with nats.buses("signer", "cli") as (signer_bus, cli):
        signer = TestSigner(bus=signer_bus)
        signer.write_trusted(nats.paths.trusted_signers)
        await signer.serve()
        bench = Bench(nats, cli)
        bench.signer = signer
        yield bench
        for entry in await (await cli.kv(GUESTS_OBSERVED)).entries():
            pid = entry.decode(GuestObserved).pid
            if pid and is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def spec(**changes):
    base = {
        "guest": "g1",
        "audience": "edge",
        "graph": "Idle -> fw :: BPFFilter(PROGRAM firewall) -> Discard;",
        "nics": [Nic(name="in0", network="left"), Nic(name="out0", network="right")],
        "programs": {"fw": "firewall"},
    }
    return GuestSpec(**(base | changes))


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


async def gone(pid):
    await eventually(lambda: asyncio.sleep(0, None if is_alive(pid) else True), what=f"the end of {pid}")


async def test_a_guest_is_created_restarted_after_a_kill_and_deleted(bench, environment, tmp_path):
    await bench.signer.release(b"bundle one", program="firewall", audience="edge")
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        first = await bench.running("g1")
        assert (first.machine, first.accel, first.restarts) == ("microvm", "tcg", 0)
        assert first.boot_ms and first.pid and is_alive(first.pid)
        assert "tb-size=32" in command_line(first.pid)  # else QEMU grows with each update
        assert {place.split(":")[0] for place in first.networks.values()} == {"unix"}

        newest = await bench.signer.release(b"bundle two", program="firewall", audience="edge")
        os.kill(first.pid, signal.SIGKILL)
        second = await bench.when("g1", lambda it: it.is_live and it.restarts == 1, "a restart")
        assert second.pid != first.pid and second.boot_id != first.boot_id
        assert bench.boot("g1").programs["fw"].envelope == newest.envelope

        await bench.delete("g1")
        await gone(second.pid)
        await eventually(lambda: forgotten(bench, "g1"), what="the end of what was observed")
        assert not list(bench.paths.guests.glob("g1/*.cbor"))


async def forgotten(bench, guest):
    """True once nothing is observed any more."""
    return True if await bench.observed(guest) is None else None


async def test_every_boot_has_its_own_seed_and_the_image_is_private(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        first = await bench.running("g1")
        seeds = [bench.boot("g1").seed]
        os.kill(first.pid, signal.SIGKILL)
        await bench.when("g1", lambda it: it.is_live and it.restarts == 1)
        seeds.append(bench.boot("g1").seed)
    assert seeds[0] != seeds[1]
    folder = GuestFolder(bench.paths.guests, "g1")
    image = folder.image_file(bench.boot("g1").boot_id)
    assert image.stat().st_mode & 0o077 == 0 and folder.path.stat().st_mode & 0o077 == 0
    decoded = boot_image.decode(image.read_bytes())
    assert decoded.seed == seeds[1]
    assert decoded.floors[""] == bench.boot("g1").graph_sequence
    assert list(decoded.nics) == ["in0", "out0", "mgmt"]


async def test_a_killed_deployer_adopts_the_guest_that_went_on(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log") as deployer:
        await bench.apply(spec())
        first = await bench.running("g1")
        deployer.signal(signal.SIGKILL)
        assert is_alive(first.pid)
        deployer.start()
        answer = await eventually(lambda: ask_status(bench.cli), what="the deployer's answer")
        assert [guest.pid for guest in answer.guests] == [first.pid]
        os.kill(first.pid, signal.SIGKILL)
        again = await bench.when("g1", lambda it: it.is_live and it.restarts == 1, "a restart")
        assert again.boot_id != first.boot_id


async def test_a_guest_that_died_while_no_deployer_ran_is_restarted(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log") as deployer:
        await bench.apply(spec())
        first = await bench.running("g1")
        deployer.signal(signal.SIGKILL)
        os.kill(first.pid, signal.SIGKILL)
        deployer.start()
        await bench.when("g1", lambda it: it.is_live and it.restarts == 1, "a restart")


async def test_another_specification_replaces_the_guest(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        first = await bench.running("g1")
        await bench.apply(spec(memory_mib=16))
        second = await bench.when("g1", lambda it: it.is_live and it.boot_id != first.boot_id)
        await gone(first.pid)
        assert second.restarts == 0


async def test_q35_boots_too(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec(machine="q35", memory_mib=16))
        assert (await bench.running("g1")).machine == "q35"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"nics": [Nic(name="in0", network="nowhere")]}, "network"),
        ({"memory_mib": 1024, "nics": [Nic(name="mgmt", network="left")]}, "nics"),
    ],
    ids=["unknown_network", "nic_called_mgmt"],
)
async def test_what_the_host_does_not_have_fails_by_name_and_other_guests_boot(
    bench, environment, tmp_path, changes, rule
):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec(guest="bad", **changes))
        await bench.apply(spec())
        failed = await bench.when("bad", lambda it: it.state == "failed")
        assert failed.reason and failed.reason.startswith(rule)
        await bench.running("g1")


async def test_a_message_that_is_no_specification_goes_to_the_dead_letters(bench, environment, tmp_path, nats):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.cli.publish(subjects.guest_apply("g1"), b'{"guest": "../../etc"}')

        async def look():
            return await bench.cli.last("UNIBPF_DEAD", subjects.dead_letter("deployer"))

        letter = await eventually(look, what="a dead letter")
        assert b"payload" in letter.data


async def ask_status(cli):
    try:
        answer = await cli.request(subjects.deployer_status("local"), b"", HostStatus, timeout=1.0)
    except Exception:
        return None
    return answer if answer.guests else None


async def test_a_guest_whose_program_was_never_pushed_is_degraded_and_says_so(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        seen = await bench.running("g1")
        assert seen.state == "degraded"
        assert "`firewall` was never pushed" in seen.reason


async def test_an_emptied_store_ends_no_guest_and_its_observation_comes_back(bench, nats, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"), nats.buses(OPERATOR) as [operator]:
        await bench.apply(spec())
        first = await bench.running("g1")
        for bucket in (GUESTS, GUESTS_OBSERVED, LEASES):
            await operator.jetstream.purge_stream(f"KV_{bucket}")
        alarmed = await bench.when("g1", lambda it: it.alarm is not None, "an alarm")
        assert (alarmed.pid, alarmed.boot_id) == (first.pid, first.boot_id) and is_alive(first.pid)
        assert "apply its guest file again" in alarmed.alarm
        os.kill(first.pid, signal.SIGKILL)
        again = await bench.when("g1", lambda it: it.is_live and it.restarts == 1, "a restart")
        await bench.delete("g1")
        await gone(again.pid)


async def test_a_desired_state_of_a_newer_version_changes_nothing_that_runs(bench, nats, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"), nats.buses(OPERATOR) as [operator]:
        await bench.apply(spec())
        first = await bench.running("g1")
        await (await operator.kv(GUESTS)).change("g1", lambda _: b'{"guest": "g1", "shape": 2}')
        alarmed = await bench.when("g1", lambda it: it.alarm is not None, "an alarm")
        assert alarmed.pid == first.pid and is_alive(first.pid) and "can't be read" in alarmed.alarm


async def test_a_specification_that_fails_leaves_or_brings_back_the_one_before(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        first = await bench.running("g1")
        await bench.apply(spec(nics=[Nic(name="in0", network="nowhere")]))
        refused = await bench.when("g1", lambda it: it.refused is not None, "a refusal")
        assert (refused.pid, refused.refused.rule) == (first.pid, "network") and is_alive(first.pid)
        await bench.apply(spec(memory_mib=16))
        second = await bench.when("g1", lambda it: it.is_live and it.boot_id != first.boot_id, "the next one")
        assert second.refused is None


async def test_a_guest_that_was_never_valid_is_refused_with_every_reason_and_can_be_deleted(
    bench, environment, tmp_path
):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec(graph="Idle -> Foo -> fw :: BPFFilter -> Discard;\nBar -> Discard;"))
        seen = await bench.when("g1", lambda it: it.state == "failed", "a failure")
        assert "graph 1:9: `Foo`" in seen.reason and "graph 2:1: `Bar`" in seen.reason
        assert bench.boot("g1") is None, "nothing was started"
        await bench.apply(spec(programs={"fw": "other"}))
        await bench.when(
            "g1", lambda it: "the graph lets it run `firewall` only" in (it.reason or ""), "another failure"
        )
        await bench.delete("g1")
        await eventually(lambda: forgotten(bench, "g1"), what="the end of what was observed")


async def test_a_broken_graph_touches_nothing_that_runs(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec())
        first = await bench.running("g1")
        await bench.apply(spec(graph="Idle -> fw :: BPFFilter(PROGRAM firewall) -> "))
        seen = await bench.when("g1", lambda it: it.refused is not None, "a refusal")
        assert (seen.refused.rule, seen.pid, seen.boot_id) == ("graph", first.pid, first.boot_id)
        assert is_alive(first.pid)


async def test_an_element_that_no_program_is_named_for_is_degraded(bench, environment, tmp_path):
    async with running("deployer", environment=environment, log=tmp_path / "log"):
        await bench.apply(spec(programs={}))
        seen = await bench.running("g1")
        assert seen.state == "degraded" and "`programs` does not name it" in seen.reason
