"""The rim of `unibpf map`: unibpf.client.maps asks, unibpf.formats.map_words reads and writes keys and values."""

import json as json_text
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from unibpf import tracing
from unibpf.cli.output import Exit, emit_json, emit_table, fail, progress
from unibpf.cli.session import run
from unibpf.client.maps import Changed, Dump, MapError, NoProgramError, View, view
from unibpf.client.session import open_bus
from unibpf.formats import layout, map_words
from unibpf.formats.map_forms import Words
from unibpf.formats.map_words import WordError

T = TypeVar("T")


def rows_to_set(words: Sequence[str], file: Path | None) -> Callable[[], list[Words]]:
    """What `map set` was told, read when called: KEY VALUE or a JSON file; raises MapError, WordError."""

    def read() -> list[Words]:
        if (len(words), file is None) not in {(2, True), (0, False)}:
            raise MapError("the entries are missing", "give KEY and VALUE, or `--file entries.json`")
        if file is None:
            return [(map_words.read_word(words[0]), map_words.read_word(words[1]))]
        try:
            return map_words.read_changes(json_text.loads(file.read_bytes()))
        except (OSError, ValueError) as error:
            raise WordError(f"`{file}`: {error}") from error

    return read


def run_on(guest: str, element: str, name: str, work: Callable[[View], Coroutine[Any, Any, T]]) -> T:
    """Run `work` on a map; what is wrong becomes a message and an exit code."""

    async def found() -> T:
        async with open_bus() as bus:
            with tracing.span(f"map {guest}/{element}/{name}"):
                seen = await view(bus, guest, element, name)
                if seen.problem is not None:
                    progress(f"values are bytes here, their layout is not known: {seen.problem}")
                return await _with_notes(work(seen))

    try:
        return run(found())
    except NoProgramError as error:
        fail(Exit.REFUSED, str(error), error.hint)
    except MapError as error:
        fail(Exit.USAGE, str(error), error.hint, rule="not-found")
    except WordError as error:
        fail(Exit.USAGE, str(error), error.hint, rule="words")


async def _with_notes(work: Coroutine[Any, Any, T]) -> T:
    """Say what an exception's notes say, before it becomes the last message."""
    try:
        return await work
    except Exception as error:
        for note in getattr(error, "__notes__", ()):
            progress(note)
        raise


def print_dump(dump: Dump, *, json: bool) -> None:
    """Entries on stdout."""
    if json:
        emit_json(dump)
        return
    if dump.position is not None:
        emit_table(("record",), [(f"hex:{entry.value}",) for entry in dump.entries])
        progress(f"{dump.lost} records lost; `--received {dump.position}` gives the next ones and forgets these")
        return
    shape = layout.parse(dump.layout) if dump.layout is not None else None
    keys = layout.parse(dump.key_layout) if dump.key_layout is not None else None
    rows = [
        (map_words.shown_key(entry.key, dump.type, keys), map_words.shown_value(entry.value, shape))
        for entry in dump.entries
    ]
    emit_table(("key", "value"), rows)


async def print_records(view: View, *, json: bool) -> None:
    """A ring's records on stdout, one a line, each printed before the guest is told that it may forget it."""
    lost = 0
    async for page in view.drain():
        for _, record in page.entries:
            print(json_text.dumps({"record": record}) if json else f"hex:{record}")
        sys.stdout.flush()
        lost = page.lost
    if lost:
        progress(f"{lost} records were lost since the ring was made: it was full")


def print_changed(changed: Changed, *, json: bool) -> None:
    """How far it came, and the exit code that says so."""
    made = f"{changed.applied} of {changed.changes} changes made, {changed.entries} entries in `{changed.map}`"
    kept = "" if changed.kept is None else f", {changed.kept} are put back after every boot"
    progress(f"{made}{kept}  trace {changed.trace_id}")
    if changed.failed is not None:
        reason = f"the guest refused key `hex:{changed.failed}` with {changed.errno_name}"
        fail(
            Exit.REFUSED,
            reason,
            "what was changed before it stays, none after it was tried",
            rule=changed.errno_name,
            result=changed,
        )
    if json:
        emit_json(changed)
