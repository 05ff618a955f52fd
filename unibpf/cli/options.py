"""What several commands say of their options and arguments, and how a group of commands is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from unibpf.messages import base
from unibpf.messages.base import Kind
from unibpf.push import loading


def command_group(text: str | None = None) -> typer.Typer:
    """An empty group; `text` is its help where it is a command by itself (`unibpf map`)."""
    return typer.Typer(no_args_is_help=True, help=text)


def _loading(field: str) -> Any:
    """The option of one row of unibpf.push.loading."""
    row = next(row for row in loading.OPTIONS if row.field == field)
    return typer.Option(row.flag, metavar=row.metavar, help=f"{row.help[0].upper()}{row.help[1:]}.")


def _named(kind: Any, what: str, *, also: str = "") -> Callable[[str | None], str | None]:
    """A check of a name, by the same pattern that messages have: what does not fit would reach nobody."""

    def checked(value: str | None) -> str | None:
        if value is None or value == also:
            return value
        try:
            return str(msgspec.convert(value, kind))
        except msgspec.ValidationError as error:
            raise typer.BadParameter(f"`{value:.64}` is no name of {what}: {error}") from error

    return checked


Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Timeout = Annotated[float, typer.Option(min=0, max=86400, help="Seconds to wait.")]
a_guest: Final = _named(base.GuestName, "a guest")
an_element: Final = _named(base.ElementName, "an element")
a_program: Final = _named(base.ProgramName, "a program")
an_audience: Final = _named(base.Audience, "an audience")
an_identity: Final = _named(base.Identity, "an identity")
an_element_or_any: Final = _named(base.ElementName, "an element", also="*")
GuestName = Annotated[str, typer.Argument(metavar="GUEST", callback=a_guest)]
ElementName = Annotated[str, typer.Argument(metavar="ELEMENT", callback=an_element, help="A BPF element of its graph.")]
MapName = Annotated[str, typer.Argument(metavar="MAP")]
EntriesFile = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help="JSON, as `dump` prints it.")
]
Engine = Literal["interpreter", "jit"]
ProgramKind = Annotated[
    Kind | None, typer.Option(help="What a program is whose section does not say it (default: filter, or rewriter).")
]
Tails = Annotated[list[str] | None, _loading("tails")]
Constants = Annotated[list[str] | None, _loading("constants")]
MaxEntries = Annotated[list[str] | None, _loading("max_entries")]
InnerMaps = Annotated[list[str] | None, _loading("inner_maps")]
DEFAULT_WAIT: Final = 60.0
