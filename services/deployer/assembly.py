"""Where a guest's parts meet: materials from the bus, what is fresh, the private folder, the driver of its machine.

The order of a boot is: draft (may be refused, changes nothing), rehearse (beside the one that runs), stop the old one, install
(image and record on the disk), start. A crash of the deployer between any two of these leaves a state that plan.py knows
what to do with.
"""

import asyncio
import logging
import os
import secrets
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from services.deployer import boot as booting
from services.deployer import materials
from services.deployer.boot import Fresh, Host, Materials
from services.deployer.errors import BootError, DeployerError, HypervisorError, SpecError
from services.deployer.host_config import HostConfig
from services.deployer.machines import rehearsal
from services.deployer.machines.hypervisor import Hypervisor, Machine, MachineKind, OnEnded, Running
from services.deployer.materials import Sources
from unibpf.bus import Bus
from unibpf.client.current import CurrentReleases
from unibpf.formats import boot_image
from unibpf.formats.boot_image import BootImageError, SignerKey
from unibpf.host import graph_check
from unibpf.host.graph_check import GraphCheckMissing
from unibpf.host.guest_folder import Boot, GuestFolder, all_boots, unreadable_boots
from unibpf.host.private_file import write_private
from unibpf.host.settings import StatePaths
from unibpf.messages.guests import GuestSpec

logger = logging.getLogger(__name__)

CHECK_HINT: Final = "`unibpf guest check FILE` says the same of a guest file"


class Draft(Struct, frozen=True, kw_only=True):
    """All parts of one boot, before anything of it is on the disk."""

    spec: GuestSpec
    materials: Materials
    fresh: Fresh
    machine: Machine
    signers: list[SignerKey]


class Assembly:
    """Boots of one host. `drivers` maps each kind of machine this host can run to its driver."""

    def __init__(
        self, *, bus: Bus, paths: StatePaths, host: Host, drivers: Mapping[MachineKind, Hypervisor], binaries: Path
    ) -> None:
        self._bus = bus
        self._current = CurrentReleases(bus=bus, paths=paths)
        self._paths = paths
        self._host = host
        self._drivers = drivers
        self._binaries = binaries

    @property
    def config(self) -> HostConfig:
        """What this host gives to guests."""
        return self._host.config

    async def open(self, on_ended: OnEnded) -> None:
        """Open every driver."""
        for driver in self._each():
            await driver.open(on_ended)
            for left in filter(rehearsal.is_one, await driver.running()):
                await driver.stop(left.guest)

    async def close(self) -> None:
        """Close every driver; guests go on."""
        for driver in self._each():
            await driver.close()

    async def running(self) -> list[Running]:
        """What runs, of every driver."""
        found = [item for driver in self._each() for item in await driver.running()]
        return [item for item in found if not rehearsal.is_one(item)]

    async def lacking(self) -> str | None:
        """Why no guest can be started here, or None."""
        try:
            self._signers()
            await self.running()
        except DeployerError as error:
            return str(error)
        return next((one for driver in self._each() if (one := driver.lacking()) is not None), None)

    @property
    def guests(self) -> Path:
        """Where the private folders of this host's guests lie."""
        return self._paths.guests

    def boots(self) -> dict[str, Boot]:
        """The last boot of every guest of this host."""
        return all_boots(self._paths.guests)

    def unreadable(self) -> set[str]:
        """The guests whose record of their last boot this version cannot read."""
        return unreadable_boots(self._paths.guests)

    def folder(self, guest: str) -> GuestFolder:
        """The guest's private folder."""
        return GuestFolder(self._paths.guests, guest)

    async def draft(self, spec: GuestSpec) -> Draft:
        """Collect and check; raises DeployerError where the guest can't boot."""
        others = [boot.spec for guest, boot in self.boots().items() if guest != spec.guest]
        self._host.config.check(spec, others=others)
        wrong = await self._disagreements(spec)
        fresh = _fresh()
        machine = booting.machine_of(self._host, spec, fresh, self.folder(spec.guest))
        signers = self._signers()
        folder = self.folder(spec.guest)
        sources = Sources(bus=self._bus, current=self._current, outcomes=folder.outcomes, floors=folder.floors())
        found = await materials.fetch(sources, spec)
        return Draft(
            spec=spec,
            materials=replace(found, lacking=found.lacking | wrong),
            fresh=fresh,
            machine=machine,
            signers=signers,
        )

    async def _disagreements(self, spec: GuestSpec) -> dict[str, str]:
        """By element, what keeps it from ever running a program; raises SpecError with all that a guest would refuse.

        What a guest was ready with before is not refused any more: it is to come back as it was.
        """
        was_good = spec == self.folder(spec.guest).good_spec()
        try:
            report = await graph_check.check_spec(self._binaries, spec)
        except GraphCheckMissing as error:  # the guest itself looks again, and refuses to boot
            logger.warning("the graph of `%s` is not checked before its boot: %s", spec.guest, error)
            return {}
        if (faults := graph_check.nic_faults(spec) + report.faults()) and not was_good:
            raise SpecError("graph", "; ".join(faults), hint=CHECK_HINT)
        wrong = graph_check.program_faults(spec, report)
        if wrong.keys() & spec.programs.keys() and not was_good:
            raise SpecError("programs", "; ".join(graph_check.program_lines(wrong)), hint=CHECK_HINT)
        return wrong

    async def rehearse(self, draft: Draft, ended: asyncio.Event, *, seconds: float) -> None:
        """Boot it once beside the guest that runs (machines/rehearsal.py); raises BootError where that comes to nothing.

        Where there is no room for both, or no second machine can be had, nothing is tried and nothing is said.
        """
        boots = self.boots()
        if not rehearsal.has_room(self._host.config, draft.spec, [boot.spec for boot in boots.values()]):
            return
        fresh = _fresh()
        machine = rehearsal.machine_of(draft.machine, boot_id=fresh.boot_id, control_port=fresh.control_port)
        image = self._image(draft, fresh)
        self._host.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(machine.image, image)
        machine.console.touch(mode=0o600)
        try:
            await self.start(machine)
            await rehearsal.until_ready(machine, ended, seconds)
        except HypervisorError as error:
            logger.warning("`%s` could not be tried beside the old one: %s", draft.spec.guest, error)
        finally:
            await self.stop(machine.guest)
            rehearsal.remove(machine)

    def _image(self, draft: Draft, fresh: Fresh) -> bytes:
        floors = self.folder(draft.spec.guest).floors()
        try:
            return boot_image.encode(booting.image_of(draft.spec, draft.materials, fresh, draft.signers, floors))
        except BootImageError as error:
            raise BootError("boot-image", str(error)) from error

    async def install(self, draft: Draft, *, is_restart: bool) -> Boot:
        """Write boot image and record; from here on this boot is the guest's last one."""
        folder = self.folder(draft.spec.guest)
        last = folder.boot()
        restarts = last.restarts + 1 if is_restart and last is not None else 0
        image = self._image(draft, draft.fresh)
        record = booting.record_of(draft.spec, draft.materials, draft.fresh, draft.machine, restarts=restarts)
        self._host.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_sockets(draft.spec.guest)
        folder.write_boot(record, image)
        return record

    async def start(self, machine: Machine) -> Running:
        """Start it with the driver of its kind."""
        return await self._drivers[machine.kind].start(machine)

    async def stop(self, guest: str) -> None:
        """Stop it, whatever it runs on."""
        for driver in self._each():
            await driver.stop(guest)

    def forget(self, guest: str) -> None:
        """Remove what a deleted guest leaves on the disk, but for its floors."""
        self._remove_sockets(guest)
        self.folder(guest).remove()

    def _each(self) -> list[Hypervisor]:
        return list(dict.fromkeys(self._drivers.values()))

    def _remove_sockets(self, guest: str) -> None:
        for path in self._host.sockets.glob(f"{guest}.*.sock"):
            path.unlink(missing_ok=True)

    def _signers(self) -> list[SignerKey]:
        try:
            return booting.trusted_signers(_read_capped(self._paths.trusted_signers))
        except FileNotFoundError:
            raise BootError(
                "trusted-signers",
                f"no signer is trusted: `{self._paths.trusted_signers}` does not exist",
                hint="create the token with `python -m services.signer init-token`",
            ) from None


def _fresh() -> Fresh:
    return Fresh(
        boot_id=str(uuid.uuid4()),
        seed=secrets.token_bytes(boot_image.SEED_BYTES),
        control_port=_free_udp_port(),
        now_us=time.time_ns() // 1000,
    )


def _read_capped(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(booting.MAX_TRUSTED_BYTES + 1)


def _free_udp_port() -> int:
    """A loopback port that is free now; if somebody takes it before the guest does, the start fails and is tried again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            raise HypervisorError("port", f"no free UDP port: {os.strerror(error.errno or 0)}") from error
        return int(probe.getsockname()[1])
