"""What a loader of the object's own would set before it loads it, as words of command lines and headers. Pure.

    --tail MAP:INDEX=FUNCTION    a program in a program array                            Unibpf-Tails
    --const NAME=VALUE           a global variable, or a part of it: `cfg.ports[3]=53`   Unibpf-Constants
    --max-entries MAP=N          the size of a map                                       Unibpf-Max-Entries
    --inner MAP[:INDEX]=MAP      what the maps of a map of maps are; at INDEX that one   Unibpf-Inner-Maps

Words of one option have an order: of two that set the same thing, the later one counts. What they mean for an object, whose
types and names only the front end knows, is its business (services/verifier); here only their form is read. No word holds a
comma or a space, so a header is words with commas between them.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

MAX_WORDS: Final = 256  # of one option
MAX_BYTES: Final = 48 << 10  # of all headers together: JetStream takes 64 KiB of headers with a message
MAX_VALUE: Final = 8196  # of a constant: `hex:` and 4 KiB
U32_MAX: Final = (1 << 32) - 1

_MAP: Final = r"([A-Za-z0-9_.]{1,63})"
_INDEX: Final = r"(0|[1-9][0-9]{0,8})"
_TAIL: Final = re.compile(rf"{_MAP}:{_INDEX}=([A-Za-z0-9_.]{{1,128}})")
_CONSTANT: Final = re.compile(rf"([A-Za-z_][A-Za-z0-9_.\[\]]{{0,254}})=([!-+\--~]{{1,{MAX_VALUE}}})")
_MAX_ENTRIES: Final = re.compile(rf"{_MAP}=([1-9][0-9]{{0,9}})")
_INNER: Final = re.compile(rf"{_MAP}(?::{_INDEX})?={_MAP}")


class Tail(Struct, frozen=True):
    """One entry of a program array: `function` goes on where a tail call names `index` of `map`."""

    map: str
    index: int
    function: str

    @classmethod
    def parse(cls, text: str) -> "Tail":
        """Read `MAP:INDEX=FUNCTION`; raises ValueError."""
        found = _matched(_TAIL, text, "MAP:INDEX=FUNCTION")
        return cls(found[1], int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.map}:{self.index}={self.function}"


class Constant(Struct, frozen=True):
    """A variable, or a part of it, and its value as it was written; only its type says what bytes that is."""

    name: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Constant":
        """Read `NAME=VALUE`; raises ValueError."""
        found = _matched(_CONSTANT, text, "NAME=VALUE")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class MaxEntries(Struct, frozen=True):
    """The size of `map`: entries, of a ring bytes; `OUTER.inner` are the maps of a map of maps, as libbpf names them."""

    map: str
    entries: int

    @classmethod
    def parse(cls, text: str) -> "MaxEntries":
        """Read `MAP=N`; raises ValueError."""
        found = _matched(_MAX_ENTRIES, text, "MAP=N")
        if int(found[2]) > U32_MAX:
            raise ValueError(f"got `{text:.80}`, expected at most {U32_MAX} entries")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.map}={self.entries}"


class Inner(Struct, frozen=True):
    """The maps of `map` are like `held`; with an `index`, `held` is in it there at first."""

    map: str
    index: int | None
    held: str

    @classmethod
    def parse(cls, text: str) -> "Inner":
        """Read `MAP=MAP` or `MAP:INDEX=MAP`; raises ValueError."""
        found = _matched(_INNER, text, "MAP=MAP` or `MAP:INDEX=MAP")
        return cls(found[1], None if found[2] is None else int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.map}={self.held}" if self.index is None else f"{self.map}:{self.index}={self.held}"


class Option(Struct, frozen=True):
    """One row of the table in the module text."""

    field: str
    flag: str
    header: str
    metavar: str
    help: str
    parse: Callable[[str], Any]


OPTIONS: Final = (
    Option(
        "tails",
        "--tail",
        "Unibpf-Tails",
        "MAP:INDEX=FUNCTION",
        "put it into a program array, as a loader would",
        Tail.parse,
    ),
    Option(
        "constants",
        "--const",
        "Unibpf-Constants",
        "NAME=VALUE",
        "set a global variable, or a part: `cfg.ports[3]=53`",
        Constant.parse,
    ),
    Option(
        "max_entries",
        "--max-entries",
        "Unibpf-Max-Entries",
        "MAP=N",
        "the size of a map, as a loader would",
        MaxEntries.parse,
    ),
    Option(
        "inner_maps",
        "--inner",
        "Unibpf-Inner-Maps",
        "MAP[:INDEX]=MAP",
        "what the maps of a map of maps are; one it holds",
        Inner.parse,
    ),
)


class Loading(Struct, frozen=True, kw_only=True):
    """Everything that is set for one program, each option's words in their order."""

    tails: tuple[Tail, ...] = ()
    constants: tuple[Constant, ...] = ()
    max_entries: tuple[MaxEntries, ...] = ()
    inner_maps: tuple[Inner, ...] = ()

    def words(self, option: Option) -> list[str]:
        """Return the words of one option."""
        return [str(one) for one in getattr(self, option.field)]

    def headers(self) -> dict[str, str]:
        """Return the headers that say the same."""
        return {option.header: ",".join(self.words(option)) for option in OPTIONS if self.words(option)}

    def arguments(self) -> list[str]:
        """Return the words of a command line that say the same."""
        return [f"{option.flag}={word}" for option in OPTIONS for word in self.words(option)]

    @property
    def changes_the_object(self) -> bool:
        """Whether who reads the object alone sees another program: values and maps; a tail call leaves the program."""
        return bool(self.constants or self.max_entries or self.inner_maps)


NOTHING: Final = Loading()


def read(words: Mapping[str, Sequence[str]]) -> Loading:
    """Read the words of each option, by its field; raises ValueError, which names the flag."""
    return _read({option: words[option.field] for option in OPTIONS if words.get(option.field)}, _flag)


def of_headers(headers: Mapping[str, str]) -> Loading:
    """Read the headers; raises ValueError, which names the header."""
    named = [option for option in OPTIONS if option.header in headers]
    return _read({option: headers[option.header].split(",", MAX_WORDS) for option in named}, _named)


def add_options(parser: "argparse._ActionsContainer") -> None:
    """Add the options to a command line."""
    for option in OPTIONS:
        parser.add_argument(
            option.flag, dest=option.field, action="append", default=[], metavar=option.metavar, help=option.help
        )


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line with these options; what they say together is in `loading`. A malformed one ends the process."""
    chosen = parser.parse_args(arguments)
    try:
        chosen.loading = read(vars(chosen))
    except ValueError as error:
        parser.error(str(error))
    return chosen


def _flag(option: Option) -> str:
    return f"option `{option.flag}`: "


def _named(option: Option) -> str:
    return f"header `{option.header}` is not valid: "


def _read(words: Mapping[Option, Sequence[str]], name: Callable[[Option], str]) -> Loading:
    found: dict[str, Any] = {}
    size = 0
    for option, texts in words.items():
        size += len(option.header) + sum(len(text) + 1 for text in texts)
        if size > MAX_BYTES:
            raise ValueError(f"{name(option)}got {size} bytes with those before it, expected at most {MAX_BYTES}")
        if len(texts) > MAX_WORDS:
            raise ValueError(f"{name(option)}got more than {MAX_WORDS} of `{option.metavar}`")
        try:
            found[option.field] = tuple(option.parse(text) for text in texts)
        except ValueError as error:
            raise ValueError(f"{name(option)}{error}") from error
    return Loading(**found)


def _matched(pattern: re.Pattern[str], text: str, expected: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"got `{text:.80}`, expected `{expected}`")
    return found
