"""A boot of a new specification beside the guest that runs with the old one: it has to become ready before the old one ends.

It is the guest's own image, program and memory, with a seed of its own and none of its networks: whoever is connected to the
guest stays connected to the old one, and what cannot be shared (a TAP, a socket's path) is not. It is ended as soon as it is
ready. Where the host has no room for both, there is no rehearsal: the old one is brought back then if the new one fails.
"""

import asyncio
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from services.deployer.errors import BootError, DeployerError
from services.deployer.host_config import HostConfig, Network
from services.deployer.machines import console
from services.deployer.machines.hypervisor import Machine, Running
from unibpf.messages.guests import GuestSpec

SUFFIX: Final = ".try"  # no guest's name has a dot
SPARE_MIB: Final = 256  # that a rehearsal leaves the host, and what QEMU itself takes
_MEMORY: Final = Path("/proc/meminfo")


def name_of(guest: str) -> str:
    """What its machine is called."""
    return guest + SUFFIX


def is_one(running: Running) -> bool:
    """Whether this is no guest: a deployer that died in a rehearsal left it."""
    return running.guest.endswith(SUFFIX)


def has_room(config: HostConfig, spec: GuestSpec, others: list[GuestSpec], *, memory: Path = _MEMORY) -> bool:
    """Whether the host may have both, by its own limits (`others`: all that run, the old one too) and by what is free."""
    try:
        config.check(spec, others=others)
        rows = dict(line.split(":", 1) for line in memory.read_text().splitlines() if ":" in line)
        available_mib = int(rows["MemAvailable"].split()[0]) >> 10
    except (DeployerError, OSError, KeyError, ValueError):
        return False
    return available_mib >= spec.memory_mib + SPARE_MIB


def machine_of(real: Machine, *, boot_id: str, control_port: int) -> Machine:
    """The real one's, apart from it: other files, another port, NICs that lead nowhere."""
    nics = [
        replace(
            nic,
            network=Network(kind="stream"),
            socket=nic.socket.with_name(f"{number}.{real.guest}{SUFFIX}") if nic.socket is not None else None,
        )
        for number, nic in enumerate(real.nics)
    ]
    return replace(
        real,
        guest=name_of(real.guest),
        boot_id=boot_id,
        image=real.image.with_name(f"image{SUFFIX}"),
        console=real.console.with_name(f"console{SUFFIX}"),
        nics=nics,
        control_port=control_port,
    )


async def until_ready(machine: Machine, ended: asyncio.Event, seconds: float) -> None:
    """Raises BootError where it does not become ready in time."""
    try:
        async with asyncio.timeout(seconds):
            ready = await console.wait_ready(machine.console, ended)
    except TimeoutError:
        words = console.read_last_words(machine.console)
        raise BootError(
            "not-ready", f"tried beside the old one: not ready after {seconds:g} s; it said: {words}"
        ) from None
    if ready is None:
        words = console.read_last_words(machine.console)
        raise BootError("ended", f"tried beside the old one: it ended before it was ready; it said: {words}")


def remove(machine: Machine) -> None:
    """What is left of it."""
    for path in (machine.image, machine.console, *(nic.socket for nic in machine.nics if nic.socket is not None)):
        path.unlink(missing_ok=True)
