"""Which network functions there are: the folders of `vnfs/`, read where they lie."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from unibpf.host.settings import REPOSITORY

FOLDER: Final = REPOSITORY / "vnfs"
MISTAKEN: Final = "unsafe.c"  # for showing a refusal
_PROGRAM: Final = re.compile(r'^(?:SEC\("xdp"\)|FIREWALL\()', re.MULTILINE)


class Function(msgspec.Struct, frozen=True):
    """One function: what its README says first, and its files by kind."""

    name: str
    about: str
    programs: Sequence[str]
    graphs: Sequence[str]
    settings: Sequence[str]
    tests: Sequence[str]
    folder: str


def functions(folder: Path = FOLDER) -> list[Function]:
    """All of them by name."""
    places = (path for path in sorted(folder.glob("*/")) if (path / "guest.toml").is_file())
    return [_function(place) for place in places]


def readme(function: Function) -> str:
    """Its README: what it does, its maps, its limits."""
    return (Path(function.folder) / "README.md").read_text()


def _function(place: Path) -> Function:
    def names(pattern: str) -> list[str]:
        return [path.name for path in sorted(place.glob(pattern))]

    sources = [
        path.name for path in sorted(place.glob("*.c")) if _PROGRAM.search(path.read_text()) and path.name != MISTAKEN
    ]
    guests = {path.name for path in place.glob("*.toml") if "[programs]" in path.read_text()}
    return Function(
        name=place.name,
        about=_first_sentence((place / "README.md").read_text()),
        programs=sources,
        graphs=names("*.click"),
        settings=[name for name in names("*.toml") if name not in guests],
        tests=names("test_*.py"),
        folder=str(place),
    )


def _first_sentence(text: str) -> str:
    """Of the paragraph below the title."""
    paragraph = " ".join(text.split("\n\n")[1].split())
    return re.split(r"(?<=\.)\s(?=[A-Z`])", paragraph)[0].rstrip(".")
