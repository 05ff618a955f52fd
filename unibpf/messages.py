"""The payload of every message, as frozen msgspec Structs; schemas/messages.schema.json is made from them.

Evolution: new fields always carry defaults, no field changes its meaning or unit, unknown fields are ignored. Digests are
64 lower-case hex digits of SHA-256. Times are Unix seconds unless the name says otherwise.
"""

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
ProgramName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
GuestName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,47}$")]
ElementName = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_@-]{0,62}$")]
Audience = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
Identity = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]
MapName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.]{1,63}$")]
HexBytes = Annotated[str, Meta(pattern="^([0-9a-f]{2})+$")]
Kind = Literal["filter", "classifier", "rewriter"]
MapMode = Literal["any", "create", "replace"]
VerdictKind = Literal["safe", "unsafe", "unsupported", "gave_up"]

MAX_CHANGES: Final = 4096
MAX_CHANGE_BYTES: Final = 66_048  # of keys and values: one of the largest that a map has, or many small ones


class Message(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all messages."""


class SliceStep(Message, frozen=True, kw_only=True):
    """One instruction that led to a finding; `taken` says of a branch that guards it whether it is taken on the way there."""

    instruction: int
    text: str
    taken: bool | None = None
    file: str | None = None
    line: int | None = None
    source: str | None = None


class Finding(Message, frozen=True, kw_only=True):
    """One reason why a program was not accepted, as a compiler would print it."""

    rule: str
    message: str
    instruction: int | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source: str | None = None
    known: list[str] = []
    hint: str | None = None
    slice: list[SliceStep] = []


class SecondOpinion(Message, frozen=True, kw_only=True):
    """What another verifier made of the same object; `accepts` is None when it came to no end. It changes no verdict."""

    verifier: str
    accepts: bool | None
    agrees: bool
    said: str = ""


class Report(Message, frozen=True, kw_only=True):
    """What the verifier found; stored content-addressed as JSON. Only `timing` may differ between two runs.

    `instruction_bound` is the most instructions that one packet can cost, if that is finite. `timing` has milliseconds:
    `frontend_ms`, `analyser_cpu_ms`, `total_ms`; and `peak_mib`, the analyser's memory. `loading` is what the pusher set in
    place of a loader, as options of the command line (`--const=limit=9`, unibpf.push.loading). `certificate` is what proves
    the verdict to the signer's checker (schemas/certificate.cddl).
    """

    verdict: VerdictKind
    program: str
    findings: list[Finding] = []
    kind: Kind | None = None
    bundle: Digest | None = None
    bundle_length: int = 0
    certificate: Digest | None = None
    instructions: int = 0
    stack_bytes: int = 0
    instruction_bound: int | None = None
    loops: list[dict[str, int | None]] = []
    helpers: list[int] = []
    maps: list[str] = []
    verifier: str = "unibpf"
    version: str = ""
    options_digest: str = ""
    timing: dict[str, float] = {}
    also: list[SecondOpinion] = []
    loading: list[str] = []


def verdict_digest(report: Report) -> str:
    """What `Verdict.verdict_digest` and every envelope bind: SHA-256 over the report's JSON, keys sorted, `timing` empty."""
    return hashlib.sha256(
        msgspec.json.encode(msgspec.structs.replace(report, timing={}), order="deterministic")
    ).hexdigest()


class Verdict(Message, frozen=True, kw_only=True):
    """`program.verified` / `program.rejected`: the verdict over one pushed object.

    `push_id` is the stream sequence of the upload (`<stream>:<sequence>`): a redelivered upload keeps it. `audience` is what
    the pusher asked for (header `Unibpf-Audience`). Header `Unibpf-Signature` (base64) is the verifier's nkey signature over
    the payload bytes. `also` are the opinions of other verifiers that this one was told to ask, the same as in the report.
    """

    push_id: str
    identity: Identity
    program: ProgramName
    audience: Audience
    verdict: VerdictKind
    object: Digest
    report: Digest
    verdict_digest: Digest
    verifier: str
    version: str
    options_digest: Digest
    bundle: Digest | None = None
    bundle_length: int = 0
    kind: Kind | None = None
    certificate: Digest | None = None
    element: str = "*"
    summary: str = ""
    also: list[SecondOpinion] = []


class Signed(Message, frozen=True, kw_only=True):
    """`program.signed`: an envelope exists; the bytes are in the object store under `envelope` and `bundle`."""

    push_id: str
    program: ProgramName
    audience: Audience
    kind: Kind
    element: str
    sequence: int
    envelope: Digest
    bundle: Digest
    policy: str
    identity: Identity
    not_after: int | None = None


class Refused(Message, frozen=True, kw_only=True):
    """`program.refused`: the signer would not sign."""

    push_id: str
    program: ProgramName
    audience: Audience
    identity: Identity
    rule: str
    reason: str
    hint: str | None = None


class AuditRecord(Message, frozen=True, kw_only=True):
    """One decision of the signer, written before the HSM is asked. `certificate` is of programs: the proof that was checked."""

    push_id: str
    program: ProgramName
    audience: Audience
    identity: Identity
    sequence: int
    bundle: Digest
    verdict_digest: Digest
    policy: str
    signed_at: int
    kid: str
    certificate: Digest | None = None


class Nic(Message, frozen=True, kw_only=True):
    """A data NIC of a guest: its name in the graph and the host network (named in the host's own configuration)."""

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9]{0,14}$")]
    network: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,47}$")]


class GuestSpec(Message, frozen=True, kw_only=True):
    """`guest.apply`: the desired guest. It names networks and resources, never host paths, devices or commands.

    `graph` is the text of the Click configuration; the deployer takes it to the signer to have it signed (kind graph).
    `programs` maps an element to the program whose newest release it boots with; an element whose program has no release
    yet boots without (and drops).
    """

    guest: GuestName
    audience: Audience
    graph: Annotated[str, Meta(max_length=65536)]
    nics: list[Nic] = []
    programs: dict[str, str] = {}
    memory_mib: Annotated[int, Meta(ge=4, le=1024)] = 8
    machine: Literal["microvm", "q35", "process"] = "microvm"
    host: str | None = None


class GuestObserved(Message, frozen=True, kw_only=True):
    """KV `unibpf-guests-observed`, key `<guest>`: what a deployer last saw. `control` is host:port of the CoAP channel."""

    guest: GuestName
    state: Literal["booting", "running", "failed", "stopped"]
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


class GuestEvent(Message, frozen=True, kw_only=True):
    """`guest.<state>`: a change in a guest's life."""

    guest: GuestName
    state: Literal["booting", "running", "failed", "stopped"]
    host: str
    reason: str | None = None
    boot_ms: float | None = None
    machine: str = ""
    accel: str = ""
    pid: int | None = None


class MapDecision(Message, frozen=True, kw_only=True):
    """What happened to one map at a swap: 'kept', 'new', 'reset' or 'migrated', with the entries that survived."""

    name: str
    decision: Literal["kept", "new", "reset", "migrated"]
    entries: int


class ElementEvent(Message, frozen=True, kw_only=True):
    """`element.<state>`: the guest's own, authenticated answer about one update of one element.

    `steps` are the guest's timings, [name, start ns, duration ns]. On `failed`, `rule` and `reason` are the guest's.
    """

    guest: GuestName
    element: ElementName
    state: Literal["staged", "active", "failed", "rolled_back"]
    program: str
    sequence: int
    envelope: Digest
    push_id: str = ""
    already: bool = False
    rule: str | None = None
    reason: str | None = None
    steps: list[tuple[str, int, int]] = []
    maps: list[MapDecision] = []
    engine: str = ""
    swap_ns: int = 0
    longest_gap_ns: int = 0
    packets_during: int = 0
    packets_lost: int = 0


class DeadLetter(Message, frozen=True, kw_only=True):
    """A message that no service could handle, with the reason; the bytes stay where they were (stream and sequence)."""

    service: str
    subject: str
    reason: str
    stream: str = ""
    sequence: int = 0
    deliveries: int = 0


class SpanRecord(Message, frozen=True, kw_only=True):
    """One finished span, as `unibpf.v1.trace.<trace id>` keeps it (its payload is a JSON array of these).

    Ids are hex as in W3C trace context. Times are Unix nanoseconds. `service` of a guest's step is `guest/<name>`; `pid` is
    the process that reported the span.
    """

    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    span_id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    name: str
    service: str
    start_ns: int
    end_ns: int
    parent_id: str | None = None
    pid: int = 0
    kind: str = "internal"
    attributes: dict[str, str | int | float | bool] = {}
    error: str | None = None


class SignGraph(Message, frozen=True, kw_only=True):
    """Request `unibpf.v1.signer.sign_graph`: sign the Click configuration of one guest for its audience."""

    guest: GuestName
    audience: Audience
    name: ProgramName
    graph: Annotated[str, Meta(min_length=1, max_length=65536)]


class SignedGraph(Message, frozen=True, kw_only=True):
    """Answer to SignGraph. The envelope is in the object store under `envelope`; asking again gives the same one."""

    name: ProgramName
    audience: Audience
    sequence: int
    envelope: Digest
    graph: Digest
    policy: str
    not_after: int | None = None


class HostStatus(Message, frozen=True, kw_only=True):
    """Answer of `deployer.<host>.status` (request: empty): the guests of this host as its deployer sees them."""

    host: str
    accel: str
    accel_reason: str
    guests: list[GuestObserved] = []


class GuestQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.status`, answered by a GuestStatus."""

    guest: GuestName


class MapQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.dump`, answered by a MapDump: entries from `cursor` on, or that of `key` (hex).

    Of a ring, `cursor` is the `position` up to which records have arrived: the guest forgets those.
    """

    guest: GuestName
    element: ElementName
    map: MapName
    key: HexBytes | None = None
    cursor: Annotated[int, Meta(ge=0)] = 0


class MapChange(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.change`, answered by a MapChanged: set or delete entries of a map, in this order.

    `changes` are [key, value] in hex, MAX_CHANGE_BYTES at most; a value of null deletes. `mode` is for entries that are set:
    `create` only new ones, `replace` only those that exist. With `envelope` nothing is changed unless that release is active.
    """

    guest: GuestName
    element: ElementName
    map: MapName
    changes: Annotated[list[tuple[HexBytes, HexBytes | None]], Meta(min_length=1, max_length=MAX_CHANGES)]
    mode: MapMode = "any"
    envelope: Digest | None = None


class MapChanged(Message, frozen=True, kw_only=True):
    """How far a MapChange came: `applied` changes were made and stay made; `entries` are in the map now.

    With `errno` (Linux'), the change number `applied`, counted from 0, failed with it, and none behind it was tried.
    """

    name: str
    applied: int
    entries: int
    errno: int | None = None


class RollbackQuery(Message, frozen=True, kw_only=True):
    """Request to `reconfigurer.<host>.rollback`, answered by the ElementEvent that is also published."""

    guest: GuestName
    element: ElementName


class Placed(Message, frozen=True, kw_only=True):
    """A release inside an element: staged, or previous and still loaded."""

    sequence: int
    envelope: Digest


class MapStatus(Message, frozen=True, kw_only=True):
    """One map of an element's active program; `type` is Linux' number, sizes are bytes."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    entries: int


class ElementStatus(Message, frozen=True, kw_only=True):
    """One element as the guest itself describes it. Fields about a program are None where no program is active.

    `isolation` is `none` or `pku`; None where the element runs no programs, or the guest is older than the field.
    """

    name: str
    class_name: str
    kind: Kind | None = None
    program: str | None = None
    sequence: int | None = None
    envelope: Digest | None = None
    engine: str | None = None
    packets: int = 0
    drops: dict[str, int] = {}
    maps: list[MapStatus] = []
    staged: Placed | None = None
    previous: Placed | None = None
    floor: int | None = None
    handlers: dict[str, str] = {}
    isolation: str | None = None


class NicStatus(Message, frozen=True, kw_only=True):
    """The counters of one NIC since boot."""

    name: str
    mac: str
    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    rx_dropped: int
    tx_dropped: int


class GuestStatus(Message, frozen=True, kw_only=True):
    """The guest's own, authenticated answer to a status request. Memory is bytes; `boot` are its steps from entry to ready.

    `longest_gap_ns` is the longest time between two batches since boot, `recent_gap_ns` since the last status answer.
    """

    guest: GuestName
    boot_nonce: str
    uptime_ns: int
    audience: str
    elements: list[ElementStatus]
    nics: list[NicStatus]
    memory_total: int
    memory_used: int
    memory_peak: int
    graph: str
    graph_sequence: int
    graph_digest: Digest
    longest_gap_ns: int
    boot: list[tuple[str, int, int]] = []
    version: str = ""
    platform: str = ""
    recent_gap_ns: int = 0


class MapDump(Message, frozen=True, kw_only=True):
    """A map's content, keys and values in hex, as much as a message takes; `next` is the cursor to go on from, 0 at the end.

    A dump is no snapshot: packets go on changing the map meanwhile. Entries of a ring (ring buffer, perf event array) are its
    records, oldest first, without keys, and `position` is behind them: asked with it as `cursor`, the guest gives back their
    room. `lost` records found the ring full.
    """

    name: str
    type: int
    key_size: int
    value_size: int
    entries: list[tuple[str, str]] = []
    next: int = 0
    position: int | None = None
    lost: int = 0
