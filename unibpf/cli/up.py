"""`unibpf up` and `unibpf down`: the embedded stack in the foreground, on its own, and its end."""

import asyncio
import json as json_text
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from unibpf.bus import BusError
from unibpf.cli.output import Exit, emit_json, fail, progress
from unibpf.client.session import state_paths
from unibpf.host import installed
from unibpf.stack import lock
from unibpf.stack.embedded import Stack, StackError, lock_file, occupied
from unibpf.stack.ending import end_stack

MODULES: Final = ("pkcs11", "libvirt", "aiocoap")
EXECUTABLES: Final = (installed.ANALYSER, "unibpf-check")
LOG: Final = "stack.log"


def run_stack(*, json: bool, port: int) -> None:
    """Start, say so (with `--json`: one line {"url", "pids"} on stdout once all services answer), wait for a signal, stop."""
    _require_parts()
    try:
        asyncio.run(_run(json, port))
    except (StackError, BusError, TimeoutError) as error:
        fail(Exit.UNREACHABLE, str(error) or "the stack did not start in time", f"logs: {state_paths().logs}")


def start_stack(*, json: bool, port: int) -> None:
    """Start it as a process of its own that outlives this one and its terminal; return once all services answer."""
    _require_parts()
    running = lock.holder(lock_file(state_paths()))
    if running is not None:
        fail(Exit.UNREACHABLE, str(occupied(state_paths(), running)), "`unibpf status` shows it, `unibpf down` ends it")
    log = _log_file()
    command = [sys.executable, "-m", "unibpf.cli", "up", "--json", "--port", str(port)]
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
        answer: dict[str, Any] = json_text.loads(line or b"{}")
    except ValueError:
        answer = {}
    if "url" not in answer:
        process.wait()
        fail(
            Exit(answer.get("exit_code", Exit.UNREACHABLE)),
            answer.get("error", f"the stack did not start; its log is `{log}`"),
            answer.get("hint"),
            rule=answer.get("rule"),
        )
    progress(f"up  state {state_paths().root}  pid {process.pid}  log {log}")
    if json:
        emit_json({**answer, "supervisor": process.pid, "log": str(log)})


def stop_stack(*, json: bool, seconds: float) -> None:
    """End the stack of this state folder; where none runs there is nothing to do, and that is said."""
    root = state_paths().root
    try:
        pid = end_stack(state_paths(), seconds=seconds)
    except TimeoutError as error:
        fail(Exit.TIMEOUT, str(error), f"logs: {state_paths().logs}")
    progress(f"down  state {root}  pid {pid}" if pid is not None else f"no stack runs on `{root}`")
    if json:
        emit_json({"state": str(root), "stopped": pid is not None, "supervisor": pid})


async def _run(json: bool, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    stack = Stack(paths=state_paths(), environ=os.environ, progress=progress, port=port)
    starting = asyncio.create_task(stack.start())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            progress(f"up  state {state_paths().root}")
            if json:
                emit_json({"url": stack.url, "pids": stack.pids()})
            await stopped
        else:
            starting.cancel()
    finally:
        await stack.stop()


def _log_file() -> Path:
    logs = state_paths().logs
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    return logs / LOG


def _require_parts() -> None:
    try:
        installed.require_native(os.environ, *EXECUTABLES)
        installed.require_modules(*MODULES)
    except installed.NotInstalled as missing:
        fail(Exit.USAGE, str(missing), missing.hint, rule="not-installed")
