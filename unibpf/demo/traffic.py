"""Traffic for the demo and the tests: `unibpf-pktgen` as a child process, and its report as Structs."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from unibpf.host.settings import binary_directory

START_SECONDS: Final = 10.0
STOP_SECONDS: Final = 15.0


class TrafficClass(msgspec.Struct, frozen=True, kw_only=True):
    """One destination port. Numbers rise by one; `changes` counts the switches between arriving and missing numbers."""

    port: int
    sent: int
    received: int
    lost: int
    refused_by_socket: int
    duplicates: int
    first_missing: int
    last_received: int
    changes: int


class TrafficReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator printed; times are CLOCK_MONOTONIC nanoseconds, pauses [end, length].

    `stalled_us` is for how long it was itself not run, though it should have been.
    """

    started_ns: int
    elapsed_ns: int
    classes: list[TrafficClass]
    longest_pause_us: int
    latency_us: dict[str, int]
    pauses: list[tuple[int, int]] = []
    stalled_us: int = 0

    def port(self, number: int) -> TrafficClass:
        """The class that went to a port."""
        return next(one for one in self.classes if one.port == number)


class TrafficError(Exception):
    """The generator could not run."""


class Traffic:
    """A running generator; `stop` ends it and returns its report."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, *, tx: Path, rx: Path, ports: Sequence[int], rate: int, seconds: float | None = None
    ) -> "Traffic":
        """Connect to both sockets and begin to send; `seconds` None means until `stop`."""
        arguments = ["--tx", str(tx), "--rx", str(rx), "--rate", str(rate)]
        arguments += [word for port in ports for word in ("--port", str(port))]
        arguments += ["--seconds", str(seconds)] if seconds is not None else []
        process = await asyncio.create_subprocess_exec(
            str(binary_directory(os.environ) / "unibpf-pktgen"),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        if process.stderr is None:
            raise AssertionError("stderr was piped")
        first = await asyncio.wait_for(process.stderr.readline(), START_SECONDS)
        if b"sending" not in first:
            raise TrafficError(first.decode(errors="replace").strip() or "the generator ended at once")
        return cls(process)

    async def stop(self) -> TrafficReport:
        """End sending, wait for late packets, return the report; TrafficError when the connection broke."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await self.finish()

    async def finish(self) -> TrafficReport:
        """Wait for the end by itself."""
        out, err = await asyncio.wait_for(self._process.communicate(), STOP_SECONDS)
        if self._process.returncode != 0:
            raise TrafficError(err.decode(errors="replace").strip())
        return msgspec.json.decode(out, type=TrafficReport)
