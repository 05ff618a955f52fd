"""Restarts the embedded server when it goes on refusing writes although its disk has room again.

A stream whose write found the disk full keeps that error: nats-server refuses every later message of it, also once there is
room, until it is started again. Each refusal is a line in its log. One that is written while there is room, and was before,
is what nothing but a restart ends; what was acknowledged is on the disk (`sync_interval: always`).
"""

import asyncio
import logging
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 3.0
ROOM_BYTES: Final = 32 << 20
READ_BYTES: Final = 1 << 20  # of new log lines in one look
_REFUSED: Final = re.compile(rb"failed to store a msg on stream[^\n]*(no space left on device|disk quota exceeded)")


class ServerWatch:
    """Looks at one server's log and disk; `restart` ends the server, its supervisor starts it again."""

    def __init__(
        self, *, log: Path, store: Path, restart: Callable[[], Awaitable[None]], room_bytes: int = ROOM_BYTES
    ) -> None:
        self._log = log
        self._store = store
        self._restart = restart
        self._room_bytes = room_bytes
        self._read_up_to = log.stat().st_size if log.exists() else 0
        self._had_room = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self.look()
            except OSError as error:
                logger.warning("log or disk of the server can't be looked at: %s", error)

    async def look(self) -> bool:
        """One look; whether the server was restarted."""
        has_refused = _REFUSED.search(self._new_lines()) is not None
        has_room = shutil.disk_usage(self._store).free >= self._room_bytes
        is_stuck, self._had_room = has_refused and has_room and self._had_room, has_room
        if is_stuck:
            logger.warning("the server refuses writes although its disk has room again: it is restarted")
            self._had_room = False
            await self._restart()
        return is_stuck

    def _new_lines(self) -> bytes:
        """What the log has more than at the last look, as far as that is not too much; a log that began anew is read anew."""
        size = self._log.stat().st_size if self._log.exists() else 0
        start = self._read_up_to if self._read_up_to <= size else 0
        self._read_up_to = size
        if size == start:
            return b""
        with self._log.open("rb") as file:
            file.seek(max(start, size - READ_BYTES))
            return file.read(READ_BYTES)
