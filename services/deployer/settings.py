"""The deployer's settings, read once from the environment.

UNIBPF_LIBVIRT_URI    `embed`, or any libvirt URI of a QEMU driver         (default `embed`)
UNIBPF_HOST_FILE      networks and limits of this host, TOML               (default <state>/host/host.toml)
UNIBPF_GUEST_IMAGE    the guest as a PVH image                             (default <bin>/unibpf-guest.elf)
UNIBPF_GUEST_PROCESS  the guest as a Linux process                         (default <bin>/unibpf-guest)
UNIBPF_ACCEL          `kvm`, `tcg`, or `auto`: probe once                  (default `auto`)
UNIBPF_BOOT_TIMEOUT   seconds until a guest must be ready                  (default 20)
UNIBPF_TICK           seconds between looks at everything                  (default 5)
UNIBPF_LEASE          seconds for which a claim on a guest holds           (default 30)
and those of unibpf.host.settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.deployer import runtime
from services.deployer.machines.hypervisor import UNIX_PATH_BYTES
from services.deployer.machines.libvirt_driver import EMBEDDED
from unibpf.host.settings import SettingError, StatePaths, binary_directory, host_name, nats_url, seconds

# libvirt's longest socket path below its root is 56 bytes: `/lib/qemu/domain-<id>-<20 of the name>/monitor.sock`.
RUNTIME_BYTES: Final = UNIX_PATH_BYTES - 56 - len("/vm")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the deployer can be told. Times are in seconds."""

    paths: StatePaths
    nats_url: str
    host: str
    libvirt_uri: str
    host_file: Path
    binaries: Path
    guest_image: Path
    guest_process: Path
    accel: str = "auto"
    boot_timeout: float = 20.0
    tick: float = 5.0
    lease: float = 30.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises SettingError for a value of the wrong form."""
        paths = StatePaths.from_environment(environ)
        binaries = binary_directory(environ)
        accel = environ.get("UNIBPF_ACCEL", "auto")
        if accel not in {"auto", "kvm", "tcg"}:
            raise SettingError(f"`UNIBPF_ACCEL`: got `{accel}`, expected `auto`, `kvm` or `tcg`")
        return cls(
            paths=paths,
            nats_url=nats_url(environ, paths),
            host=host_name(environ),
            libvirt_uri=environ.get("UNIBPF_LIBVIRT_URI") or EMBEDDED,
            host_file=Path(environ.get("UNIBPF_HOST_FILE") or paths.host / "host.toml"),
            binaries=binaries,
            guest_image=Path(environ.get("UNIBPF_GUEST_IMAGE") or binaries / "unibpf-guest.elf"),
            guest_process=Path(environ.get("UNIBPF_GUEST_PROCESS") or binaries / "unibpf-guest"),
            accel=accel,
            boot_timeout=seconds(environ, "UNIBPF_BOOT_TIMEOUT", 20.0),
            tick=seconds(environ, "UNIBPF_TICK", 5.0),
            lease=seconds(environ, "UNIBPF_LEASE", 30.0),
        )

    @property
    def runtime(self) -> Path:
        """Where unix sockets live (runtime.py)."""
        return runtime.find(self.paths.run, longest=RUNTIME_BYTES)

    @property
    def libvirt_root(self) -> Path:
        """The embedded driver's own directory."""
        return self.runtime / "vm"

    @property
    def sockets(self) -> Path:
        """Where NICs on stream networks listen."""
        return self.runtime / "net"
