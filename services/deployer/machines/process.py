"""Guests as processes of this host: `unibpf-guest`, for machine `process` and for hosts without QEMU.

A process guest must outlive the deployer as a VM does, so it gets a session of its own, and its pid and boot id are kept
in a file. After a restart of the deployer it is nobody's child: a pidfd tells its end then as before. A pid alone proves
nothing (it may have been given away), so the command line must name the boot image of that boot.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from services.deployer.errors import HypervisorError, SpecError
from services.deployer.machines import console_file
from services.deployer.machines.hypervisor import MANAGEMENT, Ended, Machine, MachineNic, OnEnded, Running, mac_text


class _Process(Struct, frozen=True, kw_only=True):
    guest: str
    boot_id: str
    pid: int
    image: str


@dataclass(frozen=True)
class _Watch:
    descriptor: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class ProcessDriver:
    """A Hypervisor of process guests; `folder` holds one small file for each that runs."""

    def __init__(self, *, executable: Path, folder: Path) -> None:
        self._executable = executable
        self._folder = folder
        self._watched: dict[int, _Watch] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._on_ended: OnEnded | None = None

    async def open(self, on_ended: OnEnded) -> None:
        """Watch those that an earlier deployer started."""
        self._on_ended = on_ended
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for process in self._alive():
            self._watch(process)

    async def close(self) -> None:
        """Stop watching; the processes go on."""
        for pid in list(self._watched):
            self._unwatch(pid)

    def lacking(self) -> str | None:
        """The guest as a program."""
        if not os.access(self._executable, os.X_OK):
            return f"there is no guest program at `{self._executable}`; build it with `make build`, or set `UNIBPF_BIN`"
        return None

    async def running(self) -> list[Running]:
        """Those whose file names a live process of that boot."""
        return [Running(guest=item.guest, boot_id=item.boot_id, pid=item.pid) for item in self._alive()]

    async def start(self, machine: Machine) -> Running:
        """Execute `unibpf-guest` with its output in the console file."""
        try:
            with machine.console.open("ab") as console:
                exec_ns = time.time_ns()
                child = subprocess.Popen(  # noqa: ASYNC220 (fork and exec take a millisecond; nothing to wait for)
                    self.command(machine),
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    restore_signals=False,  # SIGXFSZ stays ignored: at its limit a guest loses words, not its life
                )
        except OSError as error:
            raise HypervisorError("process", f"`{self._executable}` does not start: {error}") from error
        console_file.limit(child.pid)
        self._children[child.pid] = child
        process = _Process(guest=machine.guest, boot_id=machine.boot_id, pid=child.pid, image=str(machine.image))
        self._file(machine.guest).write_bytes(msgspec.json.encode(process))
        self._watch(process)
        return Running(guest=machine.guest, boot_id=machine.boot_id, pid=child.pid, exec_ns=exec_ns)

    async def stop(self, guest: str) -> None:
        """Kill it and wait until it is gone."""
        for process in self._alive():
            if process.guest == guest:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                if process.pid in self._watched:
                    await self._watched[process.pid].ended.wait()
        self._file(guest).unlink(missing_ok=True)

    def command(self, machine: Machine) -> list[str]:
        """The argument list; NIC syntax is `name=mac:kind:where` (guest/platform/linux)."""
        management = f"{MANAGEMENT}={mac_text(machine.management_mac)}:udp-control:{machine.control_port}"
        nics = [f"{nic.name}={mac_text(nic.mac)}:{_where(nic)}" for nic in machine.nics]
        arguments = [word for nic in [management, *nics] for word in ("--nic", nic)]
        return [str(self._executable), str(machine.image), *arguments]

    def _alive(self) -> list[_Process]:
        found = []
        for file in sorted(self._folder.glob("*.json")):
            process = _read(file)
            if process is not None and self._is_alive(process):
                found.append(process)
        return found

    def _is_alive(self, process: _Process) -> bool:
        """A child's pid is its own until it is waited for; of any other process the command line has to tell."""
        child = self._children.get(process.pid)
        return _is_boot(process) if child is None else child.poll() is None

    def _file(self, guest: str) -> Path:
        return self._folder / f"{guest}.json"

    def _watch(self, process: _Process) -> None:
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return
        self._watched[process.pid] = _Watch(descriptor=descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._has_ended, process)

    def _unwatch(self, pid: int) -> None:
        watch = self._watched.pop(pid, None)
        if watch is not None:
            asyncio.get_running_loop().remove_reader(watch.descriptor)
            os.close(watch.descriptor)
            watch.ended.set()

    def _has_ended(self, process: _Process) -> None:
        self._unwatch(process.pid)
        child = self._children.pop(process.pid, None)
        status = child.wait() if child else None
        if self._on_ended is not None:
            self._on_ended(
                Ended(guest=process.guest, boot_id=process.boot_id, reason="stopped" if status == 0 else "crashed")
            )


def _where(nic: MachineNic) -> str:
    match nic.network.kind:
        case "stream":
            return f"stream:{nic.socket},server"
        case "tap":
            return f"tap:{nic.network.device}"
        case kind:
            raise SpecError("network", f"a process guest has no network of kind `{kind}`, expected `stream` or `tap`")


def _read(file: Path) -> _Process | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Process)
    except (OSError, msgspec.DecodeError):
        return None


def _is_boot(process: _Process) -> bool:
    try:
        return process.image.encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
