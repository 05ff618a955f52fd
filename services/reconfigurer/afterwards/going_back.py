"""Back to the release before, when somebody asks: what the guest has loaded beside the running one, else by another boot.

After a reboot a guest has one program an element, and takes nothing older than it: its host has the older release in its
files. The release that is to go is noted as rolled back there, so the next boot takes the newest other good one
(unibpf/host/outcomes.py), and the deployer is asked for that boot. What a guest left or refused is told on the bus too
(KV `unibpf-setbacks`): pushed again, the same bytes become a new release, which is tried.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from services.reconfigurer.errors import GuestRefused, GuestUnreachable
from services.reconfigurer.plan import Target
from services.reconfigurer.queries import inspection
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.updater import ASKED, Updater
from unibpf.bus import Bus, BusError
from unibpf.bus.topology import SETBACKS
from unibpf.host.outcomes import Outcome
from unibpf.messages.elements import ElementEvent
from unibpf.messages.programs import Setback, Signed
from unibpf.messages.status import ElementStatus

logger = logging.getLogger(__name__)

NOTHING_PREVIOUS: Final = "nothing-previous"  # the guest's rule (guest/bpf/slot.cpp)
BOOT_SECONDS: Final = 17.0  # less than the command waits
PAUSE_SECONDS: Final = 0.1


class Setbacks:
    """What failed somewhere, on the bus. What could not be told now is told by a later comparison."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._told: set[str] = set()

    async def tell(self, guest: str, element: str, outcome: Outcome) -> None:
        """Once a release and process."""
        envelope = outcome.release.envelope
        if outcome.state == "active" or envelope in self._told:
            return
        wanted = Setback(guest=guest, element=element, state=outcome.state, at_us=outcome.at_us)
        try:
            bucket = await self._bus.kv(SETBACKS)
            await bucket.change(envelope, lambda entry: wanted if entry is None else None)
        except BusError as error:
            logger.warning("that release %s failed on `%s` is told later: %s", outcome.release.sequence, guest, error)
            return
        self._told.add(envelope)


class GoingBack:
    """Roll-backs that are asked for."""

    def __init__(self, *, sessions: Sessions, updater: Updater) -> None:
        self._sessions = sessions
        self._updater = updater

    async def roll_back(self, target: Target) -> ElementEvent:
        """Raises GuestRefused where there is nothing to go back to, GuestUnreachable where the end is not known."""
        try:
            return await self._updater.roll_back(target)
        except GuestRefused as refused:
            if refused.rule != NOTHING_PREVIOUS:
                raise
            return await self._by_boot(target, refused)

    async def _by_boot(self, target: Target, refused: GuestRefused) -> ElementEvent:
        folder, boot = self._sessions.folder(target.guest), self._sessions.boot(target.guest)
        running = await self._element(target)
        rows = folder.outcomes.read().get(target.element, [])
        older = older_good(rows, running) if running is not None else None
        known = [*(one.release for one in rows), *boot.releases.values()]
        left = next((one for one in known if running is not None and one.envelope == running.envelope), None)
        if running is None or older is None or left is None:
            raise refused
        now = time.time_ns() // 1000
        await self._updater.note(
            target, Outcome(release=left, state="rolled_back", rule="asked", reason=ASKED, at_us=now, untold=True)
        )
        reason = f"somebody asked to go back to release {older.sequence} on `{target.element}`"
        await asyncio.to_thread(folder.liveness.ask_restart, boot.boot_id, reason)
        await self._until(target, boot.boot_id, older)
        return ElementEvent(
            guest=target.guest,
            element=target.element,
            state="rolled_back",
            program=older.program,
            sequence=older.sequence,
            envelope=older.envelope,
            push_id=left.push_id,
            rule="asked",
            reason=f"{ASKED}; no earlier program was loaded, so the guest was booted anew with release {older.sequence}",
        )

    async def _until(self, target: Target, boot_id: str, older: Signed) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            await asyncio.sleep(PAUSE_SECONDS)
            if self._sessions.boot(target.guest).boot_id == boot_id:
                continue
            try:
                found = await self._element(target)
            except GuestUnreachable:
                continue
            if found is not None and found.envelope == older.envelope:
                return
        raise GuestUnreachable(
            "unreachable", f"`{target.guest}` is to boot with release {older.sequence}, and was not seen to yet"
        )

    async def _element(self, target: Target) -> ElementStatus | None:
        elements = (await inspection.status(self._sessions, target.guest)).elements
        return next((one for one in elements if one.name == target.element), None)


def older_good(rows: Sequence[Outcome], running: ElementStatus) -> Signed | None:
    """The newest release of the same program that was good there before the running one."""
    good = [
        one.release
        for one in rows
        if one.state == "active"
        and one.release.program == running.program
        and one.release.sequence < (running.sequence or 0)
    ]
    return max(good, key=lambda one: one.sequence, default=None)
