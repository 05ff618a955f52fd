"""Guests as they are wanted, as a deployer sees them, and what changes in their lives."""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from unibpf.messages.base import Audience, Digest, GuestName, Message, whole
from unibpf.messages.desired_maps import DesiredMap, MapsPutBack

GuestState = Literal["booting", "running", "degraded", "unresponsive", "failed", "stopped"]


class Nic(Message, frozen=True, kw_only=True):
    """A data NIC of a guest: its name in the graph and the host network (named in the host's own configuration)."""

    name: Annotated[str, whole("[a-z][a-z0-9]{0,14}")]
    network: Annotated[str, whole("[a-z0-9][a-z0-9_-]{0,47}")]


class GuestSpec(Message, frozen=True, kw_only=True):
    """`guest.apply`: the desired guest. It names networks and resources, never host paths, devices or commands.

    `graph` is the text of the Click configuration; the deployer takes it to the signer to have it signed (kind graph).
    `programs` maps an element to the program whose newest release it boots with; an element whose program has no release
    yet boots without (and drops). `instruction_budget` is what it gives one packet (default 1,000,000): say the same to the
    verifier of its class (UNIBPF_VERIFIER_CLASSES). `on_hang`: what to do about a guest that answered and does not any more.
    `maps` are entries that its maps are to have; the deployer keeps them apart (KV `unibpf-maps`), for they boot nothing anew.
    null says nothing about them.
    """

    guest: GuestName
    audience: Audience
    graph: Annotated[str, Meta(max_length=65536)]
    nics: list[Nic] = []
    programs: dict[str, str] = {}
    memory_mib: Annotated[int, Meta(ge=4, le=1024)] = 8
    instruction_budget: Annotated[int, Meta(ge=1000, le=1_000_000_000)] | None = None
    machine: Literal["microvm", "q35", "process"] = "microvm"
    host: str | None = None
    on_hang: Literal["keep", "restart"] = "keep"
    maps: list[DesiredMap] | None = None


def spec_digest(spec: GuestSpec) -> str:
    """What an observation is an answer to: SHA-256 over the specification in its canonical JSON, as hex; not over `maps`."""
    fields = msgspec.to_builtins(spec)
    del fields["maps"]
    return hashlib.sha256(msgspec.json.encode(fields, order="deterministic")).hexdigest()


class SpecRefusal(Message, frozen=True, kw_only=True):
    """A specification that failed on a guest that goes on with another: its digest, and the revision of its record."""

    spec: Digest
    rule: str
    reason: str
    revision: int = 0


class GuestObserved(Message, frozen=True, kw_only=True):
    """KV `unibpf-guests-observed`, key `<guest>`: what a deployer last saw. `control` is host:port of the CoAP channel.

    `spec` is the digest of the specification that this is about, `refused` a newer one that failed and was left. `degraded`
    runs, but an element has no program, or its maps lack entries that were asked for: `reason` says which and why;
    `unresponsive` runs and does not answer. `alarm` is what somebody has to look at. `maps` counts the desired map entries.
    """

    guest: GuestName
    state: GuestState
    audience: Audience
    host: str
    programs: dict[str, str] = {}
    pid: int | None = None
    machine: str = ""
    accel: str = ""
    control: str | None = None
    boot_ms: float | None = None
    reason: str | None = None
    restarts: int = 0
    networks: dict[str, str] = {}
    graph_digest: str = ""
    boot_id: str = ""
    spec: str = ""
    refused: SpecRefusal | None = None
    alarm: str | None = None
    maps: MapsPutBack | None = None

    @property
    def is_live(self) -> bool:
        """Whether it runs, so that it may be told what to run."""
        return self.state in {"running", "degraded", "unresponsive"}


class GuestEvent(Message, frozen=True, kw_only=True):
    """`guest.<state>`: a change in a guest's life."""

    guest: GuestName
    state: GuestState
    host: str
    reason: str | None = None
    alarm: str | None = None
    boot_ms: float | None = None
    machine: str = ""
    accel: str = ""
    pid: int | None = None
    maps: MapsPutBack | None = None


class HostStatus(Message, frozen=True, kw_only=True):
    """Answer of `deployer.<host>.status` (request: empty): the guests of this host as its deployer sees them.

    `networks` and `most_memory_mib` are what a guest may ask for here; older deployers do not say it.
    """

    host: str
    accel: str
    accel_reason: str
    guests: list[GuestObserved] = []
    networks: list[str] | None = None
    most_memory_mib: int | None = None
