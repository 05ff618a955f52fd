"""Whether a guest answers on its control channel: the host's reconfigurer notes it, its deployer reads it.

`liveness.json` in the guest's folder is about one boot. It is written at the first answer, at each question without an answer,
and at the next answer after those; so a host of guests that answer writes nothing.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from unibpf.host.private_file import write_private

HUNG_TRIES: Final = 3  # questions without an answer, one after the other, each as long as a whole exchange may take


class Liveness(Struct, frozen=True, kw_only=True):
    """`silent`: questions since the last answer; `since_us`: when the first of them was given up (Unix microseconds).

    `restart`: why this boot is to end and another one is to follow, where somebody asked for that.
    """

    boot_id: str
    answered: bool = False
    silent: int = 0
    since_us: int = 0
    restart: str | None = None

    @property
    def is_hung(self) -> bool:
        """It did not answer for long enough to say so."""
        return self.silent >= HUNG_TRIES

    def heard(self) -> "Liveness":
        """After an answer."""
        return Liveness(boot_id=self.boot_id, answered=True, restart=self.restart)

    def missed(self, now_us: int) -> "Liveness":
        """After a question without an answer."""
        since = self.since_us or now_us
        return msgspec.structs.replace(self, silent=self.silent + 1, since_us=since)


class LivenessFile:
    """`liveness.json` of one guest. What cannot be read counts as nothing known."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "liveness.json"

    def read(self, boot_id: str) -> Liveness:
        """What is known of that boot."""
        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=Liveness)
        except (OSError, msgspec.MsgspecError):
            found = None
        return found if found is not None and found.boot_id == boot_id else Liveness(boot_id=boot_id)

    def note(self, boot_id: str, *, answered: bool, now_us: int) -> None:
        """Write what one question showed, where it is news."""
        before = self.read(boot_id)
        self._write(before, before.heard() if answered else before.missed(now_us))

    def ask_restart(self, boot_id: str, reason: str) -> None:
        """Have the deployer end this boot and begin another."""
        before = self.read(boot_id)
        self._write(before, msgspec.structs.replace(before, restart=reason))

    def _write(self, before: Liveness, after: Liveness) -> None:
        if after != before and self._file.parent.is_dir():
            write_private(self._file, msgspec.json.encode(after))
