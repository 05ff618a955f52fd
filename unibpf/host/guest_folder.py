"""The private folder of one guest, `<state>/guests/<guest>`: what deployer and reconfigurer of one host share.

It holds the guest's seed, so everything in it is readable by its owner only and none of it ever goes to the bus.
- `boot.json` (Boot) describes the boot that was started last; it is replaced as a whole before the guest starts, so a
  reader sees one boot or the next, never a mixture. The deployer writes it.
- `floors.json` maps an element to the highest sequence that ever was active there; `""` is the graph's. It only rises, and
  is on the disk before anyone is told `active` (design 5). Reconfigurer and deployer write it, under a file lock.
- `outcomes.json` and `shelf/` say what became of releases here (outcomes.py). The reconfigurer writes them.
- `good-spec.json` is the specification that the guest was last ready with, `refused-spec.json` the one that failed where
  that one works. The deployer writes them.
- `liveness.json` says whether the guest answers (liveness.py). The reconfigurer writes it.
- `maps.json` says which desired map entries are in the maps of this boot (put_back.py). The reconfigurer writes it.
- `image-<boot>.cbor` and `console-<boot>.log` belong to one boot; `console-<boot>.before.log` has the end of what the latter
  held before it was too long.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from unibpf.host.liveness import LivenessFile
from unibpf.host.outcomes import OutcomeFile
from unibpf.host.private_file import write_private
from unibpf.host.put_back import PutBackFile
from unibpf.messages.guests import GuestSpec, SpecRefusal
from unibpf.messages.programs import Signed

_BOOT: Final = "boot.json"
_FLOORS: Final = "floors.json"
_GOOD: Final = "good-spec.json"
_REFUSED: Final = "refused-spec.json"
_KEPT: Final = frozenset({_FLOORS, "outcomes.json"})

T = TypeVar("T")


class FirstRelease(Struct, frozen=True, kw_only=True):
    """What an element booted with."""

    program: str
    sequence: int
    envelope: str


class Boot(Struct, frozen=True, kw_only=True):
    """One boot. `boot_id` is also the UUID of the VM; `control` is host:port of the CoAP channel; times are Unix us.

    `programs` and `releases` say what elements booted with (older records have no `releases`), `lacking` which elements
    booted without a program, and why.
    """

    boot_id: str
    spec: GuestSpec
    seed: bytes
    machine: str
    accel: str
    control: str
    started_us: int
    networks: dict[str, str] = {}
    programs: dict[str, FirstRelease] = {}
    releases: dict[str, Signed] = {}
    lacking: dict[str, str] = {}
    graph_digest: str = ""
    graph_sequence: int = 0
    restarts: int = 0

    def __repr__(self) -> str:
        return f"Boot(guest={self.spec.guest!r}, boot_id={self.boot_id!r}, control={self.control!r})"


class GuestFolder:
    """Reads and writes one guest's folder."""

    def __init__(self, guests: Path, guest: str) -> None:
        self.path = guests / guest

    def create(self) -> None:
        """Make the folder, for its owner only."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def image_file(self, boot_id: str) -> Path:
        """The boot image of one boot: the VM's initrd."""
        return self.path / f"image-{boot_id}.cbor"

    def console_file(self, boot_id: str) -> Path:
        """What the guest printed in one boot."""
        return self.path / f"console-{boot_id}.log"

    @property
    def outcomes(self) -> OutcomeFile:
        """What became of releases on this guest."""
        return OutcomeFile(self.path)

    @property
    def liveness(self) -> LivenessFile:
        """Whether the guest answers."""
        return LivenessFile(self.path)

    @property
    def put_back(self) -> PutBackFile:
        """Which desired map entries are in its maps."""
        return PutBackFile(self.path)

    def boot(self) -> Boot | None:
        """The boot started last, if there is one that can be read."""
        return self._read(_BOOT, Boot)

    def is_unreadable(self) -> bool:
        """Whether there is a record of a boot that this version cannot read: whose it is, is not for us to end."""
        return self.boot() is None and (self.path / _BOOT).exists()

    def good_spec(self) -> GuestSpec | None:
        """The specification that the guest was last ready with."""
        return self._read(_GOOD, GuestSpec)

    def refused_spec(self) -> SpecRefusal | None:
        """The specification that failed where `good_spec` works."""
        return self._read(_REFUSED, SpecRefusal)

    def is_good(self, spec: GuestSpec) -> None:
        """Note that the guest is ready with `spec`."""
        if self.good_spec() != spec:
            write_private(self.path / _GOOD, msgspec.json.encode(spec))

    def refuse_spec(self, refusal: SpecRefusal | None) -> None:
        """Note that a specification failed; None: it is not held against it any more."""
        self.create()
        if refusal is None:
            (self.path / _REFUSED).unlink(missing_ok=True)
        else:
            write_private(self.path / _REFUSED, msgspec.json.encode(refusal))

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode((self.path / name).read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def write_boot(self, boot: Boot, image: bytes) -> None:
        """Make `boot` the last one; files of the boots before it go."""
        self.create()
        write_private(self.image_file(boot.boot_id), image)
        self.console_file(boot.boot_id).touch(mode=0o600)
        write_private(self.path / _BOOT, msgspec.json.encode(boot))
        keep = {self.image_file(boot.boot_id), self.console_file(boot.boot_id)}  # of a new boot: there is no more yet
        for old in [*self.path.glob("image-*.cbor"), *self.path.glob("console-*.log")]:
            if old not in keep:
                old.unlink(missing_ok=True)

    def floors(self) -> dict[str, int]:
        """Highest sequence that was ever active, by element."""
        try:
            return msgspec.json.decode((self.path / _FLOORS).read_bytes(), type=dict[str, int])
        except FileNotFoundError:
            return {}

    def raise_floor(self, element: str, sequence: int) -> None:
        """Note that `sequence` is active on `element`; on the disk when this returns. A lower one changes nothing."""
        self.create()
        with self._locked():
            floors = self.floors()
            if sequence > floors.get(element, 0):
                write_private(self.path / _FLOORS, msgspec.json.encode(floors | {element: sequence}))

    def remove(self) -> None:
        """Forget the boots of a deleted guest; floors and outcomes stay, for a guest of the same name may come back."""
        shutil.rmtree(self.path / "shelf", ignore_errors=True)
        for file in self.path.glob("*"):
            if file.name not in _KEPT and not file.is_dir():
                file.unlink(missing_ok=True)
        if not self.floors():
            shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.path / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def unreadable_boots(guests: Path) -> set[str]:
    """The guests that have a record of a boot that cannot be read."""
    folders = [entry for entry in guests.glob("*") if entry.is_dir()]
    return {entry.name for entry in folders if GuestFolder(guests, entry.name).is_unreadable()}


def all_boots(guests: Path) -> dict[str, Boot]:
    """The last boot of every guest of this host."""
    folders = [entry for entry in guests.glob("*") if entry.is_dir()]
    boots = {entry.name: GuestFolder(guests, entry.name).boot() for entry in folders}
    return {guest: boot for guest, boot in boots.items() if boot is not None}
