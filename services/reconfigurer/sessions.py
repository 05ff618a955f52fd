"""The channel to each guest of this host, with the keys of its present boot."""

import time
from urllib.parse import quote

from services.reconfigurer.errors import GuestUnknown
from services.reconfigurer.guest_session import Exchange, GuestSession
from unibpf.formats import control_mac
from unibpf.host.guest_folder import Boot, GuestFolder
from unibpf.host.settings import StatePaths


class Sessions:
    """A session a boot: a guest that booted again is talked to with its new keys."""

    def __init__(self, *, paths: StatePaths, exchange: Exchange) -> None:
        self._guests = paths.guests
        self._exchange = exchange
        self._sessions: dict[str, tuple[str, GuestSession]] = {}

    def folder(self, guest: str) -> GuestFolder:
        """The guest's private folder."""
        return GuestFolder(self._guests, guest)

    def boot(self, guest: str) -> Boot:
        """The guest's last boot; raises GuestUnknown."""
        boot = self.folder(guest).boot()
        if boot is None:
            raise GuestUnknown("guest", f"this host has no guest `{guest}`")
        return boot

    def of(self, guest: str) -> GuestSession:
        """The session of the guest's last boot."""
        boot = self.boot(guest)
        known = self._sessions.get(guest)
        if known is not None and known[0] == boot.boot_id:
            return known[1]
        keys = control_mac.derive(guest, boot.seed)
        session = GuestSession(
            address=boot.control, keys=keys, exchange=self._exchange, now_us=lambda: time.time_ns() // 1000
        )
        self._sessions[guest] = (boot.boot_id, session)
        return session


def map_path(element: str, name: str) -> str:
    """The map's resource."""
    return f"/elements/{element}/maps/{quote(name)}"
