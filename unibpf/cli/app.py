"""`unibpf`: change the packet-processing code of running guests.

Each group of commands is a module of `unibpf.cli.commands`, loaded when one of them is called. There are options and arguments;
the work is elsewhere, and is imported inside the command, so that each loads what it needs and `--help` next to nothing.
Only `verify`, which starts without typer (main.py), keeps its options with its work.
"""

import difflib
import importlib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer import _click as click
from typer.core import TyperCommand, TyperGroup

from unibpf import VERSION
from unibpf.cli.output import Exit, FailedAndSaid, fail

# The module of each command; a command of the module's own name is the whole group.
COMMANDS: Final = {
    "up": "stack",
    "down": "stack",
    "push": "programs",
    "rollback": "releases",
    "verify": "programs",
    "sign": "programs",
    "run": "programs",
    "wire": "packets",
    "status": "stack",
    "trace": "stack",
    "demo": "stack",
    "graph": "graph",
    "guest": "guest",
    "map": "map",
    "vnf": "vnf",
    "bus": "bus",
    "recover": "recover",
}


class LazyGroup(TyperGroup):
    """Knows its commands by name, and loads one when it is asked for it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name=name) for name in COMMANDS}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command itself; None for a name that is none."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        group = typer.main.get_group(importlib.import_module(f"unibpf.cli.commands.{module}").app)
        if cmd_name != module:
            return group.commands[cmd_name]
        group.name = cmd_name
        return group


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)
_INTERRUPTED: Final = 130  # what typer makes of Ctrl-C
_OPTION: Final = re.compile(r"No such option: (-\S+)")


def run(arguments: list[str]) -> None:
    """Run the command; a command line that cannot be parsed fails as everything else does."""
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="unibpf", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        raise FailedAndSaid(Exit.USAGE, "a command is missing") from error
    except click.exceptions.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "unibpf"
        fail(Exit.USAGE, _sentence(error, context), f"`{path} --help` shows what there is")
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    raise SystemExit(code if isinstance(code, int) else 0)


def _sentence(error: Any, context: Any) -> str:
    """The parser's message; of an option that there is not, with the nearest that there is."""
    message = str(error.format_message())
    wrong = _OPTION.match(message, 0)
    if wrong is None or context is None:
        return message
    known = [name for one in context.command.get_params(context) for name in one.opts if name.startswith("--")]
    near = difflib.get_close_matches(wrong[1], known, n=1)
    return f"there is no option `{wrong[1]}`" + (f"; did you mean `{near[0]}`?" if near else "")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"unibpf {VERSION}")
        raise typer.Exit


@app.callback()
def settings(
    state: Annotated[Path | None, typer.Option(help="State directory (default: $UNIBPF_STATE).")] = None,
    url: Annotated[
        str | None, typer.Option(help="NATS servers (default: $UNIBPF_NATS_URL, else the local stack's).")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Change the packet-processing code of running guests."""
    if state is not None:
        os.environ["UNIBPF_STATE"] = str(state.absolute())
    if url is not None:
        os.environ["UNIBPF_NATS_URL"] = url
