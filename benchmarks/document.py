"""The document of one run: where, when and how it was measured, then the tables."""

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

COMMAND: Final = "python -m benchmarks --write docs/performance.md"


def text(tables: Sequence[str], *, host: str, load: float, when: datetime) -> str:
    """Markdown; `tables` as they are printed."""
    head = f"""# Performance

Written by one command, not by hand; run it again to compare:

    .venv/bin/{COMMAND}

- Machine: {host}
- Other work on it: a load of {load:.1f} in the minute before
- Date: {when:%Y-%m-%d %H:%M} UTC

Times of other machines differ; ratios are of one run, so that they carry over. Where a figure is demanded and `holds` says
NO, it is missed. How each is measured is said at the top of its module in `benchmarks/`.
"""
    return "\n".join([head, *tables]).rstrip() + "\n"


def host() -> str:
    """This computer in one line."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    model = found[1] if found else platform.machine()
    return f"{model}, {os.cpu_count()} CPUs, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def progress(text: str) -> None:
    """One line about work that takes time, on stderr: stdout is the document."""
    print(text, file=sys.stderr, flush=True)
