"""What one boot consists of: the boot image, the record beside it, the machine to start. Pure.

Every boot has a seed and an id of its own (design 5, keys). Floors keep a guest from going back across a reboot: they come
from the host's own file, never from the bus.
"""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from services.deployer.errors import HostConfigError, SpecError
from services.deployer.host_config import HostConfig
from services.deployer.machines.hypervisor import (
    COAP_PORT,
    GATEWAY,
    GUEST_ADDRESS,
    MANAGEMENT,
    UNIX_PATH_BYTES,
    Accel,
    Machine,
    MachineKind,
    MachineNic,
    mac_of,
)
from unibpf.formats import boot_image
from unibpf.formats.boot_image import BootImage, FirstProgram, Limits, Management, SignerKey
from unibpf.host.guest_folder import Boot, FirstRelease, GuestFolder
from unibpf.messages.graphs import SignedGraph
from unibpf.messages.guests import GuestSpec
from unibpf.messages.programs import Signed

MAX_TRUSTED_BYTES: Final = 65536
MANAGEMENT_NETWORK: Final = Management(
    interface=IPv4Interface(f"{GUEST_ADDRESS}/24"), port=COAP_PORT, gateway=IPv4Address(GATEWAY)
)


class SignedProgram(Struct, frozen=True, kw_only=True):
    """The newest release of an element's program, with its bytes."""

    release: Signed
    envelope: bytes
    bundle: bytes


class Materials(Struct, frozen=True, kw_only=True):
    """What comes from the signer and the object store."""

    graph: SignedGraph
    graph_envelope: bytes
    programs: dict[str, SignedProgram]
    lacking: dict[str, str] = {}


class Fresh(Struct, frozen=True, kw_only=True):
    """What is new with each boot; passed in, so that everything here stays pure."""

    boot_id: str
    seed: bytes
    control_port: int
    now_us: int

    def __repr__(self) -> str:
        return f"Fresh(boot_id={self.boot_id!r})"


class _TrustedKey(Struct, frozen=True):
    kid: str
    alg: Literal["EdDSA", "ES256"] | Literal[-8, -7]
    key: str


def trusted_signers(data: bytes) -> list[SignerKey]:
    """The keys of `trusted-signers.json`."""
    if len(data) > MAX_TRUSTED_BYTES:
        raise HostConfigError("trusted-signers", f"got {len(data)} bytes, expected at most {MAX_TRUSTED_BYTES}")
    try:
        rows = msgspec.json.decode(data, type=list[_TrustedKey])
        return [
            SignerKey(
                kid=bytes.fromhex(row.kid),
                alg=row.alg if isinstance(row.alg, int) else boot_image.ALGORITHMS[row.alg],
                key=bytes.fromhex(row.key),
            )
            for row in rows
        ]
    except (msgspec.DecodeError, ValueError) as error:
        raise HostConfigError("trusted-signers", f"the file of trusted signers is wrong: {error}") from error


def image_of(
    spec: GuestSpec, materials: Materials, fresh: Fresh, signers: list[SignerKey], floors: dict[str, int]
) -> BootImage:
    """The image of one boot; every element of `spec.programs` without a release starts without a program."""
    first = [
        FirstProgram(element=element, envelope=program.envelope, bundle=program.bundle)
        for element, program in sorted(materials.programs.items())
    ]
    macs = {name: mac_of(spec.guest, name) for name in [*(nic.name for nic in spec.nics), MANAGEMENT]}
    return BootImage(
        guest=spec.guest,
        audience=spec.audience,
        seed=fresh.seed,
        signers=signers,
        graph_envelope=materials.graph_envelope,
        graph=spec.graph.encode(),
        programs=first,
        floors=boot_floors(materials, floors),
        management=MANAGEMENT_NETWORK,
        nics=macs,
        started_us=fresh.now_us,
        limits=Limits(instruction_budget=spec.instruction_budget),
    )


def boot_floors(materials: Materials, floors: dict[str, int]) -> dict[str, int]:
    """The host's floors, but not above what the host itself chose to boot: it goes back where the newest was no good."""
    chosen = {element: program.release.sequence for element, program in materials.programs.items()}
    return {element: min(floor, chosen.get(element, floor)) for element, floor in floors.items()}


def record_of(spec: GuestSpec, materials: Materials, fresh: Fresh, machine: Machine, *, restarts: int) -> Boot:
    """What deployer and reconfigurer must know of this boot."""
    return Boot(
        boot_id=fresh.boot_id,
        spec=spec,
        seed=fresh.seed,
        accel=machine.accel,
        machine=machine.kind,
        control=f"127.0.0.1:{fresh.control_port}",
        started_us=fresh.now_us,
        networks={nic.name: _place(nic) for nic in machine.nics},
        programs={
            element: FirstRelease(
                program=item.release.program, sequence=item.release.sequence, envelope=item.release.envelope
            )
            for element, item in materials.programs.items()
        },
        releases={element: item.release for element, item in materials.programs.items()},
        lacking=materials.lacking,
        graph_digest=materials.graph.graph,
        graph_sequence=materials.graph.sequence,
        restarts=restarts,
    )


class Host(Struct, frozen=True, kw_only=True):
    """What this host runs guests with."""

    config: HostConfig
    kind_available: dict[str, MachineKind]
    accel: Accel
    kernel: Path
    sockets: Path


def machine_of(host: Host, spec: GuestSpec, fresh: Fresh, folder: GuestFolder) -> Machine:
    """The machine to start. `host.config.check` has passed `spec`; raises SpecError for a path that is too long."""
    kind = host.kind_available[spec.machine]
    nics = [
        MachineNic(
            name=nic.name,
            mac=mac_of(spec.guest, nic.name),
            network=host.config.networks[nic.network],
            socket=_socket(host.sockets, spec.guest, nic.name),
        )
        for nic in spec.nics
    ]
    return Machine(
        guest=spec.guest,
        boot_id=fresh.boot_id,
        kind=kind,
        accel="none" if kind == "process" else host.accel,
        memory_mib=spec.memory_mib,
        kernel=host.kernel,
        image=folder.image_file(fresh.boot_id),
        console=folder.console_file(fresh.boot_id),
        nics=nics,
        control_port=fresh.control_port,
    )


def _socket(folder: Path, guest: str, nic: str) -> Path:
    path = folder / f"{guest}.{nic}.sock"
    if len(bytes(path)) > UNIX_PATH_BYTES:
        raise SpecError(
            "socket-path",
            f"the path `{path}` is too long for a unix socket: got {len(bytes(path))} bytes, expected at most "
            f"{UNIX_PATH_BYTES}",
            hint="choose a shorter state directory (`UNIBPF_STATE`)",
        )
    return path


def _place(nic: MachineNic) -> str:
    """Where the other end of a NIC is to be found, for people and tests on this host."""
    network = nic.network
    return (
        f"unix:{nic.socket}" if network.kind == "stream" else f"{network.kind}:{network.device or network.local or ''}"
    )
