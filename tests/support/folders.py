"""Folders for unix sockets: their paths must fit in 108 bytes (unix(7)), pytest's own folders do not always."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def short_folder() -> Iterator[Path]:
    """A fresh folder right below the system's temporary one, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="unibpf-", ignore_cleanup_errors=True) as name:
        yield Path(name)
