"""The tables of `vnfs/loadbalancer`: Maglev hashing (Eisenbud et al., NSDI 2016, 3.4), weighted. Pure.

Each backend has its own order of all slots. In turns, each takes the first slot of its order that is free; one of half the
weight has half the turns. A backend that goes leaves its slots to others, and few others change.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from unibpf.vnf.settings import LARGEST_PORT, Rows, SettingsError, Table, mapped, word

SLOTS: Final = 1021  # as vnfs/loadbalancer/state.h
MOST_SERVICES: Final = 16
MOST_BACKENDS: Final = 256
MOST_WEIGHT: Final = 1000
HEALTH: Final = ("down", "up", "draining")
AFFINITIES: Final = ("connection", "client")
NOBODY: Final = 0xFFFFFFFF


def look_up_table(weights: Mapping[bytes, int], slots: int = SLOTS) -> list[bytes | None]:
    """The backend, by its name, of each slot; `slots` is a prime. None: all weights are zero."""
    names = sorted(name for name, weight in weights.items() if weight)
    if not names:
        return [None] * slots
    most = max(weights.values())
    table: list[bytes | None] = [None] * slots
    orders = {name: _order(name, slots) for name in names}
    turns = dict.fromkeys(names, 0)
    filled = 0
    while True:
        for name in names:
            turns[name] += weights[name]
            if turns[name] < most:
                continue
            turns[name] -= most
            slot = next(slot for slot in orders[name] if table[slot] is None)
            table[slot] = name
            filled += 1
            if filled == slots:
                return table


def _order(name: bytes, slots: int) -> Iterator[int]:
    digest = hashlib.sha256(name).digest()
    offset = int.from_bytes(digest[:8], "big") % slots
    skip = int.from_bytes(digest[8:16], "big") % (slots - 1) + 1
    return ((offset + turn * skip) % slots for turn in range(slots))


def fill(document: Table) -> Rows:
    """Entries of the maps `config`, `services`, `tables` and `backends`; raises SettingsError."""
    backends: dict[bytes, tuple[int, int, int]] = {}  # link: number, health, weight
    rows: Rows = {"services": [], "tables": [], "backends": [], "config": []}
    for number, service in enumerate(document.tables("service")):
        if number == MOST_SERVICES:
            raise SettingsError(f"{service.place}: at most {MOST_SERVICES} services have room")
        key = mapped(service.address("address")) + service.number("port", 0, most=LARGEST_PORT).to_bytes(2, "big")
        key += bytes([service.protocol("protocol", "tcp"), 0])
        affinity = service.choice("affinity", AFFINITIES, "connection")
        weights = _backends(service, backends)
        service.done()
        rows["services"].append((key, word(number) + word(affinity)))
        slots = [NOBODY if name is None else backends[name][0] for name in look_up_table(weights)]
        rows["tables"].append((word(number), b"".join(map(word, slots))))
    for link, (number, health, weight) in backends.items():
        rows["backends"].append((word(number), word(health) + word(weight) + link + bytes(2)))
    config = document.table("config")
    rows["config"].append(
        (word(0), word(config.number("seed", 0)) + config.link("ours", "00:00:00:00:00:00") + bytes(2))
    )
    config.done()
    document.done()
    return rows


def _backends(service: Table, known: dict[bytes, tuple[int, int, int]]) -> dict[bytes, int]:
    """The weights of a service's backends by link; one that several services have is the same in all."""
    weights: dict[bytes, int] = {}
    for entry in service.tables("backends"):
        link = entry.link("link")
        number = entry.number("number", most=MOST_BACKENDS - 1)
        row = (number, entry.choice("health", HEALTH, "up"), entry.number("weight", 1, most=MOST_WEIGHT))
        entry.done()
        others = [other for other in known if other != link and known[other][0] == number]
        if known.setdefault(link, row) != row or others:
            raise SettingsError(f"{entry.place}: backend {number} is described twice, and differently")
        if HEALTH[row[1]] == "up":
            weights[link] = row[2]
    return weights
