"""Every stream, bucket and consumer of UniBPF: one table, made by `unibpf bus init` (stores/setup.py), as the operator.

Services only bind to what is here (`missing`), they never create it. Work queues hold what must be done once; limits
streams hold what happened, for any number of readers. A work queue's consumers never overlap in their subjects.

Everything has a limit in bytes, so that nobody fills the server's disk. At its limit a stream forgets its oldest message
where losing one costs a diagnosis or a repeated push, and refuses new ones (`full="refuse"`) where it would cost work that
was accepted or a fact that safety rests on. What uploaders write (`UPLOADS`, `UPLOADED`) is apart from what services keep.
What has neither an age nor forgets names its `cleaner`: why it does not fill by normal use.
"""

from dataclasses import dataclass
from typing import Final, Literal

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from unibpf.host.settings import DEFAULT_HOST
from unibpf.subjects import AUDIT, COMMANDS, DEAD, EVENTS, SUBJECTS, TRACES, UPLOADS, signed

DAY: Final = 86400
MIB: Final = 1 << 20
MAX_PAYLOAD: Final = 1024 * 1024
ACK_WAIT_SECONDS: Final = 5.0
MAX_DELIVERIES: Final = 6

RELEASES: Final = "unibpf-releases"
RELEASE_LISTS: Final = "unibpf-release-lists"
GUESTS: Final = "unibpf-guests"
GUESTS_OBSERVED: Final = "unibpf-guests-observed"
MAPS: Final = "unibpf-maps"
SETBACKS: Final = "unibpf-setbacks"
SEQUENCES: Final = "unibpf-sequences"
RESERVATIONS: Final = "unibpf-reservations"
LEASES: Final = "unibpf-leases"

# What older versions made and nobody uses any more: it may stand, so servers keep its room, and nothing ever writes there.
RETIRED: Final = {"KV_unibpf-verdicts": 128 * MIB}

OBJECTS: Final = "unibpf-objects"
UPLOADED: Final = "unibpf-uploads"

Full = Literal["refuse", "forget"]
Authority = Literal["writer", "command"]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream; `work_queue` decides its retention. `durable` False lets the server write without an fsync each time."""

    name: str
    description: str
    max_bytes: int
    full: Full = "forget"
    max_messages: int = 1_000_000
    work_queue: bool = False
    max_age: float = 30 * DAY
    durable: bool = True
    append_only: bool = False
    advisories: tuple[str, ...] = ()  # subjects of the server's own that it keeps as well
    cleaner: str = ""

    @property
    def subjects(self) -> tuple[str, ...]:
        """What it keeps: the rows of unibpf.subjects that name it."""
        rows = (row for row in SUBJECTS if row.stream == self.name)
        return (*(pattern for row in rows for pattern in row.patterns()), *self.advisories)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One key-value bucket: the newest `history` values of a key.

    `authority` says whose signature makes a value one: its writer's (permissions.py says who those are), or that of the command
    that asked for it (`guest.apply.<key>` or, of a tombstone, `guest.delete.<key>`, kept as they came).
    """

    name: str
    description: str
    history: int = 1
    max_bytes: int = 64 * MIB
    full: Full = "refuse"
    max_age: float = 0
    cleaner: str = ""
    authority: Authority = "writer"
    of_host: bool = False  # a value's `host` is its writer's own


@dataclass(frozen=True, kw_only=True)
class Store:
    """One object store."""

    name: str
    description: str
    max_bytes: int
    full: Full
    max_messages: int = 1_000_000
    max_age: float = 0
    cleaner: str = ""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """One durable pull consumer with explicit acknowledgements."""

    name: str
    stream: str
    subjects: tuple[str, ...]
    max_deliveries: int = MAX_DELIVERIES
    ack_wait: float = ACK_WAIT_SECONDS


STREAMS: Final = (
    Stream(
        name=UPLOADS,
        description="pushed objects",
        max_bytes=256 * MIB,
        full="refuse",
        max_messages=10_000,
        work_queue=True,
    ),
    Stream(
        name=COMMANDS,
        description="desired guests",
        max_bytes=64 * MIB,
        full="refuse",
        max_messages=10_000,
        work_queue=True,
    ),
    Stream(
        name=EVENTS,
        description="what happened",
        max_bytes=512 * MIB,
    ),
    Stream(
        name=TRACES,
        description="finished spans",
        max_bytes=256 * MIB,
        max_age=7 * DAY,
        durable=False,
    ),
    Stream(
        name=AUDIT,
        description="what was signed; when it is full, nothing more is signed",
        max_bytes=1024 * MIB,
        full="refuse",
        max_messages=-1,
        max_age=0,
        append_only=True,
        cleaner="a person, who archives it and gives it another limit: 600,000 pushes a year take 300 MiB",
    ),
    Stream(
        name=DEAD,
        advisories=("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",),
        description="what no service could handle, and why",
        max_bytes=64 * MIB,
    ),
)

BUCKETS: Final = (
    Bucket(
        name=RELEASES,
        description="<audience>.<program>: newest Signed",
        history=16,
        cleaner="16 are kept of each",
    ),
    Bucket(
        name=RELEASE_LISTS,
        description="<audience>: the signed list of what is current",
        cleaner="one an audience, for ever",
    ),
    Bucket(
        name=GUESTS,
        description="<guest>: desired GuestSpec",
        history=8,
        authority="command",
        cleaner="the deployer, at a guest's end",
    ),
    Bucket(
        name=GUESTS_OBSERVED,
        description="<guest>: GuestObserved",
        of_host=True,
        cleaner="the deployer, at a guest's end",
    ),
    Bucket(name=MAPS, description="<guest>: DesiredMaps", history=8, cleaner="the deployer, at a guest's end"),
    Bucket(
        name=SEQUENCES,
        description="{program,graph}.<audience>.<name>: highest sequence",
        cleaner="one a name, for ever",
    ),
    # Kept for longer than the event that could ask for it again: by age, and by count under load (some 170,000 pushes, while
    # at most `max_ack_pending` events can be delivered again). A full bucket must not stop signing.
    Bucket(
        name=RESERVATIONS,
        description="push.<stream>.<sequence>: what a push was signed as",
        full="forget",
        max_age=60 * DAY,
    ),
    Bucket(
        name=SETBACKS,
        description="<envelope>: the Setback of a release that a guest refused or left",
        max_bytes=16 * MIB,
        full="forget",
        max_age=90 * DAY,
    ),
    Bucket(
        name=LEASES,
        description="<guest>: the host that runs it",
        of_host=True,
        cleaner="the deployer, when it gives a guest up",
    ),
)

STORES: Final = (
    Store(
        name=OBJECTS,
        description="bundles, certificates, envelopes and reports by their SHA-256",
        max_bytes=2048 * MIB,
        full="forget",
        cleaner="the signer stores again what kept releases name, before it would be forgotten (upkeep/keeping.py)",
    ),
    Store(
        name=UPLOADED,
        description="pushed objects by their SHA-256",
        max_bytes=256 * MIB,
        full="forget",
        max_messages=100_000,
        max_age=7 * DAY,
    ),
)


def consumers(hosts: tuple[str, ...] = (DEFAULT_HOST,)) -> tuple[Consumer, ...]:
    """The consumers: one for all copies of a service, except that every host's reconfigurer hears every release."""
    found: dict[str, Consumer] = {}
    for row in SUBJECTS:
        if row.consumer is None or row.stream is None:
            continue
        for name in dict.fromkeys(row.consumer.format(host=host) for host in hosts):
            before = found[name].subjects if name in found else ()
            found[name] = Consumer(name=name, stream=row.stream, subjects=(*before, *row.patterns()))
    return tuple(found.values())


def reconfigurer(host: str) -> str:
    """The consumer of one host's reconfigurer."""
    return str(signed.consumer).format(host=host)


def consumer(name: str, hosts: tuple[str, ...] = (DEFAULT_HOST,)) -> Consumer:
    """The table row of a consumer; `reconfigurer-<host>` is known for any host."""
    if name.startswith("reconfigurer-"):
        hosts = (*hosts, name.removeprefix("reconfigurer-"))
    return next(row for row in consumers(hosts) if row.name == name)


async def missing(js: JetStreamContext, *, streams: tuple[str, ...] = ()) -> list[str]:
    """The names of those `streams` (default: all) that the server does not have."""
    absent = []
    for name in streams or tuple(str(config.name) for config in stream_configs(1)):
        try:
            await js.stream_info(name)
        except NotFoundError:
            absent.append(name)
    return absent


def stream_configs(replicas: int) -> list[StreamConfig]:
    """The server's view of the whole table: streams, and the streams behind buckets and objects."""
    return [
        *(_stream_config(row, replicas) for row in STREAMS),
        *(_bucket_config(row, replicas) for row in BUCKETS),
        *(_store_config(row, replicas) for row in STORES),
    ]


def total_bytes() -> int:
    """What the server has to have room for: the sum of all limits, and of what an older version may have left there."""
    return sum(row.max_bytes for row in (*STREAMS, *BUCKETS, *STORES)) + sum(RETIRED.values())


def consumer_config(row: Consumer) -> ConsumerConfig:
    """Explicit acknowledgement, bounded redelivery; the backoff between attempts is `consume`'s (a delayed NAK)."""
    return ConsumerConfig(
        durable_name=row.name,
        filter_subjects=list(row.subjects),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=row.ack_wait,
        max_deliver=row.max_deliveries,
        max_ack_pending=1000,
    )


def _stream_config(row: Stream, replicas: int) -> StreamConfig:
    return StreamConfig(
        name=row.name,
        subjects=list(row.subjects),
        description=row.description,
        retention=RetentionPolicy.WORK_QUEUE if row.work_queue else RetentionPolicy.LIMITS,
        max_age=row.max_age,
        max_bytes=row.max_bytes,
        max_msgs=row.max_messages,
        discard=_DISCARD[row.full],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_msg_size=MAX_PAYLOAD,
        allow_direct=True,
        deny_delete=row.append_only,
        deny_purge=row.append_only,
        # ADR-56: asynchronous persistence exists for unreplicated streams only.
        persist_mode=PersistMode.ASYNC if not row.durable and replicas == 1 else None,
    )


def _bucket_config(row: Bucket, replicas: int) -> StreamConfig:
    """As ADR-8 lays out a key-value bucket, without roll-ups: with them, one write could purge the whole bucket."""
    return StreamConfig(
        name=f"KV_{row.name}",
        subjects=[f"$KV.{row.name}.>"],
        description=row.description,
        max_msgs_per_subject=row.history,
        max_bytes=row.max_bytes,
        max_age=row.max_age,
        discard=_DISCARD[row.full],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        allow_direct=True,
        deny_delete=True,
    )


def _store_config(row: Store, replicas: int) -> StreamConfig:
    """As ADR-20 lays out an object store, without roll-ups: uploaders write to one of them, and none may purge it."""
    return StreamConfig(
        name=f"OBJ_{row.name}",
        subjects=[f"$O.{row.name}.C.>", f"$O.{row.name}.M.>"],
        description=row.description,
        max_bytes=row.max_bytes,
        max_msgs=row.max_messages,
        max_age=row.max_age,
        discard=_DISCARD[row.full],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_msg_size=MAX_PAYLOAD,
        allow_direct=True,
    )


_DISCARD: Final = {"refuse": DiscardPolicy.NEW, "forget": DiscardPolicy.OLD}


def bucket(name: str) -> Bucket:
    """The table row of a bucket."""
    return next(row for row in BUCKETS if row.name == name)
