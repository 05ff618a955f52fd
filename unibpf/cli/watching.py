"""`unibpf guest console|logs|top`: what a running guest says and does."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterable

from unibpf.cli.output import Exit, emit_json, emit_table, fail, progress
from unibpf.cli.session import run
from unibpf.client import consoles, guests, rates
from unibpf.client.session import open_bus
from unibpf.host.settings import StatePaths
from unibpf.text import decoded, visible


def console(guest: str, *, lines: int, follow: bool, only_programs: bool, json: bool) -> None:
    """Print the end of a console; with `follow` go on until Ctrl-C."""
    folder = StatePaths.from_environment(os.environ).guests
    file = consoles.file_of(folder, guest)
    if file is None:
        hint = "a console is read on the host that runs the guest: `unibpf guest show` names it"
        fail(Exit.USAGE, f"no guest `{guest}` was ever booted on this host", hint, rule="not-found")
    prefix = consoles.OF_PROGRAMS if only_programs else b""
    found = consoles.last_lines(file, lines, prefix=prefix)
    if json:
        emit_json({"guest": guest, "file": str(file), "lines": [decoded(line) for line in found]})
    else:
        _print(found)
    if follow:
        _print(consoles.follow(folder, guest, prefix=prefix))


def _print(lines: Iterable[bytes]) -> None:
    for line in lines:
        sys.stdout.write(visible(decoded(line)) + "\n")
        sys.stdout.flush()


def top(guest: str, *, interval: float, count: int, json: bool) -> None:
    """Print what passes, every `interval` seconds; `count` 0: until Ctrl-C."""

    async def work() -> None:
        async with open_bus() as bus:
            observed = await guests.observed(bus, guest)
            if observed is None:
                fail(Exit.USAGE, *guests.unknown(guest), rule="not-found")
            earlier = await guests.status(bus, observed)
            shown = 0
            while count == 0 or shown < count:
                await asyncio.sleep(interval)
                later = await guests.status(bus, observed)
                found = rates.between(earlier, later)
                earlier = later
                shown += 1
                if found is None:
                    progress(f"guest `{guest}` was booted anew")
                elif json:
                    emit_json(found)
                else:
                    say(found)

    with contextlib.suppress(KeyboardInterrupt):
        run(work())


def say(found: rates.GuestRates) -> None:
    """For people."""
    print(f"{found.guest}  over {found.seconds:.1f} s")
    rows = [
        (one.name, _count(one.rx_packets), _bits(one.rx_bits), _count(one.tx_packets), _bits(one.tx_bits), _count(one.dropped))
        for one in found.nics
    ]  # fmt: skip
    emit_table(("nic", "rx/s", "rx bit/s", "tx/s", "tx bit/s", "dropped/s"), rows)
    print()
    elements = [(one.name, one.class_name, _count(one.packets), _drops(one)) for one in found.elements if one.packets]
    emit_table(("element", "class", "packets/s", "drops/s"), elements)
    print(flush=True)


def _drops(one: rates.ElementRate) -> str:
    return ", ".join(f"{why} {_count(rate)}" for why, rate in sorted(one.drops.items())) or "-"


def _count(rate: float) -> str:
    return f"{rate:,.0f}"


def _bits(rate: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.1f} {unit}"
    return f"{rate:.0f}"
