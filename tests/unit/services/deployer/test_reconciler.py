"""services.deployer.reconciler: the order of a boot, when it does not take place, and what becomes of one that fails."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from services.deployer.errors import BootError, HypervisorError, PortTaken, SignerAway, SpecError
from services.deployer.machines.hypervisor import Ended, Running
from services.deployer.reconciler import Reconciler
from tests.support.guests.guests import spec
from unibpf.host.guest_folder import Boot, GuestFolder
from unibpf.messages.guests import spec_digest


class Bench:
    """Stands for the host's assembly, its reporter and its leases: writes down what is asked of them."""

    def __init__(self, guests, *, is_ours: bool = True, draft_fault: Exception | None = None) -> None:
        self.guests = guests
        self.is_ours = is_ours
        self.draft_fault = draft_fault
        self.stop_fault: Exception | None = None
        self.rehearse_fault: Exception | None = None
        self.start_fault: Exception = HypervisorError("test", "no such machine")
        self.asked: list[str] = []
        self.boot: Boot | None = None
        self.machine = SimpleNamespace(boot_id="2")
        self.on_start: Callable[[], None] = lambda: None

    async def running(self):
        return [] if self.boot is None else [Running(guest="g1", boot_id=self.boot.boot_id, pid=1, exec_ns=None)]

    def boots(self):
        return {} if self.boot is None else {"g1": self.boot}

    def unreadable(self):
        return set()

    def folder(self, guest):
        return GuestFolder(self.guests, guest)

    async def draft(self, _spec):
        self.asked.append("draft")
        if self.draft_fault is not None:
            raise self.draft_fault
        return self

    async def rehearse(self, _draft, _ended, *, seconds):
        self.asked.append("rehearse")
        if self.rehearse_fault is not None:
            raise self.rehearse_fault

    async def stop(self, _guest):
        self.asked.append("stop")
        if self.stop_fault is not None:
            raise self.stop_fault

    async def claim(self, _guest):
        self.asked.append("claim")
        return self.is_ours

    async def install(self, _draft, *, is_restart):
        self.asked.append(f"install {is_restart}")

    async def booting(self, _boot):
        self.asked.append("booting")

    async def start(self, _machine):
        self.asked.append("start")
        self.on_start()
        raise self.start_fault

    async def failed(self, _spec, reason):
        self.asked.append(f"failed: {reason}")

    async def alarm(self, _guest, _source, alarm):
        self.asked.append(f"alarm: {alarm}")

    async def refused(self, _guest, refusal):
        self.asked.append(f"refused: {refusal.rule}")

    def was_good(self, good):
        """A guest that runs with `good`."""
        self.boot = Boot(boot_id="1", spec=good, seed=b"", machine="process", accel="none", control="", started_us=0)
        self.folder("g1").create()
        self.folder("g1").is_good(good)


async def look(bench: Bench, wanted) -> list[str]:
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    await reconciler.look({"g1": wanted}, revisions={"g1": 7})
    async with asyncio.timeout(5):
        await reconciler.wake.wait()
    return bench.asked


async def test_the_lease_is_renewed_right_before_the_guest_is_installed_and_started(tmp_path):
    asked = await look(Bench(tmp_path), spec())
    assert asked == ["draft", "stop", "claim", "install False", "booting", "start", "failed: test: no such machine"]


async def test_a_guest_that_another_host_took_meanwhile_is_neither_booted_nor_reported(
    tmp_path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    assert await look(Bench(tmp_path, is_ours=False), spec()) == ["draft", "stop", "claim"]
    assert [record.outcome for record in caplog.records if record.message == "guest"] == ["lease"]


async def test_a_new_specification_that_cannot_be_drafted_is_refused_before_anything_stops(tmp_path):
    bench = Bench(tmp_path, draft_fault=SpecError("network", "no such network"))
    bench.was_good(spec())
    wanted = spec(memory_mib=16)
    assert await look(bench, wanted) == ["draft", "refused: network"]
    refusal = bench.folder("g1").refused_spec()
    assert (refusal.spec, refusal.revision) == (spec_digest(wanted), 7)


async def test_a_new_specification_that_does_not_boot_is_refused_where_an_earlier_one_works(tmp_path):
    bench = Bench(tmp_path)
    bench.was_good(spec())
    asked = await look(bench, spec(memory_mib=16))
    assert asked[-2:] == ["start", "refused: test"]
    assert bench.folder("g1").good_spec() == spec()


@pytest.mark.parametrize(("boot_id", "is_told"), [("1", False), ("2", True)])
async def test_late_news_of_the_boot_before_says_nothing_of_the_one_that_has_begun(tmp_path, boot_id, is_told):
    bench = Bench(tmp_path)
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    heard: list[bool] = []

    def on_start() -> None:
        reconciler.on_ended(Ended(guest="g1", boot_id=boot_id, reason="stopped"))
        heard.append(reconciler._guests["g1"].ended.is_set())

    bench.on_start = on_start
    await reconciler.look({"g1": spec()})
    async with asyncio.timeout(5):
        await reconciler._tasks["g1"]
    assert heard == [is_told]


async def test_a_fault_that_passes_refuses_nothing(tmp_path):
    bench = Bench(tmp_path, draft_fault=SignerAway("signer", "no answer"))
    bench.was_good(spec())
    assert await look(bench, spec(memory_mib=16)) == ["draft", "alarm: signer: no answer"]
    assert bench.folder("g1").refused_spec() is None


async def test_a_new_specification_that_fails_beside_the_old_one_is_refused_and_nothing_is_stopped(tmp_path):
    bench = Bench(tmp_path)
    bench.rehearse_fault = BootError("ended", "no memory")
    bench.was_good(spec())
    assert await look(bench, spec(memory_mib=16)) == ["draft", "rehearse", "refused: ended"]


async def test_what_was_good_before_and_a_guest_that_is_not_running_are_not_rehearsed(tmp_path):
    assert "rehearse" not in await look(Bench(tmp_path), spec())
    bench = Bench(tmp_path)
    bench.was_good(spec())
    bench.folder("g1").is_good(spec(memory_mib=16))
    assert "rehearse" not in await look(bench, spec(memory_mib=16))


async def test_a_control_port_that_somebody_else_took_refuses_no_specification(tmp_path):
    bench = Bench(tmp_path)
    bench.start_fault = PortTaken("port", "taken")
    bench.was_good(spec())
    assert (await look(bench, spec(memory_mib=16)))[-2:] == ["start", "failed: port: taken"]
    assert bench.folder("g1").refused_spec() is None


async def test_a_guest_that_is_worked_on_when_its_lease_is_over_is_ended_after_that(tmp_path):
    bench = Bench(tmp_path)
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    await reconciler.look({"g1": spec()})
    assert not await reconciler.fence("g1")
    assert bench.asked == [], "its task has not begun, and nothing else was done"
    async with asyncio.timeout(5):
        await reconciler.wake.wait()
    bench.asked.clear()
    assert await reconciler.fence("g1")
    assert bench.asked == ["stop"]


async def test_a_guest_of_which_is_only_still_told_that_it_runs_is_ended_when_its_lease_is_over(tmp_path):
    bench = Bench(tmp_path)
    bench.was_good(spec())
    bench.folder("g1").write_boot(bench.boot, b"image")
    bench.folder("g1").console_file("1").write_text("unibpf ready guest=g1 graph=g elements=1 nics=1 ns=1\n")

    async def alarm(*_):
        await asyncio.Event().wait()  # the bus is away

    bench.alarm = alarm
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    await reconciler.look({"g1": spec()})
    async with asyncio.timeout(5):
        while not reconciler._guest("g1").is_telling:
            await asyncio.sleep(0.01)
    assert await reconciler.fence("g1") and bench.asked == ["stop"]


async def test_a_guest_that_could_not_be_ended_is_not_taken_for_one_that_was(tmp_path):
    bench = Bench(tmp_path)
    bench.stop_fault = HypervisorError("test", "it does not stop")
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    assert not await reconciler.fence("g1")
