"""What the signers of this host have signed, in a file of the host: the barrier against replays that no bus can lower.

One line a record, appended under a lock and on the disk before the token is asked; several signers of one host share the
file. A push is known by its number and its time, which the verifier signs: an old verdict, published again, meets the
release that it had. What was pushed before `closed_ms` and is not here was signed once and forgotten, or belongs to another
ledger: it is not signed (push it again).

A number that this host really signed and that is too far ahead of the clock can only be left behind by an operator (`recover`).
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from unibpf.host.private_file import write_private
from unibpf.messages.programs import Probation

# Numbers of one second of the clock: more than any program is pushed in one. With less, numbers would run ahead of the clock
# under load, until MAX_AHEAD ends all updates.
TICKS: Final = 1000
MAX_AHEAD: Final = 30 * 86400 * TICKS  # that a sequence may be ahead of the clock
GRACE_MS: Final = 10 * 60 * 1000  # a push may wait that long for the first signer of a host
FIRST_BYTES: Final = 256
KEPT: Final = 50_000  # records; more than twice as many are shortened to that


class Row(Struct, frozen=True, kw_only=True):
    """One push, or one text of a graph: what it is signed as. `envelope` is empty until it is."""

    push: str
    pushed_ms: int
    object: str
    counter: str
    element: str
    sequence: int
    bundle: str
    policy: str
    not_after: int | None = None
    probation: Probation | None = None
    envelope: str = ""


class _Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row, the envelope of an earlier one, the highest number of a counter, its recovery, or where the file begins."""

    row: Row | None = None
    fulfilled: tuple[str, int, str] | None = None
    highest: tuple[str, int] | None = None
    recovered: tuple[str, int] | None = None
    closed_ms: int | None = None
    file: str | None = None  # a random name: a file that took the place of another is told apart by its first line


class LedgerError(Exception):
    """The file cannot be read or written: nothing is signed without it."""


class Ledger:
    """The file, and what it says. What writes may be repeated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f".{path.name}.lock")
        self._first, self._seen = b"", 0  # the first line, and how much was read
        self._rows: dict[tuple[str, int], Row] = {}
        self._newest: dict[tuple[str, str], Row] = {}
        self._highest: dict[str, int] = {}
        self._recovered: dict[str, int] = {}
        self._closed_ms = 0

    @classmethod
    def open(cls, path: Path, *, now_ms: int) -> "Ledger":
        """Read the file; one that is new begins now."""
        ledger = cls(path)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ledger._locked():
            if not path.exists():
                write_private(path, _encoded(_beginning(max(0, now_ms - GRACE_MS))))
            ledger._refresh()
        return ledger

    def find(self, push: str, pushed_ms: int) -> Row | None:
        """What a push was signed as, by any signer of this host."""
        with self._locked():
            self._refresh()
        return self._rows.get((push, pushed_ms))

    def newest(self, counter: str, element: str) -> Row | None:
        """The row of the highest number of a counter for an element that has its envelope; as of the last look."""
        return self._newest.get((counter, element))

    def newest_rows(self) -> list[Row]:
        """The newest row of each counter and element."""
        with self._locked():
            self._refresh()
        return list(self._newest.values())

    def highest(self, counter: str) -> int:
        """The highest number that was signed, or recovered; as of the last look."""
        return self._highest.get(counter, 0)

    def recovered(self, counter: str) -> int:
        """From where an operator lets a counter go on; 0: from where the clock says."""
        return self._recovered.get(counter, 0)

    @property
    def closed_ms(self) -> int:
        """What was pushed before that and is not here is not signed."""
        return self._closed_ms

    def note(self, row: Row) -> Row:
        """Write `row` down, unless that push is here already: what stands is returned."""
        with self._locked():
            self._refresh()
            known = self._rows.get((row.push, row.pushed_ms))
            if known is not None:
                return known
            self._append(_Line(row=row))
            if len(self._rows) > 2 * KEPT:
                self._shorten()
        return row

    def fulfil(self, row: Row, envelope: str) -> Row:
        """Note the envelope of `row`; the first one noted stays. Lost by a power cut, it is signed again, as the same."""
        with self._locked():
            self._refresh()
            known = self._rows.get((row.push, row.pushed_ms), row)
            if known.envelope:
                return known
            self._append(_Line(fulfilled=(row.push, row.pushed_ms, envelope)), waits=False)
        return msgspec.structs.replace(row, envelope=envelope)

    def recover(self, counter: str, sequence: int) -> None:
        """An operator's word: the next number of `counter` is above `sequence`, however far ahead of the clock that is."""
        with self._locked():
            self._refresh()
            self._append(_Line(recovered=(counter, sequence)))

    async def lacking(self) -> str | None:
        """Why nothing can be written down, or None."""
        try:
            with self._locked():
                self._refresh()
        except LedgerError as error:
            return str(error)
        return None

    def counters(self) -> dict[str, int]:
        """The highest number of each counter."""
        with self._locked():
            self._refresh()
        return dict(self._highest)

    def _append(self, line: _Line, *, waits: bool = True) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(_encoded(line))
                file.flush()
                if waits:
                    os.fsync(file.fileno())
        except OSError as error:
            raise LedgerError(f"the ledger `{self._path}` cannot be written: {error.strerror}") from error
        self._refresh()

    def _refresh(self) -> None:
        """Read what others have appended; all of it where the file is another one."""
        try:
            with self._path.open("rb") as file:
                first = file.readline(FIRST_BYTES)
                if first != self._first or os.fstat(file.fileno()).st_size < self._seen:
                    self._forget()
                    self._first, self._seen = first, 0
                self._seen = self._read(file)
        except OSError as error:
            raise LedgerError(f"the ledger `{self._path}` cannot be read: {error.strerror}") from error

    def _read(self, file: IO[bytes]) -> int:
        """What is new; a line that a crash cut short was not acted upon, and goes."""
        at = file.seek(self._seen)
        for line in file:
            if not line.endswith(b"\n"):
                os.truncate(self._path, at)
                break
            at += len(line)
            try:
                self._take(msgspec.json.decode(line, type=_Line))
            except msgspec.MsgspecError as error:
                raise LedgerError(f"the ledger `{self._path}` is spoilt before byte {at}: {error}") from error
        return at

    def _take(self, line: _Line) -> None:
        if line.row is not None:
            self._rows[line.row.push, line.row.pushed_ms] = line.row
            self._raise(line.row.counter, line.row.sequence)
            self._take_newest(line.row)
        if line.fulfilled is not None:
            push, pushed_ms, envelope = line.fulfilled
            known = self._rows.get((push, pushed_ms))
            if known is not None and not known.envelope:
                row = self._rows[push, pushed_ms] = msgspec.structs.replace(known, envelope=envelope)
                self._take_newest(row)
        if line.highest is not None:
            self._raise(*line.highest)
        if line.recovered is not None:
            counter, sequence = line.recovered
            self._recovered[counter] = sequence
            self._raise(counter, sequence)
        if line.closed_ms is not None:
            self._closed_ms = max(self._closed_ms, line.closed_ms)

    def _take_newest(self, row: Row) -> None:
        known = self._newest.get((row.counter, row.element))
        if row.envelope and (known is None or row.sequence >= known.sequence):
            self._newest[row.counter, row.element] = row

    def _raise(self, counter: str, sequence: int) -> None:
        self._highest[counter] = max(sequence, self._highest.get(counter, 0))

    def _shorten(self) -> None:
        """Forget the oldest records: pushes of their time are closed."""
        rows = list(self._rows.values())
        gone, kept = rows[:-KEPT], rows[-KEPT:]
        closed = max([self._closed_ms, *(row.pushed_ms + 1 for row in gone)])
        newest = set(self._newest.values())
        lines = [_beginning(closed), *(_Line(highest=pair) for pair in self._highest.items())]
        lines += [_Line(recovered=pair) for pair in self._recovered.items()]
        lines += [_Line(row=row) for row in gone if row in newest] + [_Line(row=row) for row in kept]
        write_private(self._path, b"".join(map(_encoded, lines)))
        self._refresh()

    def _forget(self) -> None:
        for known in (self._rows, self._newest, self._highest, self._recovered):
            known.clear()
        self._closed_ms = 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._lock.open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise LedgerError(f"the ledger `{self._path}` cannot be locked: {error.strerror}") from error


def _beginning(closed_ms: int) -> _Line:
    return _Line(closed_ms=closed_ms, file=secrets.token_hex(8))


def _encoded(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"
