"""Two hypervisor hosts on one bus: each guest runs on one of them, and outlives the deployer that had claimed it."""

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Final

import pytest

from tests.support.guests.guests import Bench, filter_bundle, is_alive, spec
from tests.support.services.services import ServiceProcess, eventually
from tests.support.services.wire import Wire
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.topology import LEASES
from unibpf.host.guest_folder import GuestFolder
from unibpf.host.settings import StatePaths

HOSTS: Final = ("left", "right")
GUESTS: Final = [f"g{number}" for number in range(4)]


def host_state(nats, root: Path) -> StatePaths:
    """A host's own state directory, with what an operator carries to it: keys and the signers to pin."""
    paths = StatePaths(root=root)
    paths.create()
    shutil.copytree(nats.paths.keys, paths.keys, dirs_exist_ok=True)
    paths.trusted_signers.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(nats.paths.trusted_signers, paths.trusted_signers)
    return paths


class Pair:
    """Both hosts, and every process of a guest that was ever seen."""

    def __init__(self, bench: Bench, paths: dict[str, StatePaths], deployers: dict[str, ServiceProcess]) -> None:
        self.bench, self.paths, self.deployers = bench, paths, deployers
        self.pids: set[int] = set()
        self.wires: dict[str, Wire] = {}

    async def settled(self, guests: list[str], *, host: str | None = None) -> dict[str, tuple[str, int]]:
        """Where each guest runs, and as which process, once each has been booted by one host only and is seen to run there.

        On the way there a host may boot a guest that another one took in the moment between its claim and the boot; it ends
        it when it looks.
        """

        async def look():
            found = [await self._place(guest) for guest in guests]
            return found if all(place is not None and host in {None, place[0]} for place in found) else None

        places = await eventually(look, seconds=60, what=f"each of {guests} on {host or 'one host'}")
        return dict(zip(guests, places, strict=True))

    async def _place(self, guest: str) -> tuple[str, int] | None:
        seen = await self.bench.observed(guest)
        self.pids |= {seen.pid} if seen and seen.pid else set()
        alive = {host for host in HOSTS if self.deployers[host].is_up()}
        booted = {host for host in alive if GuestFolder(self.paths[host].guests, guest).boot() is not None}
        if (
            seen is None
            or seen.state != "running"
            or seen.pid is None
            or booted != {seen.host}
            or not is_alive(seen.pid)
        ):
            return None
        return seen.host, seen.pid


@pytest.fixture
async def pair(nats, bin_directory, tmp_path):
    async with Bench.on(nats) as bench, contextlib.AsyncExitStack() as stack:
        paths = {host: host_state(nats, tmp_path / host) for host in HOSTS}
        base = nats.environment() | {"UNIBPF_BIN": str(bin_directory), "UNIBPF_ACCEL": "tcg"}
        base |= {"UNIBPF_TICK": "0.5", "UNIBPF_LEASE": "6"}
        deployers, wires = {}, {}
        for host in HOSTS:
            wires[host] = await stack.enter_async_context(Wire(nats.server.url).open())
            environment = base | {"UNIBPF_STATE": str(paths[host].root), "UNIBPF_HOST": host}
            environment["UNIBPF_NATS_URL"] = wires[host].url
            deployers[host] = ServiceProcess("deployer", environment=environment, log=tmp_path / f"{host}.log")
            stack.callback(deployers[host].signal, signal.SIGTERM)
        made = Pair(bench, paths, deployers)
        made.wires = wires
        try:
            yield made
        finally:
            for pid in made.pids:
                if is_alive(pid):
                    os.kill(pid, signal.SIGKILL)


async def test_each_guest_runs_on_one_host_and_moves_when_its_deployer_dies(pair):
    await pair.bench.release(filter_bundle(2))
    pair.deployers["left"].start()
    await apply(pair, GUESTS[:2])
    first = await pair.settled(GUESTS[:2], host="left")

    pair.deployers["right"].start()
    await apply(pair, GUESTS[2:])
    await pair.bench.apply(spec(guest="pinned", machine="process", host="right"))
    before = await pair.settled([*GUESTS, "pinned"])
    assert before.items() >= first.items(), "what runs stays where it is when a host comes"
    assert before["pinned"][0] == "right"

    pair.deployers["left"].signal(signal.SIGKILL)
    moved = [guest for guest in GUESTS if before[guest][0] == "left"]
    after = await pair.settled([*GUESTS, "pinned"], host="right")
    assert {guest for guest in after if after[guest] != before[guest]} == set(moved)
    assert all(is_alive(before[guest][1]) for guest in moved), "a deployer that dies takes no guest with it"

    pair.deployers["left"].start()
    for guest in moved:
        await eventually(lambda guest=guest: _gone(before[guest][1]), what=f"the end of the old `{guest}`")
    assert await pair.settled([*GUESTS, "pinned"]) == after


async def test_a_host_that_is_cut_off_ends_its_guest_before_another_host_boots_it(pair):
    await pair.bench.release(filter_bundle(2))
    for host in HOSTS:
        pair.deployers[host].start()
    await pair.bench.apply(spec(guest="pinned", machine="process", host="right"))
    await pair.settled(["pinned"], host="right")
    await apply(pair, GUESTS[:1])
    await pair.bench.apply(spec(guest="stays", machine="process", host="left"))
    before = await pair.settled([*GUESTS[:1], "stays"])
    old, pid = before[GUESTS[0]]
    other = next(host for host in HOSTS if host != old)
    pair.wires[old].cut()
    both = False

    async def look():
        nonlocal both
        seen = await pair.bench.observed(GUESTS[0])
        moved = seen is not None and seen.host == other and seen.pid is not None
        pair.pids |= {seen.pid} if moved else set()
        both |= moved and is_alive(pid) and is_alive(seen.pid)
        return seen if moved and seen.state == "running" else None

    seen = await eventually(look, seconds=60, what="the guest on the other host")
    assert not both and not is_alive(pid), "two hosts ran one guest"
    assert f"host `{old}` did not give it up" in (seen.alarm or "")
    assert is_alive(before["stays"][1]), "a guest that only one host may run goes on there"
    pair.wires[old].mend()
    assert (await pair.settled([GUESTS[0]]))[GUESTS[0]][0] == other


async def test_a_store_that_is_lost_ends_no_guest_for_want_of_a_lease(nats, pair):
    await pair.bench.release(filter_bundle(2))
    for host in HOSTS:
        pair.deployers[host].start()
    await apply(pair, GUESTS)
    before = await pair.settled(GUESTS)
    async with nats.buses(OPERATOR) as (operator,):
        await operator.jetstream.delete_key_value(LEASES)
    await asyncio.sleep(9)  # one lease and a half
    assert all(is_alive(pid) for _, pid in before.values())


async def apply(pair, guests):
    for guest in guests:
        await pair.bench.apply(spec(guest=guest, machine="process"))


async def _gone(pid):
    return True if not is_alive(pid) else None
