"""Every command of the command line and how each can fail, made from the tree of commands itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "vnfs/firewall/program.c"
GUEST = ROOT / "vnfs/firewall/guest.toml"
# What needs no bus, or reports it away as a finding; `demo` makes a stack of its own.
LOCAL = {"up", "down", "verify", "sign", "run", "demo", "graph check", "graph draw", "graph run", "guest check"}
LOCAL |= {"bus keys", "bus config", "status", "wire"}
LOCAL |= {"guest console", "guest logs", "recover sequence", "vnf list", "vnf show", "vnf new", "vnf fill"}
WORDS = {
    "audience": "edge",
    "program": "firewall",
    "nic": "fw-1/in0",
    "key": "1",
    "keys": "1",
    "value": "1",
    "trace_id": "0" * 32,
    "name": "rules",
    "element": "fw",
    "function": "firewall",
}
WORDS |= {"place": "fw-1", "path": "fw.count"}


@dataclass(frozen=True)
class Leaf:
    """One command: its path and its parameters."""

    path: str
    command: Any

    @property
    def words(self) -> list[str]:
        return self.path.split()

    def files(self) -> list[Any]:
        """Arguments and options that name a file to be read."""
        return [one for one in self.command.params if one.name in READ]

    def arguments(self, *, but: Any = None, value: str = "") -> list[str]:
        """A call that can be parsed; of parameter `but`, with `value` instead."""
        found = [*self.words]
        for one in self.command.params:
            given = value if one is but else self._example(one)
            if one.param_type_name == "argument" and given is not None:
                found.append(given)
            elif one is but:
                found += [one.opts[0], given]
        if self.path == "verify":
            found.append(value if but is not None else str(PROGRAM))
        return [*found, "--json"]

    def _example(self, one: Any) -> str | None:
        if one.name == "file" and self.path.startswith("graph"):
            return str(GUEST.with_name("graph.click"))
        if one.name == "file":
            return str(GUEST if self.path.startswith("guest") else PROGRAM)
        if one.name == "guest":
            return "fw-1"
        return WORDS.get(one.name) if one.param_type_name == "argument" else None


READ = {"file", "pcap", "maps_from", "source"}


def leaves(tree: Any) -> list[Leaf]:
    """All commands below a group, in the order of `--help`."""
    return list(_leaves(tree, ""))


def _leaves(group: Any, path: str) -> Iterator[Leaf]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        place = f"{path} {name}".strip()
        if hasattr(command, "list_commands"):
            yield from _leaves(command, place)
        else:
            yield Leaf(place, command)


def promise(code: int, out: str, err: str) -> dict[str, Any]:
    """Hold what every failing call with `--json` promises; returns its document."""
    assert code != 0, f"{out}\n{err}"
    assert "Traceback" not in err and "Traceback" not in out, err
    assert out.strip(), f"no JSON on stdout; stderr says:\n{err}"
    document = json.loads(out.splitlines()[-1])
    assert isinstance(document, dict), out
    for name in ("error", "rule", "hint"):
        assert isinstance(document[name], str) and document[name], (name, document)
    assert document["exit_code"] == code
    assert document["rule"] != "internal", document
    lines = err.splitlines()
    assert len(lines) == len(set(lines)) or len(lines) < 5, f"the same line again and again:\n{err}"
    return document
