"""`make bench`: run every benchmark, print Markdown tables, exit with 1 when a demanded figure is missed."""

import asyncio
import sys

from benchmarks import update
from benchmarks.figures import table


def main() -> int:
    tables = asyncio.run(update.measure())
    for title, figures in tables:
        print(table(title, figures))
    return 0 if all(figure.holds for _, figures in tables for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
