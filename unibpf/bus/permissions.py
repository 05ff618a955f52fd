"""Who may use which subject: the table that the server enforces (design 4, "who did it").

A stored message names no publisher, so the server has to: an identity uploads only under its own token, only the verifier
may say `verified`, only the signer `signed`, and so on. Replies go to an inbox prefix of the identity's own, so that
nobody reads another's answers. What is not listed is refused.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from unibpf.bus import topology
from unibpf.bus.topology import (
    AUDIT,
    COMMANDS,
    DEAD,
    EVENTS,
    GUESTS,
    GUESTS_OBSERVED,
    LEASES,
    OBJECTS,
    RELEASES,
    RESERVATIONS,
    SEQUENCES,
    TRACES,
    UPLOADED,
    UPLOADS,
    VERDICTS,
)
from unibpf.subjects import PREFIX

OPERATOR: Final = "operator"
SERVICES: Final = ("verifier", "signer", "deployer", "reconfigurer")
CLI: Final = "cli"
ALL_BUCKETS: Final = tuple(row.name for row in topology.BUCKETS)


@dataclass(frozen=True, kw_only=True)
class Role:
    """What an identity may do, in the bus's own terms. `{identity}` in a subject stands for its name."""

    publishes: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    consumes: tuple[tuple[str, str], ...] = ()
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    requests: tuple[str, ...] = field(default=("$SRV.>",))


_STATES: Final = ("booting", "running", "degraded", "failed", "stopped")

ROLES: Final = {
    "verifier": Role(
        publishes=(f"{PREFIX}.program.verified.*", f"{PREFIX}.program.rejected.*"),
        consumes=((UPLOADS, "verifier"),),
        writes=(VERDICTS,),
        stores=(OBJECTS, UPLOADED),
        serves=(f"{PREFIX}.verifier.>",),
    ),
    "signer": Role(
        publishes=(f"{PREFIX}.program.signed.*", f"{PREFIX}.program.refused.*", f"{PREFIX}.audit.*"),
        consumes=((EVENTS, "signer"),),
        writes=(RELEASES, SEQUENCES, RESERVATIONS),
        streams=(AUDIT,),
        stores=(OBJECTS,),
        serves=(f"{PREFIX}.signer.>",),
    ),
    "deployer": Role(
        publishes=tuple(f"{PREFIX}.guest.{state}.*" for state in _STATES),
        consumes=((COMMANDS, "deployer"),),
        writes=(GUESTS, GUESTS_OBSERVED, LEASES),
        watches=(GUESTS,),
        reads=(RELEASES,),
        serves=(f"{PREFIX}.deployer.*.status",),
        requests=("$SRV.>", f"{PREFIX}.signer.sign_graph"),
    ),
    "reconfigurer": Role(
        publishes=(f"{PREFIX}.element.*.*.*",),
        hears=(f"{PREFIX}.guest.*.*",),
        consumes=((EVENTS, "reconfigurer-*"), (COMMANDS, "rollouts")),
        writes=(GUESTS_OBSERVED,),
        reads=(RELEASES, GUESTS, LEASES),
        streams=(EVENTS,),
        serves=(f"{PREFIX}.reconfigurer.*.*",),
    ),
    CLI: Role(
        publishes=(
            f"{PREFIX}.program.upload.{{identity}}.*",
            f"{PREFIX}.guest.apply.*",
            f"{PREFIX}.guest.delete.*",
            f"{PREFIX}.rollout.*.*",
        ),
        hears=tuple(f"{PREFIX}.{kind}.>" for kind in ("program", "guest", "element", "rollout", "audit", "dead")),
        reads=ALL_BUCKETS,
        streams=(EVENTS, TRACES, AUDIT, DEAD),
        stores=(UPLOADED,),
        # Not the signer: graphs are signed for deployers only.
        requests=("$SRV.>", *(f"{PREFIX}.{service}.>" for service in ("verifier", "deployer", "reconfigurer"))),
    ),
}

# Any other identity (a CI job, another system): pushes under its own name and watches what becomes of it.
PUSHER: Final = Role(
    publishes=(f"{PREFIX}.program.upload.{{identity}}.*",),
    hears=(f"{PREFIX}.program.*.*", f"{PREFIX}.element.*.*.*"),
    streams=(EVENTS, TRACES),
    stores=(UPLOADED,),
)


def permissions(identity: str) -> dict[str, Any]:
    """The `permissions` block of one user in the server's configuration."""
    if identity == OPERATOR:
        return {"publish": {"allow": [">"]}, "subscribe": {"allow": [">"]}}
    role = ROLES.get(identity, PUSHER)
    block: dict[str, Any] = {
        "publish": {"allow": sorted(_publish(identity, role))},
        "subscribe": {"allow": sorted(_subscribe(identity, role))},
    }
    if role.serves:
        block["allow_responses"] = {"max": 1, "expires": "1m"}
    return block


def _publish(identity: str, role: Role) -> set[str]:
    allowed = {subject.format(identity=identity) for subject in role.publishes}
    allowed |= {
        f"{PREFIX}.trace.*",
        f"{PREFIX}.dead.{identity}",
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.*",
        *role.requests,
    }
    for stream, durable in role.consumes:
        allowed |= {
            f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
            f"$JS.ACK.{stream}.{durable}.>",
            f"{PREFIX}.dead.{durable}",
        }
    for bucket in role.writes:
        allowed.add(f"$KV.{bucket}.>")
    stores = (f"OBJ_{store}" for store in (OBJECTS, *role.stores))
    for stream in (*(f"KV_{bucket}" for bucket in (*role.writes, *role.reads)), *role.streams, *stores):
        allowed |= _reading(stream)
    for bucket in role.watches:
        allowed |= _watching(f"KV_{bucket}")
    for store in role.stores:
        allowed |= {f"$O.{store}.C.>", f"$O.{store}.M.>"}
    return {_whole_token(subject) for subject in allowed}


def _subscribe(identity: str, role: Role) -> set[str]:
    allowed = {f"_INBOX_{identity}.>", *role.hears}
    if role.serves:
        allowed |= {*role.serves, "$SRV.>"}
    return allowed


def _reading(stream: str) -> set[str]:
    """Direct gets: of one message, of the next, of the newest of each subject."""
    return {f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.>"}


def _watching(stream: str) -> set[str]:
    """Ephemeral ordered consumers. For services only: `snapshot.py` says what else a consumer can do."""
    return {
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}.>",
        f"$JS.API.CONSUMER.INFO.{stream}.*",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.FC.{stream}.>",
    }


def _whole_token(subject: str) -> str:
    """NATS has no wildcard inside a token: `reconfigurer-*` becomes `*`."""
    return ".".join("*" if "*" in token else token for token in subject.split("."))
