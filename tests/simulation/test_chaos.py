"""Random faults on a real bus, real services and real guests, against a model that knows what must run.

`UNIBPF_CHAOS_SECONDS` is how long (a minute; `make chaos`: an hour), `UNIBPF_SEED` the series. Guests are processes: the faults
are those of services, store, channel and releases, which do not ask what a guest runs on.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.support.guests.guests import GRAPH, Bench, filter_bundle, is_alive, spec
from tests.support.services.services import ServiceProcess, eventually
from tests.support.services.wire import Wire
from unibpf import subjects
from unibpf.bus import Bus, BusError
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.topology import GUESTS, GUESTS_OBSERVED
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.host.guest_folder import GuestFolder
from unibpf.host.outcomes import newest_good
from unibpf.messages.desired_maps import DesiredChange, DesiredChanged
from unibpf.messages.guests import GuestObserved, GuestSpec, spec_digest
from unibpf.messages.programs import Signed
from unibpf.messages.status import GuestQuery, GuestStatus

SECONDS: Final = float(os.environ.get("UNIBPF_CHAOS_SECONDS", "45"))
SEED: Final = int(os.environ.get("UNIBPF_SEED", "1"))
CONVERGED_SECONDS: Final = 30.0
NAMES: Final = ("g1", "g2", "g3")
HOST: Final = "local"
WEIGHTS: Final = BundleMap(name="weights", type=MapType.HASH, key_size=4, value_size=4, max_entries=8)
JUNK: Final = b"this is no bundle"
NEWER: Final = b'{"guest": 7, "version": 9}'


class Model:
    """What the operator asked for, and which releases are good."""

    def __init__(self) -> None:
        self.wanted: dict[str, GuestSpec] = {}
        self.unknown: set[str] = set()  # guests whose last wish the store may have lost before it was heard
        self.kept: dict[str, dict[int, int]] = {}  # map entries that are to be there
        self.good: Signed | None = None
        self.all_good: list[Signed] = []
        self.bad: list[Signed] = []

    @property
    def is_newest_bad(self) -> bool:
        return self.good is None or any(one.sequence > self.good.sequence for one in self.bad)


class Chaos:
    """The hands that do harm."""

    def __init__(
        self, bench: Bench, operator: Bus, services: dict[str, ServiceProcess], wires: dict[str, Wire]
    ) -> None:
        self.bench, self.operator, self.services, self.wires = bench, operator, services, wires
        self.model, self.chance = Model(), random.Random(SEED)
        self.stopped: set[int] = set()
        self.story: list[str] = []

    async def happens(self) -> None:
        commands = [
            self._apply,
            self._apply,
            self._delete,
            self._bad_spec,
            self._release,
            self._bad_release,
            self._keep,
        ]
        machines = [self._kill_service, self._stop_service, self._kill_guest, self._hang_guest]
        what = self.chance.choice([*commands, *machines, self._cut, self._lose, self._newer, self._no_signer])
        self.story.append(f"{time.monotonic():.1f} {what.__name__}")
        await what()

    async def _apply(self) -> None:
        name = self.chance.choice(NAMES)
        wanted = spec(guest=name, machine="process", memory_mib=self.chance.choice((8, 9)))
        await self.bench.apply(wanted)
        self.model.wanted[name] = wanted
        self.model.unknown.discard(name)
        await self._is_heard(name, wanted)

    async def _is_heard(self, name: str, wanted: GuestSpec) -> None:
        """Wait until the wish is in the store, so that the model knows what a later loss takes away."""

        async def look() -> bool | None:
            entry = await (await self.operator.kv(GUESTS)).get(name)
            with contextlib.suppress(Exception):
                return True if entry is not None and entry.decode(GuestSpec) == wanted else None
            return None

        self._heal()
        await eventually(look, seconds=CONVERGED_SECONDS, what=f"the wish for `{name}` in the store")

    async def _delete(self) -> None:
        name = self.chance.choice(NAMES)
        await self.bench.delete(name)
        self.model.wanted.pop(name, None)
        self.model.kept.pop(name, None)
        self.model.unknown.discard(name)
        self._heal()
        await eventually(lambda: self._is_gone(name), seconds=CONVERGED_SECONDS, what=f"the end of `{name}`")

    async def _is_gone(self, name: str) -> bool | None:
        return True if await self.bench.observed(name) is None else None

    async def _bad_spec(self) -> None:
        """Refused: a guest goes on as what it was good as. One that was never good would have nothing to go on as."""
        folders = {name: GuestFolder(self.bench.paths.guests, name) for name in self.model.wanted}
        good = [name for name, folder in folders.items() if folder.good_spec() == self.model.wanted[name]]
        good = [name for name in good if name not in self.model.unknown]
        if good:
            bad = self.model.wanted[self.chance.choice(good)]
            await self.bench.apply(spec(guest=bad.guest, machine="process", memory_mib=10, graph=GRAPH + "Foo -> Bar;"))

    async def _keep(self) -> None:
        """`map set --keep`, as often as it takes."""
        known = sorted(self.model.wanted.keys() - self.model.unknown)
        if not known:
            return
        name, key, value = self.chance.choice(known), self.chance.randrange(4), self.chance.randrange(100)
        change = DesiredChange(guest=name, element="fw", map=WEIGHTS.name, entries=[(key, value)])

        async def ask() -> bool | None:
            try:
                await self.bench.cli.request(subjects.keep(HOST), change, DesiredChanged, timeout=2.0)
            except BusError:
                return None
            return True

        self._heal()
        await eventually(ask, seconds=CONVERGED_SECONDS, what=f"an entry kept for `{name}`")
        self.model.kept.setdefault(name, {})[key] = value

    async def _release(self) -> None:
        self.model.good = await self.bench.release(filter_bundle(self.chance.choice((1, 2)), WEIGHTS))
        self.model.all_good.append(self.model.good)

    async def _bad_release(self) -> None:
        self.model.bad.append(await self.bench.release(JUNK))

    async def _kill_service(self) -> None:
        service = self.services[self.chance.choice(sorted(self.services))]
        service.signal(signal.SIGKILL)
        service.start()

    async def _stop_service(self) -> None:
        service = self.services[self.chance.choice(sorted(self.services))]
        service.send(signal.SIGSTOP)
        await asyncio.sleep(self.chance.uniform(0.5, 4))
        service.send(signal.SIGCONT)

    async def _pids(self) -> dict[str, int]:
        entries = await (await self.operator.kv(GUESTS_OBSERVED)).entries()
        found = [entry.decode(GuestObserved) for entry in entries]
        return {one.guest: one.pid for one in found if one.pid is not None and is_alive(one.pid)}

    async def _kill_guest(self) -> None:
        pids = await self._pids()
        if pids:
            os.kill(self.chance.choice(sorted(pids.values())), signal.SIGKILL)

    async def _hang_guest(self) -> None:
        """Its control channel is cut, and its packets stand."""
        pids = await self._pids()
        if pids:
            pid = self.chance.choice(sorted(pids.values()))
            self.stopped.add(pid)
            os.kill(pid, signal.SIGSTOP)

    async def _cut(self) -> None:
        self.wires[self.chance.choice(sorted(self.wires))].cut()

    async def _lose(self) -> None:
        """The desired state is gone, tombstones and all."""
        running = {name: await self.bench.observed(name) for name in self.model.wanted}
        await self.operator.jetstream.purge_stream(f"KV_{GUESTS}")
        for name, wanted in self.model.wanted.items():
            seen = running[name]
            if seen is None or not seen.is_live or seen.spec != spec_digest(wanted):
                self.model.unknown.add(name)

    async def _newer(self) -> None:
        name = self.chance.choice(NAMES)
        if name in self.model.wanted:
            seen = await self.bench.observed(name)
            await (await self.operator.kv(GUESTS)).change(name, lambda _: NEWER)
            if seen is None or not seen.is_live or seen.spec != spec_digest(self.model.wanted[name]):
                self.model.unknown.add(name)

    async def _no_signer(self) -> None:
        self.bench.signer.is_away = True

    def _heal(self) -> None:
        for wire in self.wires.values():
            wire.mend()
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped.clear()
        self.bench.signer.is_away = False
        for service in self.services.values():
            if not service.is_up():
                service.start()

    async def converges(self) -> None:
        """Everything is well again: within the promised time all that is wanted runs, with the newest good release."""
        self._heal()
        self.story.append(f"{time.monotonic():.1f} healed")
        wrong = ["nobody looked"]

        async def look() -> bool | None:
            wrong[:] = [fault for name in NAMES for fault in await self._faults(name)]
            return None if wrong else True

        try:
            await eventually(look, seconds=CONVERGED_SECONDS, what="peace")
        except (AssertionError, TimeoutError):
            pytest.fail("\n".join([f"seed {SEED}", *self.story[-40:], *wrong]))

    async def _faults(self, name: str) -> list[str]:
        if name in self.model.unknown:
            return []
        seen, wanted = await self.bench.observed(name), self.model.wanted.get(name)
        if wanted is None:
            return [] if seen is None else [f"{name} was deleted and is {seen.state}"]
        if seen is None or seen.pid is None or not seen.is_live or not is_alive(seen.pid):
            return [f"{name} is {seen.state if seen else 'not there'}: {seen.reason if seen else ''}"]
        if seen.spec != spec_digest(wanted):
            return [f"{name} runs as something else than was asked for"]
        return await self._release_faults(seen)

    async def _release_faults(self, seen: GuestObserved) -> list[str]:
        try:
            ask = GuestQuery(guest=seen.guest)
            status = await self.bench.cli.request(subjects.guest_status(seen.host), ask, GuestStatus, timeout=3.0)
        except BusError as error:
            return [f"{seen.guest} does not answer: {error}"]
        active = next(element.envelope for element in status.elements if element.name == "fw")
        wanted = self.model.good.envelope if self.model.good else None
        known = GuestFolder(self.bench.paths.guests, seen.guest).outcomes.read()
        if active is None and newest_good(known, "fw", "firewall") is None and self.model.is_newest_bad:
            return []  # a guest that never ran a good release, and the newest is none
        if active != wanted:
            return [f"{seen.guest} runs release {active}, expected {wanted}"]
        kept = len(self.model.kept.get(seen.guest, ()))
        there = seen.maps.put_back if seen.maps is not None else 0
        return [] if there == kept or active is None else [f"{seen.guest} has {there} of {kept} entries: {seen.reason}"]


@pytest.fixture
async def chaos(nats, bin_directory, tmp_path) -> AsyncIterator[Chaos]:
    async with contextlib.AsyncExitStack() as stack:
        bench = await stack.enter_async_context(Bench.on(nats))
        operator = await stack.enter_async_context(await nats.connect(OPERATOR))
        services, wires = {}, {}
        for name in ("deployer", "reconfigurer"):
            wires[name] = await stack.enter_async_context(Wire(nats.server.url).open())
            environment = nats.environment() | {"UNIBPF_BIN": str(bin_directory), "UNIBPF_ACCEL": "tcg"}
            environment |= {"UNIBPF_TICK": "1", "UNIBPF_LOOK": "3", "UNIBPF_NATS_URL": wires[name].url}
            services[name] = ServiceProcess(name, environment=environment, log=tmp_path / f"{name}.log")
            services[name].start()
            stack.callback(services[name].signal, signal.SIGTERM)
        made = Chaos(bench, operator, services, wires)
        stack.callback(made._heal)
        yield made


async def test_after_any_faults_all_that_is_wanted_runs_with_the_newest_good_release(chaos: Chaos) -> None:
    end = time.monotonic() + SECONDS
    await chaos._release()
    while time.monotonic() < end:
        for _ in range(chaos.chance.randrange(4, 9)):
            await chaos.happens()
            await asyncio.sleep(chaos.chance.uniform(0, 1.5))
        await chaos.converges()
    for name in chaos.model.wanted:
        reported = [
            one for one in await chaos.bench.events(name) if one.envelope in {bad.envelope for bad in chaos.model.bad}
        ]
        assert all(one.state != "active" for one in reported), "a release that a guest refused was active there"
        ends = [one.envelope for one in reported if one.rule not in {None, "unreachable"}]
        assert len(ends) == len(set(ends)), "a refused release was offered again"
        swaps = [one.envelope for one in await chaos.bench.events(name) if one.state == "active" and not one.already]
        assert len(swaps) == len(set(swaps)), "a push ended twice"
        assert {*swaps} <= {one.envelope for one in chaos.model.all_good}
        assert GuestFolder(chaos.bench.paths.guests, name).boot() is not None
