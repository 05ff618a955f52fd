"""`unibpf`: change the packet-processing code of running guests.

Each group of commands is a module of `unibpf.cli.commands`, loaded when one of them is called. There are options and arguments;
the work is elsewhere, and is imported inside the command, so that each loads what it needs and `--help` next to nothing.
Only `verify`, which starts without typer (main.py), keeps its options with its work.
"""

import importlib
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

# The module of each command; a command of the module's own name is the whole group.
COMMANDS: Final = {
    "up": "stack",
    "push": "programs",
    "verify": "programs",
    "run": "programs",
    "status": "stack",
    "trace": "stack",
    "demo": "stack",
    "graph": "graph",
    "guest": "guest",
    "map": "map",
    "bus": "bus",
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


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def settings(
    state: Annotated[Path | None, typer.Option(help="State directory (default: $UNIBPF_STATE).")] = None,
    url: Annotated[
        str | None, typer.Option(help="NATS servers (default: $UNIBPF_NATS_URL, else the local stack's).")
    ] = None,
) -> None:
    """Change the packet-processing code of running guests."""
    if state is not None:
        os.environ["UNIBPF_STATE"] = str(state.absolute())
    if url is not None:
        os.environ["UNIBPF_NATS_URL"] = url
