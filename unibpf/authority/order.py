"""The order of commands that are kept as values: when the last one was said of each key, on this host's disk.

A command that is older than that is refused, whoever writes it to the bus again, and whenever this process began. The file is
one of the host's, so nothing on the bus lowers it. It grows by one row a guest name.
"""

import logging
from pathlib import Path

import msgspec

from unibpf.host.private_file import write_private

logger = logging.getLogger(__name__)


class Order:
    """By key, Unix microseconds of the last command; in memory alone where there is no file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._last = _read(path)

    def last(self, key: str) -> int:
        """When it was said, 0 where nothing was."""
        return self._last.get(key, 0)

    def raise_to(self, key: str, at_us: int) -> None:
        """Nothing older counts any more."""
        if at_us <= self.last(key):
            return
        self._last[key] = at_us
        if self._path is not None:
            write_private(self._path, msgspec.json.encode(self._last, order="deterministic"))


def _read(path: Path | None) -> dict[str, int]:
    """A file that is not there, or cannot be read, has no order: what the bus has now is taken then, and said."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path is not None else {}
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        logger.warning("`%s` can't be read; the order of commands begins anew: %s", path, error)
        return {}
