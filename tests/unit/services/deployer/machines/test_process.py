"""services.deployer.machines.process with a shell script for a guest: found, watched and ended by pid and boot."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from services.deployer.errors import HypervisorError, SpecError
from services.deployer.host_config import Network
from services.deployer.machines.hypervisor import Machine, MachineNic
from services.deployer.machines.process import ProcessDriver


@pytest.fixture
def guest_program(tmp_path):
    program = tmp_path / "guest"
    program.write_text("#!/usr/bin/env python3\nimport time\nprint('started', flush=True)\ntime.sleep(60)\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def machine(tmp_path, boot_id="b1", nics=()):
    return Machine(
        guest="g",
        boot_id=boot_id,
        kind="process",
        accel="none",
        memory_mib=8,
        kernel=tmp_path,
        image=tmp_path / f"image-{boot_id}",
        console=tmp_path / "console",
        nics=list(nics),
        control_port=4711,
    )


class Watcher:
    def __init__(self):
        self.ended = asyncio.Queue()

    def __call__(self, ended):
        self.ended.put_nowait(ended)


async def opened(program, tmp_path):
    watcher, driver = Watcher(), ProcessDriver(executable=program, folder=tmp_path / "run")
    await driver.open(watcher)
    return driver, watcher


async def test_a_process_is_started_listed_and_stopped(guest_program, tmp_path):
    driver, watcher = await opened(guest_program, tmp_path)
    started = await driver.start(machine(tmp_path))
    assert [(item.guest, item.boot_id, item.pid) for item in await driver.running()] == [("g", "b1", started.pid)]
    await driver.stop("g")
    assert await driver.running() == []
    assert (await watcher.ended.get()).guest == "g"


async def test_a_process_that_is_killed_is_told_as_crashed(guest_program, tmp_path):
    driver, watcher = await opened(guest_program, tmp_path)
    started = await driver.start(machine(tmp_path))
    os.kill(started.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(watcher.ended.get(), 5)).reason == "crashed"
    assert await driver.running() == []


async def test_a_second_driver_finds_and_watches_what_the_first_started(guest_program, tmp_path):
    first, _ = await opened(guest_program, tmp_path)
    started = await first.start(machine(tmp_path))
    while not (tmp_path / "console").read_bytes():  # its command line is its own once it speaks
        await asyncio.sleep(0.01)
    await first.close()
    second, watcher = await opened(guest_program, tmp_path)
    assert [item.boot_id for item in await second.running()] == ["b1"]
    os.kill(started.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(watcher.ended.get(), 5)).guest == "g"
    first._children[started.pid].wait()
    assert await second.running() == []


async def test_a_pid_that_somebody_else_has_now_is_not_taken_for_the_guest(guest_program, tmp_path):
    driver, _ = await opened(guest_program, tmp_path)
    (tmp_path / "run" / "g.json").write_text(f'{{"guest":"g","boot_id":"b1","pid":{os.getpid()},"image":"/image-b1"}}')
    assert await driver.running() == []
    await driver.stop("g")


async def test_a_guest_that_does_not_execute_is_an_error(tmp_path):
    driver, _ = await opened(tmp_path / "missing", tmp_path)
    with pytest.raises(HypervisorError):
        await driver.start(machine(tmp_path))


def test_the_command_names_every_nic(tmp_path):
    driver = ProcessDriver(executable=Path("/bin/guest"), folder=tmp_path)
    nic = MachineNic(name="in0", mac=bytes(6), network=Network(kind="stream"), socket=Path("/s"))
    command = driver.command(machine(tmp_path, nics=[nic]))
    assert command[:2] == ["/bin/guest", str(tmp_path / "image-b1")]
    assert command[-1] == "in0=00:00:00:00:00:00:stream:/s,server"
    assert command[3].startswith("mgmt=52:54:00:") and command[3].endswith(":udp-control:4711")


def test_a_network_that_a_process_can_not_have_is_refused(tmp_path):
    driver = ProcessDriver(executable=Path("/bin/guest"), folder=tmp_path)
    nic = MachineNic(name="in0", mac=bytes(6), network=Network(kind="user"))
    with pytest.raises(SpecError):
        driver.command(machine(tmp_path, nics=[nic]))
