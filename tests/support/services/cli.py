"""The command line as a user has it: every call is a process of its own, its answer is its JSON."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """What one call printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout."""
        return json.loads(self.out.splitlines()[-1])


@dataclass
class Cli:
    """`unibpf` on one state directory."""

    state: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "unibpf.cli", "--state", str(self.state), *words]

    def environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("UNIBPF_", "OTEL_"))}
        kept = {"UNIBPF_BIN": os.environ["UNIBPF_BIN"]} if "UNIBPF_BIN" in os.environ else {}
        return {**inherited, **kept, "PYTHONPATH": str(ROOT), **self.environment}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=self.environ(),
        )  # fmt: skip

    def run(self, *words: str, timeout: float = 90, ok: bool = True) -> Answer:
        """Run to the end; with `ok` a non-zero code fails the test with what the command said."""
        process = self.start(*words)
        return self.finish(process, timeout=timeout, ok=ok)

    def finish(self, process: "subprocess.Popen[str]", *, timeout: float = 90, ok: bool = True) -> Answer:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert not ok or process.returncode == 0, f"{process.args} ended with {process.returncode}:\n{err}\n{out}"
        return Answer(process.returncode, out, err)


class StackProcess:
    """`unibpf up` on a state directory of its own."""

    def __init__(self, state: Path, environment: Mapping[str, str] | None = None) -> None:
        self.cli = Cli(state, environment or {})
        self._process = self.cli.start("up", "--json")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, complaint = self._process.communicate()
            raise AssertionError(f"the stack did not come up:\n{complaint}")
        self.url: str = json.loads(line)["url"]

    def pids(self) -> dict[str, int]:
        """What the supervisor says runs now."""
        found: dict[str, int] = json.loads((self.cli.state / "run" / "stack.json").read_text())["pids"]
        return found

    def kill(self, name: str) -> int:
        """SIGKILL one process; returns its pid."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def eventually(condition: Callable[[], Any], *, seconds: float = 20, what: str = "the condition") -> Any:
    """Poll until `condition()` is true; returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not hold within {seconds} s")
