"""Boot images for guests under test, signed by an Ed25519 key in memory."""

import os
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from services.verifier.frontend.frontend import Options, translate
from tests.support.signing.signing import Signer
from unibpf.formats import boot_image
from unibpf.formats.boot_image import BootImage, FirstProgram, Limits, Management
from unibpf.push.compile import compile_c

VNFS = Path(__file__).parents[3] / "vnfs"
AUDIENCE = "edge"
MANAGEMENT = "10.0.2.15/24"  # what QEMU's user network gives the first guest

# What any guest can run: two NICs, no program.
WIRE = """
control :: Control;
FromDevice(inside) -> Queue(512) -> ToDevice(outside);
FromDevice(outside) -> Queue(512) -> ToDevice(inside);
"""


def mac(number: int) -> bytes:
    """The MAC of the guest's NIC with this number."""
    return bytes([0x52, 0x54, 0, 0, 0, number])


def mac_text(number: int) -> str:
    return mac(number).hex(":")


NICS = {"mgmt": mac(1), "inside": mac(2), "outside": mac(3)}


def boot_image_of(signer: Signer, **fields: Any) -> BootImage:
    """What the image of any guest under test has; `fields` are the rest, or override."""
    base: dict[str, Any] = {
        "audience": AUDIENCE,
        "seed": os.urandom(32),
        "signers": [signer.pinned()],
        "management": Management(interface=IPv4Interface(MANAGEMENT)),
        "started_us": time.time_ns() // 1000,
        "limits": Limits(),
    }
    return BootImage(**(base | fields))


@dataclass
class Boot:
    """One boot of one guest, and the key that its releases are signed with."""

    graph: str = WIRE
    programs: dict[str, bytes] = field(default_factory=dict)  # bundle by element
    nics: dict[str, bytes] = field(default_factory=lambda: dict(NICS))
    guest: str = "test-1"
    limits: Limits = field(default_factory=Limits)
    seed: bytes = field(default_factory=lambda: os.urandom(32))
    signer: Signer = field(default_factory=Signer)
    sequence: int = 1_700_000_000

    def sign(self, content: bytes, **fields: Any) -> bytes:
        """The envelope of a bundle or graph, with the next sequence; `fields` override those of the Release."""
        self.sequence += 1
        return self.signer.release(content, **({"sequence": self.sequence, "audience": AUDIENCE} | fields))

    def image(self) -> bytes:
        """The boot image's bytes; every program is named `firewall`."""
        graph = self.graph.encode()
        return boot_image.encode(
            boot_image_of(
                self.signer,
                guest=self.guest,
                seed=self.seed,
                graph_envelope=self.sign(graph, kind="graph", program="test"),
                graph=graph,
                nics=self.nics,
                programs=[
                    FirstProgram(element=element, envelope=self.sign(bundle), bundle=bundle)
                    for element, bundle in self.programs.items()
                ],
                limits=self.limits,
            )
        )


def firewall_bundle(source: str = "program.c", **defines: int) -> bytes:
    """The bundle of the catalogue's firewall, compiled now."""
    words = [f"{name}={value}" for name, value in defines.items()]
    return translate(compile_c(VNFS / "firewall" / source, defines=words), Options()).bundle


def firewall_boot() -> Boot:
    """A guest as in the demo: the firewall graph with its first program."""
    return Boot(graph=(VNFS / "firewall" / "graph.click").read_text(), programs={"fw": firewall_bundle()})
