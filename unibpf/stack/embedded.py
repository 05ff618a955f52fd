"""`unibpf up`: the whole system on one machine, with nothing to configure.

Order of starting: keys, server, streams, token, services. Every step may be repeated: what exists is kept, so a second `up`
on the same state directory goes on where the first one ended, at the same address. A folder belongs to one stack at a time
(lock.py): one that is refused changes nothing in it. Its processes end with the supervisor, however that ends. The pids are in
`run/stack.json` (mode 0600) while it runs.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from unibpf.authority.roles import OF_A_HOST, of_host
from unibpf.bus import Bus, BusSettings
from unibpf.bus.embedded import LOOPBACK, EmbeddedServer, answers
from unibpf.bus.permissions import OPERATOR
from unibpf.bus.stores import setup
from unibpf.host import identity
from unibpf.host.settings import REPOSITORY, StatePaths, host_name
from unibpf.stack import lock
from unibpf.stack.lock import FolderLock, Occupied
from unibpf.stack.server_watch import ServerWatch
from unibpf.stack.supervisor import Command, Supervisor, start_time
from unibpf.subjects import CLI, SERVICES

READY_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.02
PUSHERS: Final = (CLI, "ci")
# Packets come first: what prepares an update yields to the guests. The deployer does not, its guests would inherit it.
YIELDING: Final = ("verifier", "signer", "reconfigurer")

Progress = Callable[[str], None]


class StackError(Exception):
    """The stack could not start; the message says which part and where its log is."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    """What `run/stack.json` holds; `started` has the start times of these processes (supervisor.start_time)."""

    url: str
    pids: dict[str, int]
    supervisor: int
    started: dict[str, int] = field(default_factory=dict)

    def alive(self) -> dict[str, int]:
        """Those of `pids` that run, and are the processes that were meant."""
        return {name: pid for name, pid in self.pids.items() if start_time(pid) in {self.started.get(name)} - {None}}


def occupied(paths: StatePaths, pid: int) -> StackError:
    """Another stack has the folder."""
    return StackError(f"a stack already runs on `{paths.root}` (pid {pid})")


def lock_file(paths: StatePaths) -> Path:
    """The lock of the stack that runs on this state directory."""
    return paths.run / "stack.lock"


def state_file(paths: StatePaths) -> Path:
    """Where the running stack writes its pids."""
    return paths.run / "stack.json"


def read_state(paths: StatePaths) -> StackState | None:
    """The stack that runs on this state directory, or None: also where one was killed, or its file cannot be read."""
    if lock.holder(lock_file(paths)) is None:
        return None
    try:
        return msgspec.json.decode(state_file(paths).read_bytes(), type=StackState)
    except (FileNotFoundError, UnicodeDecodeError, msgspec.MsgspecError):
        return None


class Stack:
    """One embedded stack: `start`, then `stop`."""

    def __init__(self, *, paths: StatePaths, environ: Mapping[str, str], progress: Progress, port: int = 0) -> None:
        self._paths = paths
        self._port = port
        self._lock = FolderLock(lock_file(paths))
        self._environ = dict(environ)
        self._progress = progress
        self._supervisor = Supervisor(self._write_state)
        self._watching: asyncio.Task[None] | None = None
        self.url = ""

    def pids(self) -> dict[str, int]:
        """{process: pid}."""
        return self._supervisor.pids()

    async def start(self) -> None:
        """Start everything and wait until each service answers; raises StackError."""
        self._paths.create()
        try:
            self._lock.take()
        except Occupied as other:
            raise occupied(self._paths, other.pid) from None
        await self._start_server()
        operator = identity.load(self._paths.keys, OPERATOR)
        async with await Bus.connect(BusSettings(url=self.url, identity=operator)) as bus:
            done = await setup.init(bus.jetstream, hosts=(host_name(self._environ),))
            if failed := [str(one) for one in done if one.outcome == "failed"]:
                raise StackError(f"the server refused: {'; '.join(failed)}")
            await self._make_token()
            for service in SERVICES:
                await self._supervisor.start(self._service(service))
            await asyncio.gather(*(self._wait_for(bus, service) for service in SERVICES))

    async def stop(self) -> None:
        """End the services, then the server. Guests keep running; the next `up` adopts them."""
        if not self._lock.is_held:
            return
        if self._watching is not None:
            self._watching.cancel()
        await self._supervisor.stop()
        state_file(self._paths).unlink(missing_ok=True)
        self._paths.nats_url_file.unlink(missing_ok=True)
        self._lock.release()

    async def _start_server(self) -> None:
        names = _identities(host_name(self._environ))
        identities = [identity.create(self._paths.keys, name) for name in names]
        if self._port and _is_taken(self._port):
            raise StackError(f"port {self._port} is taken: something listens there already")
        server = EmbeddedServer(directory=self._paths.nats, identities=identities, port=self._port)
        command = Command(
            name="nats", arguments=server.prepare(), environment=self._environ, log=self._paths.logs / "nats.log"
        )
        self.url = server.url
        await self._supervisor.start(command)
        watch = ServerWatch(log=command.log, store=self._paths.nats, restart=lambda: self._supervisor.restart("nats"))
        self._watching = asyncio.create_task(watch.run(), name="watch the server")
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(answers, server.port):
                await asyncio.sleep(POLL_SECONDS)
        self._paths.nats_url_file.write_text(self.url + "\n")
        self._progress(f"nats-server      {self.url}")

    async def _make_token(self) -> None:
        if self._paths.trusted_signers.exists():
            return
        self._progress("making the HSM token")
        command = self._service("signer")
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            "init-token",
            env=dict(command.environment),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        if process.returncode != 0:
            raise StackError(f"the token could not be made: {complaint.decode(errors='replace').strip()[-500:]}")

    def _service(self, name: str) -> Command:
        return Command(
            name=name,
            arguments=[*(("nice", "-n", "10") if name in YIELDING else ()), sys.executable, "-m", f"services.{name}"],
            environment={
                **self._environ,
                "UNIBPF_STATE": str(self._paths.root),
                "UNIBPF_NATS_URL": self.url,
                "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), self._environ.get("PYTHONPATH", "")])),
            },
            log=self._paths.logs / f"{name}.log",
        )

    async def _wait_for(self, bus: Bus, service: str) -> None:
        deadline = asyncio.get_running_loop().time() + READY_SECONDS
        while not await bus.ping(f"unibpf-{service}"):
            if asyncio.get_running_loop().time() > deadline:
                raise StackError(
                    f"the {service} did not answer within {READY_SECONDS:.0f} s; "
                    f"{last_line(self._paths.logs / f'{service}.log')}"
                )
            await asyncio.sleep(POLL_SECONDS)
        self._progress(f"{service:<16} pid {self.pids().get(service)}")

    def _write_state(self, pids: dict[str, int]) -> None:
        started = {name: found for name, pid in pids.items() if (found := start_time(pid)) is not None}
        state = StackState(url=self.url, pids=pids, supervisor=os.getpid(), started=started)
        path = state_file(self._paths)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_suffix(".new")
        partial.write_bytes(msgspec.json.encode(state))
        partial.chmod(0o600)
        partial.replace(path)


def _identities(host: str) -> tuple[str, ...]:
    """A key of its own for each service of this host, where its name can be part of an identity's."""
    own = {role: of_host(role, host) for role in OF_A_HOST}
    services = (own[one] if one in own and identity.is_name(own[one]) else one for one in SERVICES)
    return (OPERATOR, *services, *PUSHERS)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def last_line(log: Path) -> str:
    """How a log ends, for an error message: a service that could not start said why."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return f"its log `{log}` ends with: {lines[-1]}" if lines else f"its log `{log}` is empty"
