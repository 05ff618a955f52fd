"""`unibpf vnf fill`: the entries of a function's maps from a settings file."""

from collections.abc import Callable
from typing import Any, Final

from unibpf.vnf import automaton, guard, maglev, rules
from unibpf.vnf.settings import Rows, SettingsError, Table, read

FILLERS: Final[dict[str, Callable[[Table], Rows]]] = {
    "ddos": guard.fill,
    "firewall": rules.fill,
    "ids": automaton.fill,
    "ips": automaton.fill,
    "loadbalancer": maglev.fill,
}


def fill(function: str, data: bytes) -> Rows:
    """Entries by map; raises SettingsError."""
    if function not in FILLERS:
        raise SettingsError(f"`{function:.60}` is filled by hand; settings files are for {', '.join(sorted(FILLERS))}")
    return FILLERS[function](Table("", read(data)))


def document(rows: Rows) -> dict[str, Any]:
    """All maps, as `unibpf run --maps-from` takes them; one of them, as `unibpf map set --file` does."""
    return {
        name: {"entries": [{"key": f"hex:{key.hex()}", "value": f"hex:{value.hex()}"} for key, value in entries]}
        for name, entries in rows.items()
    }
