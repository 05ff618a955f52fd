"""`make bench`: run every benchmark, print Markdown tables, exit with 1 when a demanded figure is missed."""

import asyncio
import os
import sys

from benchmarks import boot, engines, update
from benchmarks.figures import table
from unibpf.settings import binary_directory


def main() -> int:
    image = binary_directory(os.environ) / "unibpf-guest.elf"
    rows = engines.measure()
    tables = [
        ("Engines", engines.figures(rows)),
        ("Boot", boot.measure(image)),
        *asyncio.run(update.measure()),
    ]
    print(engines.matrix(rows))
    for title, figures in tables:
        print(table(title, figures))
    return 1 if any(figure.fails for _, figures in tables for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
