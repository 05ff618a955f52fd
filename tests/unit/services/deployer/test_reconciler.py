"""services.deployer.reconciler: the order of a boot, and when it does not take place."""

import asyncio

import pytest

from services.deployer.errors import HypervisorError
from services.deployer.reconciler import Reconciler
from tests.support.guests.guests import spec


class Bench:
    """Stands for the host's assembly, its reporter and its leases: writes down what is asked of them."""

    def __init__(self, *, is_ours: bool) -> None:
        self.is_ours = is_ours
        self.asked: list[str] = []

    async def running(self):
        return []

    def boots(self):
        return {}

    async def draft(self, _spec):
        self.asked.append("draft")
        return self

    async def stop(self, _guest):
        self.asked.append("stop")

    async def claim(self, _guest):
        self.asked.append("claim")
        return self.is_ours

    async def install(self, _draft, *, is_restart):
        self.asked.append(f"install {is_restart}")

    async def booting(self, _boot):
        self.asked.append("booting")

    @property
    def machine(self):
        return "machine"

    async def start(self, _machine):
        self.asked.append("start")
        raise HypervisorError("test", "no such machine")

    async def failed(self, _spec, reason):
        self.asked.append(f"failed: {reason}")


async def asked_for_a_boot(bench: Bench) -> list[str]:
    reconciler = Reconciler(assembly=bench, reporter=bench, claim=bench.claim, boot_timeout=1.0)
    await reconciler.look({"g1": spec()})
    async with asyncio.timeout(5):
        await reconciler.wake.wait()
    return bench.asked


async def test_the_lease_is_renewed_right_before_the_guest_is_installed_and_started():
    asked = await asked_for_a_boot(Bench(is_ours=True))
    assert asked == ["draft", "stop", "claim", "install False", "booting", "start", "failed: test: no such machine"]


async def test_a_guest_that_another_host_took_meanwhile_is_neither_booted_nor_reported(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level("INFO")
    assert await asked_for_a_boot(Bench(is_ours=False)) == ["draft", "stop", "claim"]
    assert [record.outcome for record in caplog.records if record.message == "guest"] == ["lease"]
