"""The supervisor, with real processes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from unibpf.stack.supervisor import Command, Supervisor


async def wait_until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def sleeper(tmp_path: Path) -> Command:
    code = "import time; print('up', flush=True); time.sleep(60)"
    return Command(
        name="sleeper", arguments=[sys.executable, "-c", code], environment=dict(os.environ), log=tmp_path / "log"
    )


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    seen: list[dict[str, int]] = []
    supervisor = Supervisor(seen.append)
    await supervisor.start(sleeper(tmp_path))
    first = supervisor.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: supervisor.pids().get("sleeper", first) != first)
    await supervisor.stop()
    assert supervisor.pids() == {}
    assert {"sleeper": first} in seen
    assert seen[-1] == {}


async def test_output_goes_to_the_log(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)
    await supervisor.start(sleeper(tmp_path))
    await wait_until(lambda: (tmp_path / "log").read_text() == "up\n")
    await supervisor.stop()
