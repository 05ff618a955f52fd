"""`make bench`: run every benchmark, print Markdown tables, exit with 1 when a demanded figure is missed."""

import asyncio
import os
import sys

from benchmarks import boot, update
from benchmarks.figures import table
from unibpf.settings import binary_directory


def main() -> int:
    image = binary_directory(os.environ) / "unibpf-guest.elf"
    tables = [("Boot", boot.measure(image)), *asyncio.run(update.measure())]
    for title, figures in tables:
        print(table(title, figures))
    return 0 if all(figure.holds for _, figures in tables for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
