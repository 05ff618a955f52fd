"""What became of releases on the elements of one guest, kept on its host beside the floors.

"Newest signed" and "newest good" are two things: a release that the guest refused or rolled back stays signed and newest,
and is not what the guest boots with or is offered again. The choice (`choose`) is pure; `OutcomeFile` keeps the records
(`outcomes.json`, on the disk before anybody is told) and the bytes of the newest releases that were active
(`shelf/<envelope>.cbor`), so that a guest can boot while the bus is away or its store was lost.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from unibpf.formats import cbor
from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import SIGNED_BUNDLE_BYTES
from unibpf.host.private_file import write_private
from unibpf.messages.programs import Signed

ANY_ELEMENT: Final = "*"
UNREADABLE: Final = "outcomes.unreadable.json"
KEPT: Final = 16  # outcomes of one element; the newest good one is never forgotten
SHELVED: Final = 2  # releases of one element whose bytes are kept: what is active, and what was before
MAX_FILE_BYTES: Final = 4 << 20

State = Literal["active", "rolled_back", "refused"]


class Outcome(Struct, frozen=True, kw_only=True):
    """One release on one element. `rule` and `reason` say why it is not `active`; `at_us` is Unix microseconds.

    `untold`: it is not known whether the event about it was published: it is written first, and a service may die then.
    """

    release: Signed
    state: State
    rule: str | None = None
    reason: str | None = None
    at_us: int = 0
    untold: bool = False


Outcomes = Mapping[str, Sequence[Outcome]]


class Choice(Struct, frozen=True, kw_only=True):
    """What an element is to run: a release or nothing, and why it is not simply the newest one."""

    release: Signed | None
    why: str | None = None


def note(outcomes: Outcomes, element: str, outcome: Outcome) -> dict[str, list[Outcome]]:
    """The records with one more; an earlier one of the same envelope is replaced, the oldest go first."""
    others = [one for one in outcomes.get(element, ()) if one.release.envelope != outcome.release.envelope]
    rows = sorted([*others, outcome], key=lambda one: one.release.sequence)
    good = [one for one in rows if one.state == "active"][-1:]
    kept = rows[-KEPT:]
    kept = kept if not good or good[0] in kept else [*good, *kept[1:]]
    return {name: list(kept if name == element else rows_) for name, rows_ in {**outcomes, element: kept}.items()}


def told(outcomes: Outcomes, element: str, *, envelope: str, push_id: str) -> dict[str, list[Outcome]] | None:
    """The records once an event about that release, or about that push, was published; None where nothing changes."""
    rows = outcomes.get(element, ())
    after = [
        replace(one, untold=False)
        if one.untold and (one.release.envelope == envelope or (push_id and one.release.push_id == push_id))
        else one
        for one in rows
    ]
    return None if after == list(rows) else {name: list(rows_) for name, rows_ in {**outcomes, element: after}.items()}


def untold(outcomes: Outcomes, *, before_us: int) -> list[tuple[str, Outcome]]:
    """Element and record of what was written so long ago that whoever was to tell it has died, oldest first."""
    found = [(name, one) for name, rows in outcomes.items() for one in rows if one.untold and one.at_us < before_us]
    return sorted(found, key=lambda row: row[1].at_us)


def fault(outcomes: Outcomes, element: str, release: Signed) -> Outcome | None:
    """Why `release` is not to run on `element` again, if it is not."""
    for one in outcomes.get(element, ()):
        if one.release.envelope == release.envelope and one.state != "active":
            return one
    return None


def newest_good(outcomes: Outcomes, element: str, program: str) -> Signed | None:
    """The release of the highest sequence that was active there and stayed so."""
    good = [
        one.release for one in outcomes.get(element, ()) if one.state == "active" and one.release.program == program
    ]
    return max(good, key=lambda release: release.sequence, default=None)


def was_good(outcomes: Outcomes, element: str, release: Signed) -> bool:
    """Whether this very release was active there and stayed so."""
    return any(one.state == "active" and one.release.envelope == release.envelope for one in outcomes.get(element, ()))


def choose(outcomes: Outcomes, element: str, program: str, newest: Signed | None) -> Choice:
    """The newest release that applies to the element, unless it failed there; then the newest that was good there."""
    good = newest_good(outcomes, element, program)
    if newest is None:
        return Choice(release=good, why=None if good else f"`{program}` was never pushed for this guest's class")
    bad = fault(outcomes, element, newest)
    if bad is None:
        return Choice(release=newest if good is None or newest.sequence >= good.sequence else good)
    why = f"release {newest.sequence} of `{program}` was {_said(bad)}"
    return Choice(release=good, why=why if good else f"{why}, and no other was good here")


def newest_of(releases: Sequence[Signed | None]) -> Signed | None:
    """Of those for the element itself and those for any: the newest."""
    return max((one for one in releases if one is not None), key=lambda one: one.sequence, default=None)


def release_of(envelope: bytes, digest: str) -> Signed:
    """The release of an envelope whose event is not at hand; who pushed it is not in there. Raises EnvelopeError."""
    release = envelopes.parse(envelope).release
    if release.kind == "graph":
        raise envelopes.EnvelopeError("payload", "got a graph, expected a program")
    return Signed(
        push_id="",
        program=release.program,
        audience=release.audience,
        kind=release.kind,
        element=release.element,
        sequence=release.sequence,
        envelope=digest,
        bundle=release.bundle.hex(),
        policy="",
        identity="unknown",
        not_after=release.not_after,
    )


def _said(outcome: Outcome) -> str:
    words = {"refused": "refused here", "rolled_back": "rolled back here", "active": "active here"}[outcome.state]
    return f"{words} ({outcome.rule})" if outcome.rule else words


class OutcomeFile:
    """`outcomes.json` and `shelf/` in a guest's private folder. Reading gives what can be read: nothing is a command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "outcomes.json"
        self._shelf = folder / "shelf"

    def read(self) -> dict[str, list[Outcome]]:
        """All records; none where there is no file, or none that can be read."""
        try:
            with self._file.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_FILE_BYTES), type=dict[str, list[Outcome]])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}

    def alarm(self) -> str | None:
        """What somebody has to look at: records that cannot be read, here or put aside. What failed may be tried again."""
        aside = self._file.with_name(UNREADABLE)
        if aside.exists():
            return f"outcomes of releases can't be read and were put aside: `{aside}`; remove it when it was looked at"
        if self._is_readable():
            return None
        return f"outcomes of releases can't be read (written by a newer version?): `{self._file}`"

    def note(self, element: str, outcome: Outcome) -> None:
        """Add one record; on the disk when this returns."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            self._put_aside()
            write_private(self._file, msgspec.json.encode(note(self.read(), element, outcome)))

    def told(self, element: str, *, envelope: str, push_id: str) -> None:
        """Note that an event was published."""
        if not self._file.exists():
            return
        with self._locked():
            after = told(self.read(), element, envelope=envelope, push_id=push_id)
            if after is not None:
                write_private(self._file, msgspec.json.encode(after))

    def _is_readable(self) -> bool:
        """Whether nothing is lost by writing: there is no file, or one that was read."""
        try:
            return bool(self.read()) or self._file.read_bytes() == b"{}"
        except FileNotFoundError:
            return True

    def _put_aside(self) -> None:
        """Keep records that this version cannot read: a newer one may have written them."""
        if not self._is_readable():
            self._file.replace(self._file.with_name(UNREADABLE))

    def shelve(self, release: Signed, envelope: bytes, bundle: bytes) -> None:
        """Keep the bytes of a release that became active; what no element needs any more goes."""
        self._shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._shelf / f"{release.envelope}.cbor", cbor.encode([envelope, bundle]))
        wanted = {one.release.envelope for rows in self.read().values() for one in _active(rows)[-SHELVED:]}
        for file in self._shelf.glob("*.cbor"):
            if file.stem not in wanted | {release.envelope}:
                file.unlink(missing_ok=True)

    def take(self, release: Signed) -> tuple[bytes, bytes] | None:
        """Envelope and bundle of a release, where they were kept."""
        try:
            with (self._shelf / f"{release.envelope}.cbor").open("rb") as file:
                item = cbor.decode(file.read(SIGNED_BUNDLE_BYTES + 1), max_bytes=SIGNED_BUNDLE_BYTES)
        except (FileNotFoundError, cbor.CborError):
            return None
        match item:
            case [bytes() as envelope, bytes() as bundle]:
                return envelope, bundle
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _active(rows: Sequence[Outcome]) -> list[Outcome]:
    return sorted((one for one in rows if one.state == "active"), key=lambda one: one.release.sequence)
