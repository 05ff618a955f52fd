"""A program file of a command line: an object as it is, or C that is compiled first."""

import re
from collections.abc import Sequence
from pathlib import Path

from unibpf.cli.output import Exit, fail
from unibpf.client.push import read_object
from unibpf.messages.programs import MapWish, Probation
from unibpf.push import loading
from unibpf.push.compile import CompileError, compile_c
from unibpf.push.loading import Loading
from unibpf.push.upload import read_probation, read_wishes

_NAME = re.compile(r"[^a-z0-9_-]+")


def default_program_name(path: Path) -> str:
    """The file's stem; the folder's name for `program.c`, `program_v2.c`: a function's folder is its name."""
    stem = path.resolve().parent.name if re.fullmatch(r"program(_.*)?", path.stem) else path.stem
    return _NAME.sub("-", stem.lower()).strip("-_")[:48]


def load_object(path: Path, defines: Sequence[str]) -> bytes:
    """The object's bytes, or the end of the command with a message."""
    try:
        return compile_c(path, defines=defines) if path.suffix == ".c" else read_object(path)
    except CompileError as error:
        fail(Exit.USAGE, f"`{path}` does not compile:\n{error}", error.hint, rule="compile")
    except ValueError as error:
        fail(Exit.USAGE, str(error), rule="file")


def parsed_loading(**words: Sequence[str] | None) -> Loading:
    """What `--tail`, `--const`, `--max-entries` and `--inner` say, by field, or the end of the command with a message."""
    try:
        return loading.read({field: found or () for field, found in words.items()})
    except ValueError as error:
        fail(Exit.USAGE, str(error))


def parsed_probation(words: str | None) -> Probation | None:
    """What `push --probation` says, or the end of the command with a message."""
    try:
        return read_probation(words) if words is not None else None
    except ValueError as error:
        fail(Exit.USAGE, f"`--probation`: {error}")


def parsed_wishes(words: Sequence[str] | None) -> dict[str, MapWish]:
    """What `push --map` says, or the end of the command with a message."""
    try:
        return read_wishes(words or ())
    except ValueError as error:
        fail(Exit.USAGE, f"`--map`: {error}")
