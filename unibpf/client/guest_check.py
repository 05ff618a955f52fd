"""Everything that can be said against a guest before it is asked for: by itself, and by what the hosts and the bus know."""

import asyncio
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from unibpf import subjects
from unibpf.bus import Bus, BusError, RequestFailed
from unibpf.bus.kv import readable
from unibpf.bus.release_keys import release_keys
from unibpf.bus.topology import GUESTS_OBSERVED, RELEASES
from unibpf.host import graph_check
from unibpf.host.graph_check import Element, GraphCheckMissing
from unibpf.host.settings import DEFAULT_HOST
from unibpf.messages.guests import GuestObserved, GuestSpec, HostStatus

HOST_SECONDS: Final = 1.0


class GuestCheck(Struct, kw_only=True):
    """`faults` keep the guest from running, `warnings` from doing its work; `elements` are those of a sound graph."""

    faults: list[str] = []
    warnings: list[str] = []
    elements: list[Element] = []


async def check_alone(folder: Path, spec: GuestSpec) -> GuestCheck:
    """What the specification itself says; `folder` has the executables."""
    found = GuestCheck(faults=graph_check.nic_faults(spec))
    try:
        report = await graph_check.check_spec(folder, spec)
    except GraphCheckMissing as error:
        found.warnings.append(f"the graph is not checked here: {error}")
        return found
    found.elements = report.elements
    found.faults += report.faults()
    found.faults += graph_check.program_lines(graph_check.program_faults(spec, report))
    found.faults += _map_faults(spec, {element.name for element in report.elements})
    return found


def _map_faults(spec: GuestSpec, elements: Set[str]) -> list[str]:
    """Entries for elements that a sound graph does not have; whether a program has the map is seen when it is there."""
    named = dict.fromkeys(one.element for one in spec.maps or [] if elements and one.element not in elements)
    return [f"`maps.{name}`: the graph has no element `{name}`" for name in named]


async def check_with_bus(bus: Bus, folder: Path, spec: GuestSpec) -> GuestCheck:
    """The same, and what the hosts do not have, and programs that nobody pushed yet."""
    found = await check_alone(folder, spec)
    found.faults += host_faults(spec, await _hosts(bus, spec))
    found.warnings += await _never_pushed(bus, spec)
    return found


def host_faults(spec: GuestSpec, hosts: Sequence[HostStatus]) -> list[str]:
    """What no host has that may run it; nothing where no host said what it has."""
    telling = [host for host in hosts if host.networks is not None]
    faults = [_host_faults(spec, host) for host in telling]
    return [] if not faults or not all(faults) else list(dict.fromkeys(fault for one in faults for fault in one))


def _host_faults(spec: GuestSpec, host: HostStatus) -> list[str]:
    networks = host.networks or []
    faults = [
        f"NIC `{nic.name}`: host `{host.host}` has no network `{nic.network}`, expected one of {', '.join(networks)}"
        for nic in spec.nics
        if nic.network not in networks
    ]
    if host.most_memory_mib is not None and spec.memory_mib > host.most_memory_mib:
        faults.append(f"memory_mib: got {spec.memory_mib}, host `{host.host}` gives {host.most_memory_mib} at most")
    return faults


async def _hosts(bus: Bus, spec: GuestSpec) -> list[HostStatus]:
    """The hosts that may run it, as far as they answer."""
    if spec.host is not None:
        names = {spec.host}
    else:
        entries = await (await bus.kv(GUESTS_OBSERVED)).entries()
        names = {DEFAULT_HOST, *(guest.host for guest in readable(entries, GuestObserved))}
    answers = await asyncio.gather(*(_ask(bus, name) for name in sorted(names)))
    return [answer for answer in answers if answer is not None]


async def _ask(bus: Bus, host: str) -> HostStatus | None:
    try:
        return await bus.request(subjects.deployer_status(host), b"", HostStatus, timeout=HOST_SECONDS)
    except (BusError, RequestFailed, msgspec.MsgspecError):
        return None


async def _never_pushed(bus: Bus, spec: GuestSpec) -> list[str]:
    bucket = await bus.kv(RELEASES)
    missing = []
    for element, program in sorted(spec.programs.items()):
        found = [await bucket.get(key) for key in release_keys(spec.audience, program, element)]
        if not any(found):
            missing.append(f"`{program}` was never pushed for class `{spec.audience}`: `{element}` drops until it is")
    return missing
