"""Plan and apply: makes the guests of this host what they should be (plan.py decides, this does).

One `look` gathers the world, plans, and starts a task for each action; a guest is worked on by one task at a time, so a
guest that takes long to fail holds up no other. Tasks, endings of guests and changes of the desired state all lead to the
next look. Everything that must survive this process is in the guests' folders and in KV, nothing is here:
a deployer killed at any point finds its guests again by their boot ids.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from functools import partial
from types import MappingProxyType

from msgspec.structs import replace
from opentelemetry.context import Context

from services.deployer import plan
from services.deployer.assembly import Assembly
from services.deployer.errors import BootError, DeployerError, LeaseError, PortTaken
from services.deployer.machines import console, rehearsal
from services.deployer.machines.hypervisor import Ended, Running, is_port_taken
from services.deployer.plan import Action, World
from services.deployer.reporting import Reporter
from unibpf import tracing
from unibpf.bus import BusError
from unibpf.host.guest_folder import Boot, GuestFolder
from unibpf.host.liveness import Liveness
from unibpf.messages.desired_maps import MapsPutBack
from unibpf.messages.guests import GuestSpec, SpecRefusal, spec_digest

logger = logging.getLogger(__name__)

CHANGE = "change"  # alarms about a change that cannot be carried out now


class _Guest:
    """What this process knows of a guest besides its folder."""

    def __init__(self) -> None:
        self.boot_id: str | None = None  # the boot that all the rest is about, once there is one
        self.ended = asyncio.Event()
        self.is_watched = False
        self.is_telling = False  # its machine runs and is left alone; what is left of the task is to say so
        self.is_stopped = False
        self.ready_at = 0.0
        self.spec: GuestSpec | None = None
        self.failures = 0
        self.not_before = 0.0
        self.untold: str | None = "the guest was gone"

    def has_failed(self) -> None:
        """Wait the longer the more failures in a row; `spec` says what the wait is about."""
        self.failures += 1
        self.not_before = time.monotonic() + plan.backoff(self.failures)


Claim = Callable[[str], Awaitable[bool]]  # takes or renews the lease of a guest; whether it is ours now
PutBack = Callable[[GuestFolder, str], Awaitable[MapsPutBack | None]]  # has the desired map entries put back


async def nothing_to_put_back(_folder: GuestFolder, _guest: str) -> MapsPutBack | None:
    """Where nobody keeps map entries."""
    return None


class Reconciler:
    """One host's guests. `wake` is set whenever another look is due."""

    def __init__(
        self,
        *,
        assembly: Assembly,
        reporter: Reporter,
        claim: Claim,
        boot_timeout: float,
        put_back: PutBack = nothing_to_put_back,
    ) -> None:
        self._put_back = put_back
        self._assembly = assembly
        self._reporter = reporter
        self._claim = claim
        self._boot_timeout = boot_timeout
        self._guests: dict[str, _Guest] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._causes: dict[str, Context] = {}
        self._revisions: Mapping[str, int] = {}
        self.wake = asyncio.Event()

    def caused(self, name: str, context: Context) -> None:
        """The next action on the guest belongs to this trace."""
        self._causes[name] = context

    def on_ended(self, ended: Ended) -> None:
        """A driver's news: a guest is gone. Late news of an earlier boot says nothing of the one that goes on."""
        guest = self._guest(ended.guest)
        if guest.boot_id not in (None, ended.boot_id):
            self.wake.set()
            return
        guest.ended.set()
        if guest.is_watched:
            guest.is_watched = False
            guest.untold = f"the guest {ended.reason}"
            if time.monotonic() - guest.ready_at > plan.STABLE_SECONDS:
                guest.failures = 0
            guest.has_failed()
        self.wake.set()

    async def look(
        self,
        desired: Mapping[str, GuestSpec],
        *,
        ended: Set[str] = frozenset(),
        seen: Set[str] = frozenset(),
        revisions: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Compare once, and start what is to be done; returns before it is done.

        `ended`: guests whose end is known; `seen`: those of which the bus has an observation by
        this host; `revisions`: which version of the desired state this is about.
        """
        self._revisions = revisions
        running = {item.guest: item for item in await self._assembly.running()}
        world = World(
            desired=desired,
            ended=ended,
            seen=seen,
            boots=self._assembly.boots(),
            unreadable=self._assembly.unreadable(),
            running={name: item.boot_id for name, item in running.items()},
            watched={name for name, guest in self._guests.items() if guest.is_watched},
            busy=set(self._tasks),
            hung={name for name in running if self._is_hung(name)},
            leaving=self._leaving(running),
            now=time.monotonic(),
        )
        waiting = {name: guest.not_before for name, guest in self._guests.items() if guest.spec == world.spec(name)}
        for action in plan.plan(replace(world, not_before=waiting)):
            work = self._apply(action, running.get(action.guest))
            task = asyncio.create_task(work, name=f"{action.kind} {action.guest}")
            self._tasks[action.guest] = task
            task.add_done_callback(partial(self._done, action.guest))

    async def fence(self, name: str) -> bool:
        """End a guest that another host may run by now; nothing is forgotten, for it may come back here.

        False: its machine is being worked on, or could not be ended; ask again.
        """
        guest, task = self._guest(name), self._tasks.get(name)
        if task is not None and not guest.is_telling:
            return False
        if task is not None:  # who cannot reach the bus would tell for as long as that lasts
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        guest.is_watched, guest.untold = False, "its lease could not be renewed, and another host may run it by now"
        logger.warning("guest `%s` is ended: %s", name, guest.untold)
        try:
            await self._assembly.stop(name)
        except DeployerError:
            logger.exception("guest `%s` could not be ended", name)
            return False
        return True

    async def finish(self) -> None:
        """Stop working; guests go on."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def next_due(self) -> float | None:
        """Monotonic time at which the nearest backoff ends."""
        now = time.monotonic()
        waiting = [guest.not_before for guest in self._guests.values() if guest.not_before > now]
        return min(waiting, default=None)

    def _is_hung(self, name: str) -> bool:
        """It answered in this boot, and does not any more: where nothing ever answered, another boot would not either."""
        liveness = self._liveness(name)
        return liveness is not None and liveness.answered and liveness.is_hung

    def _leaving(self, running: Mapping[str, Running]) -> dict[str, str]:
        """Why the present boot is to end, where the host's reconfigurer was asked for something that takes another one."""
        asked = {name: liveness.restart for name in running if (liveness := self._liveness(name)) is not None}
        return {name: reason for name, reason in asked.items() if reason is not None}

    def _liveness(self, name: str) -> Liveness | None:
        folder = self._assembly.folder(name)
        boot = folder.boot()
        return folder.liveness.read(boot.boot_id) if boot is not None else None

    def _done(self, name: str, _task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        self.wake.set()

    def _guest(self, name: str) -> _Guest:
        return self._guests.setdefault(name, _Guest())

    async def _apply(self, action: Action, running: Running | None) -> None:
        started = time.monotonic()
        outcome, detail = "done", ""
        self._guest(action.guest).is_telling = False
        try:
            cause = self._causes.pop(action.guest, None)
            with tracing.span(f"{action.kind} guest", parent=cause, attributes={"unibpf.guest": action.guest}):
                await self._do(action, running)
        except LeaseError as error:  # no failure: its new host reports on it, the next look ends what is left here
            outcome, detail = error.rule, str(error)
        except (DeployerError, BusError, OSError) as error:
            outcome, detail = getattr(error, "rule", type(error).__name__), str(error)
            await self._failed(action, error, goes_on=running is not None and not self._guest(action.guest).is_stopped)
        except Exception as error:
            outcome, detail = "bug", str(error)
            logger.exception("%s `%s` failed", action.kind, action.guest)
            await self._failed(action, error, goes_on=running is not None and not self._guest(action.guest).is_stopped)
        logger.info(
            "guest",
            extra={
                "guest": action.guest,
                "action": action.kind,
                "why": action.reason,
                "outcome": outcome,
                "detail": detail,
                "ms": round((time.monotonic() - started) * 1000, 1),
            },
        )

    async def _do(self, action: Action, running: Running | None) -> None:
        if action.spec is None:
            await self._delete(action.guest)
        elif action.kind == "adopt" and running is not None:
            await self._adopt(action.spec, running)
        else:
            if action.kind == "replace":
                await self._rehearse(action.spec)
            await self._boot(action.spec, restart=action.kind == "restart")

    async def _rehearse(self, spec: GuestSpec) -> None:
        """What never ran here has to become ready beside the old one, before that is ended."""
        if spec == self._assembly.folder(spec.guest).good_spec():
            return
        tried = rehearsal.name_of(spec.guest)
        guest = self._guest(spec.guest)
        guest.spec, guest.is_stopped = spec, False
        try:
            draft = await self._assembly.draft(spec)
            await self._assembly.rehearse(draft, self._guest(tried).ended, seconds=self._boot_timeout)
        finally:
            self._guests.pop(tried, None)

    async def _boot(self, spec: GuestSpec, *, restart: bool) -> None:
        guest = self._guest(spec.guest)
        guest.spec, guest.is_stopped = spec, False
        if restart and guest.untold is not None:
            await self._reporter.failed(spec, guest.untold)
        guest.untold = None
        draft = await self._assembly.draft(spec)  # before anything that runs is stopped: it may be refused
        guest.is_watched, guest.is_stopped = False, True
        await self._assembly.stop(spec.guest)
        guest.ended, guest.boot_id = asyncio.Event(), draft.machine.boot_id
        if not await self._claim(spec.guest):  # once more: what comes before this may take longer than a lease lasts
            raise LeaseError("lease", "another host took the guest while its boot was prepared")
        boot = await self._assembly.install(draft, is_restart=restart)
        await self._reporter.booting(boot)
        running = await self._assembly.start(draft.machine)
        await self._until_ready(boot, running)

    async def _adopt(self, spec: GuestSpec, running: Running) -> None:
        guest = self._guest(spec.guest)
        guest.spec = spec
        boot = self._assembly.folder(spec.guest).boot()
        if boot is not None:
            guest.boot_id = boot.boot_id
            await self._until_ready(boot, running)

    async def _until_ready(self, boot: Boot, running: Running) -> None:
        name = boot.spec.guest
        guest, folder = self._guest(name), self._assembly.folder(name)
        file = folder.console_file(boot.boot_id)
        try:
            async with asyncio.timeout(self._boot_timeout):
                ready = await console.wait_ready(file, guest.ended)
        except TimeoutError:
            await self._assembly.stop(name)
            words = console.read_last_words(file)
            raise BootError("not-ready", f"not ready after {self._boot_timeout:g} s; it said: {words}") from None
        if ready is None:
            raise _early_end(console.read_last_words(file))
        note_floors(folder, boot)
        folder.is_good(boot.spec)
        guest.ready_at, guest.is_telling = time.monotonic(), True
        await self._reporter.alarm(name, CHANGE, None)
        put_back = await self._put_back(folder, name)
        await self._reporter.running(boot, running, ready, put_back)
        await self._reporter.refused(name, folder.refused_spec())
        guest.is_watched = True  # last: what could not be reported is adopted, and so reported, at the next look

    async def _delete(self, name: str) -> None:
        guest = self._guest(name)
        guest.is_watched, guest.spec = False, None
        boot = self._assembly.folder(name).boot()
        await self._assembly.stop(name)
        self._assembly.forget(name)
        del self._guests[name]
        await self._reporter.stopped(name, boot)

    async def _failed(self, action: Action, error: Exception, *, goes_on: bool) -> None:
        """A new specification that fails where an earlier one worked is refused: the guest goes on, or comes back."""
        guest, spec, folder = self._guest(action.guest), action.spec, self._assembly.folder(action.guest)
        rule = getattr(error, "rule", type(error).__name__)
        good = folder.good_spec()
        if spec is not None and good is not None and good != spec and not is_passing(error):
            refusal = SpecRefusal(
                spec=spec_digest(spec), rule=rule, reason=str(error), revision=self._revisions.get(action.guest, 0)
            )
            folder.refuse_spec(refusal)
            await self._refused(action.guest, refusal)
            return
        guest.has_failed()
        if spec is None:
            return
        if goes_on:
            await self._told(self._reporter.alarm(spec.guest, CHANGE, f"{rule}: {error}"))
        else:
            await self._reporter.failed(spec, f"{rule}: {error}")

    async def _refused(self, name: str, refusal: SpecRefusal) -> None:
        logger.warning("the new specification of `%s` is refused: %s: %s", name, refusal.rule, refusal.reason)
        await self._told(self._reporter.refused(name, refusal))

    async def _told(self, telling: Awaitable[None]) -> None:
        """What could not be told now is told at the next look."""
        try:
            await telling
        except BusError as error:
            logger.warning("could not report: %s", error)


def is_passing(error: Exception) -> bool:
    """Whether the fault is in what was asked for, or only in what was there to carry it out."""
    return isinstance(error, BusError) or getattr(error, "is_passing", False)


def _early_end(words: str) -> DeployerError:
    what = f"the guest ended before it was ready; it said: {words}"
    return PortTaken("port", what) if is_port_taken(words) else BootError("ended", what)


def note_floors(folder: GuestFolder, boot: Boot) -> None:
    """What a ready guest booted with is active: it may not go back below that, not even by a reboot."""
    folder.raise_floor("", boot.graph_sequence)
    for element, release in boot.programs.items():
        folder.raise_floor(element, release.sequence)
