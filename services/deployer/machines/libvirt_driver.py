"""Guests as VMs through libvirt: the embedded driver by default, any `qemu://` URI by setting.

libvirt's calls block, so all of them run on one thread that does nothing else; its events come on a second one, which has
to turn before the connection is opened. Callbacks cross to the event loop by `call_soon_threadsafe`.

The embedded driver takes one opener at a time. VMs belong to no process: they survive the opener's death and are found
again by the next. Its configuration is written before the first open: console files without a log daemon, and without the
CPU property that takes libvirt half a second to read. As root, VMs run as root, for the state directory is root's alone;
use `qemu:///system` for a host with several tenants.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from services.deployer.errors import HypervisorError, PortTaken
from services.deployer.machines import console_file, domain_xml
from services.deployer.machines.hypervisor import NAME_PREFIX, Ended, Machine, OnEnded, Running, is_port_taken
from services.deployer.machines.kvm_probe import QEMU

# libvirt reads this once, when it is loaded, and would mix its banners and warnings into our log lines.
os.environ.setdefault("LIBVIRT_LOG_OUTPUTS", "4:stderr")
import libvirt  # type: ignore[import-untyped]

T = TypeVar("T")

EMBEDDED: Final = "embed"
_SYSTEM_RUN: Final = Path("/run/libvirt/qemu")
# No cgroups: nothing here sets limits by them, and setting them up costs some 30 ms of each start.
_CONF: Final = """\
stdio_handler = "file"
security_driver = "none"
namespaces = []
capability_filters = [ "cpu-unavailable-features" ]
cgroup_controllers = []
"""
_CONF_ROOT: Final = """\
user = "root"
group = "root"
dynamic_ownership = 0
"""
_ENDED: Final = {libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_CRASHED}
_CRASH_DETAILS: Final = {libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED}

_events_started = threading.Event()


class LibvirtDriver:
    """A Hypervisor on one libvirt connection. `root` is the embedded driver's own directory."""

    def __init__(self, *, uri: str, root: Path) -> None:
        self._uri = uri
        self._root = root
        self._calls = ThreadPoolExecutor(max_workers=1, thread_name_prefix="libvirt")
        self._connection: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_ended: OnEnded | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether libvirt's QEMU driver runs inside this process."""
        return self._uri == EMBEDDED

    async def open(self, on_ended: OnEnded) -> None:
        """Connect and listen; guests that end from now on are told to `on_ended` once each."""
        self._loop = asyncio.get_running_loop()
        self._on_ended = on_ended
        await self._call(self._open)
        self._calls.submit(self._warm)

    async def close(self) -> None:
        """Disconnect; the VMs go on."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._call(connection.close)
        self._calls.shutdown(wait=False)

    def lacking(self) -> str | None:
        """A libvirt elsewhere brings its own QEMU."""
        if self.is_embedded and shutil.which(QEMU) is None:
            return f"there is no `{QEMU}` on this host"
        return None

    async def running(self) -> list[Running]:
        """Active domains that carry our prefix."""
        return await self._call(self._running)

    async def start(self, machine: Machine) -> Running:
        """Create the transient domain; it executes when this returns."""
        return await self._call(lambda: self._start(domain_xml.domain_xml(machine)))

    async def stop(self, guest: str) -> None:
        """Destroy the domain, if it is there."""
        await self._call(lambda: self._stop(guest))

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._calls, work)
        except libvirt.libvirtError as error:
            if is_port_taken(str(error)):
                raise PortTaken("port", str(error)) from error
            raise HypervisorError("libvirt", str(error)) from error

    def _open(self) -> None:
        if self.is_embedded:
            prepare_embedded(self._root)
        _start_events()
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # errors come as exceptions, not on stderr
        self._connection = libvirt.open(f"qemu:///embed?root={self._root}" if self.is_embedded else self._uri)
        self._connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, None)

    def _warm(self) -> None:
        """Have libvirt ask QEMU what it can do, which takes seconds once, before the first guest needs the answer."""
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.getDomainCapabilities(None, "x86_64", "q35", None)

    def _running(self) -> list[Running]:
        domains = self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        return [self._describe(domain) for domain in domains if domain.name().startswith(NAME_PREFIX)]

    def _start(self, xml: str) -> Running:
        started = self._describe(self._connection.createXML(xml, 0))
        if started.pid is not None:
            console_file.limit(started.pid)
        return started

    def _stop(self, guest: str) -> None:
        try:
            self._connection.lookupByName(NAME_PREFIX + guest).destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                raise

    def _describe(self, domain: Any) -> Running:
        name = domain.name()
        pid, exec_ns = self._process(name)
        return Running(guest=name.removeprefix(NAME_PREFIX), boot_id=domain.UUIDString(), pid=pid, exec_ns=exec_ns)

    def _process(self, name: str) -> tuple[int | None, int | None]:
        """Pid and start. libvirt has no call for either; its pid file, written just before QEMU is executed, has both."""
        folder = self._root / "run" / "qemu" if self.is_embedded else _SYSTEM_RUN
        file = folder / f"{name}.pid"
        try:
            return int(file.read_text()), file.stat().st_mtime_ns
        except (OSError, ValueError):
            return None, None

    def _lifecycle(self, _connection: Any, domain: Any, event: int, detail: int, _opaque: Any) -> None:
        name = domain.name()
        if self._loop is None or self._on_ended is None or not name.startswith(NAME_PREFIX) or event not in _ENDED:
            return
        ended = Ended(
            guest=name.removeprefix(NAME_PREFIX),
            boot_id=domain.UUIDString(),
            reason="crashed" if event == libvirt.VIR_DOMAIN_EVENT_CRASHED or detail in _CRASH_DETAILS else "stopped",
        )
        self._loop.call_soon_threadsafe(self._on_ended, ended)


def prepare_embedded(root: Path) -> None:
    """Write `qemu.conf` below `root`; as root, make sure that libvirt will find the user it insists on."""
    if os.geteuid() == 0:
        _expect_libvirt_user()
    etc = root / "etc"
    etc.mkdir(mode=0o700, parents=True, exist_ok=True)
    (etc / "qemu.conf").write_text(_CONF + (_CONF_ROOT if os.geteuid() == 0 else ""))


def _expect_libvirt_user() -> None:
    try:
        pwd.getpwnam("libvirt-qemu")
    except KeyError:
        raise HypervisorError(
            "libvirt-user",
            "libvirt as root needs the system user `libvirt-qemu`, which does not exist",
            hint="run `packaging/create-libvirt-user`",
        ) from None


def _start_events() -> None:
    """libvirt's default event loop, once a process: it has no way to be stopped and none is needed."""
    if _events_started.is_set():
        return
    _events_started.set()
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_turn_events, name="libvirt-events", daemon=True).start()


def _turn_events() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
