"""Services as processes of their own, as `unibpf up` runs them; a test ends exactly those it started."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

END_SECONDS = 15.0


class ServiceProcess:
    """One `python -m services.<name>`; its log is a file, shown when the test fails to see what it waits for."""

    def __init__(self, name: str, *, environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._environment = os.environ | environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"services.{self.name}"], env=self._environment, stdout=log, stderr=log
            )

    def signal(self, number: int) -> None:
        """End it and wait; SIGKILL is the power cut."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"`{self.name}` did not end within {END_SECONDS} s of signal {number}") from None
            finally:
                self._process = None

    def send(self, number: int) -> None:
        """Only send it: SIGSTOP, SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


@contextlib.asynccontextmanager
async def running(name: str, *, environment: dict[str, str], log: Path) -> AsyncIterator[ServiceProcess]:
    """A service for the time of the block."""
    service = ServiceProcess(name, environment=environment, log=log)
    service.start()
    try:
        yield service
    finally:
        if not service.has_ended():
            service.signal(signal.SIGTERM)


async def eventually(look: Callable[[], Awaitable[T | None]], *, seconds: float = 20.0, what: str = "it") -> T:
    """Poll until `look` gives something; a test's only way to wait."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                found = await look()
            except TimeoutError:
                raise AssertionError(f"waited in vain for {what}") from None
            if found is not None:
                return found
            await asyncio.sleep(0.01)
