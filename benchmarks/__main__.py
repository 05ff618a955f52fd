"""`make bench`: run every benchmark, print Markdown tables, exit with 1 when a demanded figure is missed.

`--write FILE` also writes them to a file, with machine, date and command in its head.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import boot, document, engines, loading, maps, update
from benchmarks.figures import table
from unibpf.host.settings import binary_directory


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also write the tables to FILE")
    target = parser.parse_args(arguments).write
    when, load = datetime.now(UTC), os.getloadavg()[0]
    image = binary_directory(os.environ) / "unibpf-guest.elf"
    rows = engines.measure()
    tables = [
        ("Engines", engines.figures(rows)),
        ("Loading a program", loading.measure()),
        ("Boot", boot.measure(image)),
        *asyncio.run(update.measure()),
    ]
    shown = [engines.matrix(rows), maps.measure(), *(table(title, figures) for title, figures in tables)]
    print(*shown, sep="\n")
    if target is not None:
        target.write_text(document.text(shown, host=document.host(), load=load, when=when))
    return 1 if not all(figure.holds for _, figures in tables for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
