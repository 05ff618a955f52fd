"""Who may use which subject: the table that the server enforces (design 4, "who did it").

A stored message names no publisher, so the server has to: an identity uploads only under its own token, only the verifier
may say `verified`, only the signer `signed`, and so on. Replies go to an inbox prefix of the identity's own, so that
nobody reads another's answers. What is not listed is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from unibpf.authority.roles import OPERATOR, host_of, role_of
from unibpf.bus import topology
from unibpf.bus.topology import (
    GUESTS,
    GUESTS_OBSERVED,
    LEASES,
    MAPS,
    OBJECTS,
    RELEASE_LISTS,
    RELEASES,
    RESERVATIONS,
    SEQUENCES,
    SETBACKS,
    UPLOADED,
)
from unibpf.subjects import (
    AUDIT,
    CLI,
    DEAD,
    DEPLOYER,
    EVENTS,
    PREFIX,
    PUSHER,
    RECONFIGURER,
    SIGNER,
    SUBJECTS,
    TRACES,
    VERIFIER,
    Subject,
    dead_letter,
    trace,
)

__all__ = [
    "DISCOVERY",
    "OPERATOR",
    "OTHERS",
    "ROLES",
    "Role",
    "changes_of",
    "heard_rows",
    "permissions",
    "request_family",
]

ALL_BUCKETS: Final = tuple(row.name for row in topology.BUCKETS)
OTHERS: Final = "others"  # before subjects that come from another host's account
DISCOVERY: Final = "$SRV.>"  # ADR-32: who serves what, and whether he answers


@dataclass(frozen=True, kw_only=True)
class Role:
    """What an identity may do with buckets, stores and streams; its subjects stand in unibpf.subjects.

    `whole_families` lets a person hear and ask for all that begins with the same word, so that `unibpf` need not be
    newer than the services; a service has its own subjects only.
    """

    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    whole_families: bool = False


ROLES: Final = {
    VERIFIER: Role(stores=(OBJECTS, UPLOADED)),
    SIGNER: Role(
        writes=(RELEASES, RELEASE_LISTS, SEQUENCES, RESERVATIONS),
        reads=(SETBACKS,),
        streams=(AUDIT,),
        stores=(OBJECTS,),
    ),
    DEPLOYER: Role(writes=(GUESTS, GUESTS_OBSERVED, MAPS, LEASES), watches=(GUESTS,), reads=(RELEASES, RELEASE_LISTS)),
    RECONFIGURER: Role(
        writes=(SETBACKS,), reads=(RELEASES, RELEASE_LISTS, GUESTS, GUESTS_OBSERVED, MAPS, LEASES), streams=(EVENTS,)
    ),
    CLI: Role(reads=ALL_BUCKETS, streams=(EVENTS, TRACES, AUDIT, DEAD), stores=(UPLOADED,), whole_families=True),
    # Pushes under its own name and hears what becomes of it: who runs the program says when the push has come to its end.
    PUSHER: Role(reads=(GUESTS_OBSERVED,), streams=(EVENTS, TRACES), stores=(UPLOADED,)),
}


def permissions(identity: str) -> dict[str, Any]:
    """The `permissions` block of one user in the server's configuration."""
    if identity == OPERATOR:
        return {"publish": {"allow": [">"]}, "subscribe": {"allow": [">"]}}
    role = role_of(identity)
    served = _served(identity)
    changes = {subject for bucket in ROLES[role].watches for subject in changes_of(bucket)}
    block: dict[str, Any] = {
        "publish": {"allow": sorted(_sends(identity) | _stored(ROLES[role]))},
        "subscribe": {"allow": sorted({f"_INBOX_{identity}.>", *_heard(role), *served, *changes})},
    }
    if served:
        block["allow_responses"] = {"max": 1, "expires": "1m"}
    return block


def changes_of(bucket: str) -> tuple[str, str]:
    """Where writes to a bucket are heard: those of one's own account and of the core, and those of other accounts."""
    return f"$KV.{bucket}.>", f"{OTHERS}.*.$KV.{bucket}.>"


def _sends(identity: str) -> set[str]:
    """Events and requests, and what working on a queue takes."""
    role, host = role_of(identity), host_of(identity)
    rows = [row for row in SUBJECTS if role in row.senders]
    allowed = {pattern for row in rows if row.server is None for pattern in row.patterns(identity=identity)}
    allowed |= {trace("*"), dead_letter(identity), DISCOVERY, *_together(role, [row for row in rows if row.server])}
    for row in SUBJECTS:
        if row.consumer is not None and row.consumer.partition("-")[0] == role:
            allowed |= _working(str(row.stream), row.consumer.format(host=host or "*"))
    return {_whole_token(subject) for subject in allowed}


def heard_rows(role: str) -> list[Subject]:
    """What a role hears live."""
    return [row for row in SUBJECTS if role in row.hears]


def _heard(role: str) -> set[str]:
    return _together(role, heard_rows(role))


def request_family(row: Subject, host: str | None) -> str:
    """Everything that a service is asked by subjects of this row's kind: at one of its hosts, where it has such."""
    at = f"{host or '*'}." if row.parameters else ""
    return f"{PREFIX}.{row.family}.{at}>"


def _served(identity: str) -> set[str]:
    """What a service is asked: at each of its hosts, or by all that begins with its name; and whether it is there."""
    rows = [row for row in SUBJECTS if row.server == role_of(identity)]
    if not rows:
        return set()
    if not rows[0].parameters:
        return {DISCOVERY, request_family(rows[0], None)}
    return {DISCOVERY, _common(rows, host=host_of(identity) or "*")}


def _together(name: str, rows: Iterable[Subject]) -> set[str]:
    """One pattern a family."""
    families: dict[str, list[Subject]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    if ROLES[name].whole_families:
        return {f"{PREFIX}.{family}.>" for family in families}
    return {_common(found) for found in families.values()}


def _common(rows: Iterable[Subject], *, host: str = "*") -> str:
    """The narrowest pattern that matches all of `rows` at one host or any; they are equally long."""
    words = zip(*(pattern.split(".") for row in rows for pattern in row.patterns(host=host)), strict=True)
    return ".".join(column[0] if len(set(column)) == 1 else "*" for column in words)


def _working(stream: str, durable: str) -> set[str]:
    """Fetching from one durable consumer, answering for its messages, and giving them up."""
    return {
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
        dead_letter(durable),
    }


def _stored(role: Role) -> set[str]:
    """Streams, buckets and stores."""
    allowed = {"$JS.API.INFO", "$JS.API.STREAM.INFO.*"}
    for bucket in role.writes:
        allowed.add(f"$KV.{bucket}.>")
    stores = (f"OBJ_{store}" for store in (OBJECTS, *role.stores))
    for stream in (*(f"KV_{bucket}" for bucket in (*role.writes, *role.reads)), *role.streams, *stores):
        allowed |= _reading(stream)
    for store in role.stores:
        allowed |= {f"$O.{store}.C.>", f"$O.{store}.M.>"}
    return allowed


def _reading(stream: str) -> set[str]:
    """Direct gets: of one message, of the next, of the newest of each subject."""
    return {f"$JS.API.DIRECT.GET.{stream}", f"$JS.API.DIRECT.GET.{stream}.>"}


def _whole_token(subject: str) -> str:
    """NATS has no wildcard inside a token: `reconfigurer-*` becomes `*`."""
    return ".".join("*" if "*" in token else token for token in subject.split("."))
