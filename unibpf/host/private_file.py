"""Files that are replaced as a whole, readable by their owner only, and on the disk when the call returns."""

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` as a whole, mode 0600, and wait until data and name are on the disk."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
