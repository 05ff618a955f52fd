"""Which desired map entries are in the maps of a guest's present boot: its reconfigurer writes it, its deployer reads it.

`maps.json` also has a copy of what was desired, so that a guest whose store was lost boots with its entries all the same.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from unibpf.host.private_file import write_private
from unibpf.messages.desired_maps import MAX_PROBLEMS, DesiredMaps, MapsPutBack

MAX_FILE_BYTES: Final = 8 << 20


class MapRecord(Struct, frozen=True, kw_only=True):
    """One map: the digest of the rows that were asked for, the program (envelope) in whose map they are, and which they are.

    `entries` are key and value in hex; `wanted` counts those that should be there, `problem` says why others are not.
    """

    element: str
    map: str
    rows: str
    wanted: int
    envelope: str = ""
    entries: list[tuple[str, str]] = []
    problem: str | None = None


class PutBackRecord(Struct, frozen=True, kw_only=True):
    """All maps of one boot; `problem` is about the record of what is desired."""

    boot_id: str = ""
    desired: DesiredMaps = DesiredMaps()
    revision: int = 0
    maps: list[MapRecord] = []
    problem: str | None = None

    def of(self, element: str, name: str) -> MapRecord | None:
        """What is known of one map."""
        return next((one for one in self.maps if (one.element, one.map) == (element, name)), None)

    def answer(self) -> MapsPutBack:
        """Counted, for people."""
        problems = [text for text in (self.problem, *(one.problem for one in self.maps)) if text is not None]
        left = len(problems) - MAX_PROBLEMS
        shown = [*problems[: MAX_PROBLEMS - 1], f"{left + 1} more"] if left > 0 else problems
        return MapsPutBack(
            desired=sum(one.wanted for one in self.maps),
            put_back=sum(len(one.entries) for one in self.maps),
            revision=self.revision,
            problems=shown,
        )


class PutBackFile:
    """`maps.json` of one guest. What cannot be read counts as nothing known."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "maps.json"

    def read(self) -> PutBackRecord | None:
        """What was written last, of whichever boot."""
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_FILE_BYTES), type=PutBackRecord)
        except (OSError, msgspec.MsgspecError):
            return None

    def of_boot(self, boot_id: str) -> MapsPutBack | None:
        """How far it came in that boot; None where nothing was tried."""
        found = self.read()
        return found.answer() if found is not None and found.boot_id == boot_id else None

    def write(self, record: PutBackRecord) -> None:
        """Replace it, where it is news and the guest is still there."""
        if self._file.parent.is_dir() and record != self.read():
            write_private(self._file, msgspec.json.encode(record))
