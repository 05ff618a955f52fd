"""`python -m services.deployer`: wiring of one host's deployer; ends on SIGTERM and leaves the guests running."""

import asyncio
import os
import shutil
import sys
from typing import cast

from services.deployer import host_config
from services.deployer.assembly import Assembly
from services.deployer.boot import Host
from services.deployer.errors import DeployerError
from services.deployer.machines import kvm_probe
from services.deployer.machines.hypervisor import Accel, Hypervisor, MachineKind
from services.deployer.machines.kvm_probe import Probe
from services.deployer.machines.libvirt_driver import EMBEDDED, LibvirtDriver
from services.deployer.machines.process import ProcessDriver
from services.deployer.runtime import create_private
from services.deployer.service import Deployer
from services.deployer.settings import Settings
from unibpf import tracing
from unibpf.bus import Bus, BusError, BusSettings
from unibpf.host import identity, logs, process
from unibpf.host.identity import IdentityError
from unibpf.host.settings import SettingError


def _has_qemu() -> bool:
    return shutil.which(kvm_probe.QEMU) is not None


def _has_vms(settings: Settings) -> bool:
    """A libvirt elsewhere brings its own QEMU."""
    return settings.guest_image.exists() and (settings.libvirt_uri != EMBEDDED or _has_qemu())


async def _probe(settings: Settings, *, has_vms: bool) -> Probe:
    if settings.accel != "auto":
        accel = "kvm" if settings.accel == "kvm" else "tcg"
        return Probe(about="", accel=cast("kvm_probe.Accelerator", accel), reason="set by `UNIBPF_ACCEL`")
    if not has_vms or not _has_qemu():
        return Probe(about="", accel="tcg", reason="there is no QEMU here to try it, or no guest image")
    return await kvm_probe.accelerator(settings.guest_image, settings.paths.host / "kvm-probe.json")


def _assembly(settings: Settings, bus: Bus, accel: Accel, *, has_vms: bool) -> Assembly:
    processes = ProcessDriver(executable=settings.guest_process, folder=settings.paths.run / "guests")
    drivers: dict[MachineKind, Hypervisor] = {"process": processes}
    if has_vms:
        machines = LibvirtDriver(uri=settings.libvirt_uri, root=settings.libvirt_root)
        drivers |= {"microvm": machines, "q35": machines}
    kinds: tuple[MachineKind, ...] = ("microvm", "q35", "process")
    host = Host(
        config=host_config.load(settings.host_file),
        kind_available={kind: kind if kind in drivers else "process" for kind in kinds},
        accel=accel,
        kernel=settings.guest_image,
        sockets=settings.sockets,
    )
    return Assembly(bus=bus, paths=settings.paths, host=host, drivers=drivers, binaries=settings.binaries)


async def _main() -> None:
    settings = Settings.from_environment(os.environ)
    settings.paths.create()
    create_private(settings.runtime)
    tracing.init("deployer")
    has_vms = _has_vms(settings)
    probe = await _probe(settings, has_vms=has_vms)
    key = identity.load_of_host(settings.paths.keys, "deployer", settings.host)
    connection = BusSettings(url=settings.nats_url, identity=key, order=settings.paths.host / "commands.json")
    async with await Bus.connect(connection) as bus:
        assembly = _assembly(settings, bus, probe.accel, has_vms=has_vms)
        await Deployer(bus=bus, settings=settings, assembly=assembly, probe=probe).run()


def main() -> int:
    """Run until told to stop; the exit code is 1 when the service could not work."""
    logs.configure("deployer")
    try:
        asyncio.run(process.until_signalled(_main()))
    except (DeployerError, SettingError, BusError, IdentityError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", None):
            print(f"hint: {hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
