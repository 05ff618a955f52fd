"""Errors that the server reports out of band, brought to the calls that caused them.

A publish that the server refuses gets no answer: the caller would wait for its time-out and learn nothing. The refusal
itself arrives at the connection's error callback; here it is matched, by subject, to the calls that wait.
"""

import asyncio
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

logger = logging.getLogger(__name__)

_VIOLATION: Final = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]+)\"", re.IGNORECASE)


class Violations:
    """The error callback of one connection."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[str]]] = []
        self.unauthorized = asyncio.Event()
        self.last_error: Exception | None = None
        self.last_refused: str | None = None  # the last subject that this identity may not publish to

    async def on_error(self, error: Exception) -> None:
        """What nats-py calls. It hands the server's text on in lower case, so subjects are compared without case."""
        self.last_error = error
        if "authorization violation" in str(error).lower():
            self.unauthorized.set()
        match = _VIOLATION.search(str(error))
        if match is None:
            logger.warning("nats: %s", error)
            return
        subject = match.group(2)
        if match.group(1).lower() == "publish":
            self.last_refused = subject
        logger.error("permission denied: %s to `%s`", match.group(1), subject)
        for part, future in self._waiting:
            if part.lower() in subject.lower() and not future.done():
                future.set_result(subject)

    @contextmanager
    def watch(self, part: str) -> Iterator["asyncio.Future[str]"]:
        """Inside the block, the future gets the first refused subject that contains `part`."""
        row: tuple[str, asyncio.Future[str]] = (part, asyncio.get_running_loop().create_future())
        self._waiting.append(row)
        try:
            yield row[1]
        finally:
            self._waiting.remove(row)
