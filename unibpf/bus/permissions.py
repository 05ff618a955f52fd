"""Who may use which subject: the table that the server enforces (design 4, "who did it").

A stored message names no publisher, so the server has to: an identity uploads only under its own token, only the verifier
may say `verified`, only the signer `signed`, and so on. Replies go to an inbox prefix of the identity's own, so that
nobody reads another's answers. What is not listed is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from unibpf.bus import topology
from unibpf.bus.topology import (
    GUESTS,
    GUESTS_OBSERVED,
    LEASES,
    OBJECTS,
    RELEASE_LISTS,
    RELEASES,
    RESERVATIONS,
    SEQUENCES,
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

OPERATOR: Final = "operator"
ALL_BUCKETS: Final = tuple(row.name for row in topology.BUCKETS)
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
    SIGNER: Role(writes=(RELEASES, RELEASE_LISTS, SEQUENCES, RESERVATIONS), streams=(AUDIT,), stores=(OBJECTS,)),
    DEPLOYER: Role(writes=(GUESTS, GUESTS_OBSERVED, LEASES), watches=(GUESTS,), reads=(RELEASES, RELEASE_LISTS)),
    RECONFIGURER: Role(writes=(GUESTS_OBSERVED,), reads=(RELEASES, RELEASE_LISTS, GUESTS, LEASES), streams=(EVENTS,)),
    CLI: Role(reads=ALL_BUCKETS, streams=(EVENTS, TRACES, AUDIT, DEAD), stores=(UPLOADED,), whole_families=True),
    # Pushes under its own name and hears what becomes of it: who runs the program says when the push has come to its end.
    PUSHER: Role(reads=(GUESTS_OBSERVED,), streams=(EVENTS, TRACES), stores=(UPLOADED,)),
}


def permissions(identity: str) -> dict[str, Any]:
    """The `permissions` block of one user in the server's configuration."""
    if identity == OPERATOR:
        return {"publish": {"allow": [">"]}, "subscribe": {"allow": [">"]}}
    name = identity if identity in ROLES else PUSHER
    served = _served(name)
    block: dict[str, Any] = {
        "publish": {"allow": sorted(_sends(identity, name) | _stored(ROLES[name]))},
        "subscribe": {"allow": sorted({f"_INBOX_{identity}.>", *_heard(name), *served})},
    }
    if served:
        block["allow_responses"] = {"max": 1, "expires": "1m"}
    return block


def _sends(identity: str, name: str) -> set[str]:
    """Events and requests, and what working on a queue takes."""
    rows = [row for row in SUBJECTS if name in row.senders]
    allowed = {pattern for row in rows if row.server is None for pattern in row.patterns(identity=identity)}
    allowed |= {trace("*"), dead_letter(identity), DISCOVERY, *_together(name, [row for row in rows if row.server])}
    for row in SUBJECTS:
        if row.consumer is not None and row.consumer.partition("-")[0] == name:
            allowed |= _working(str(row.stream), row.consumer)
    return {_whole_token(subject) for subject in allowed}


def _heard(name: str) -> set[str]:
    return _together(name, [row for row in SUBJECTS if name in row.hears])


def _served(name: str) -> set[str]:
    """What a service is asked: at each of its hosts, or by all that begins with its name; and whether it is there."""
    rows = [row for row in SUBJECTS if row.server == name]
    if not rows:
        return set()
    return {DISCOVERY, _common(rows) if rows[0].parameters else f"{PREFIX}.{rows[0].family}.>"}


def _together(name: str, rows: Iterable[Subject]) -> set[str]:
    """One pattern a family."""
    families: dict[str, list[Subject]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    if ROLES[name].whole_families:
        return {f"{PREFIX}.{family}.>" for family in families}
    return {_common(found) for found in families.values()}


def _common(rows: Iterable[Subject]) -> str:
    """The narrowest pattern that matches all of `rows`, which are equally long."""
    words = zip(*(pattern.split(".") for row in rows for pattern in row.patterns()), strict=True)
    return ".".join(column[0] if len(set(column)) == 1 else "*" for column in words)


def _working(stream: str, durable: str) -> set[str]:
    """Fetching from one durable consumer, answering for its messages, and giving them up."""
    name = durable.format(host="*")
    return {
        f"$JS.API.CONSUMER.INFO.{stream}.{name}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}",
        f"$JS.ACK.{stream}.{name}.>",
        dead_letter(name),
    }


def _stored(role: Role) -> set[str]:
    """Streams, buckets and stores."""
    allowed = {"$JS.API.INFO", "$JS.API.STREAM.INFO.*"}
    for bucket in role.writes:
        allowed.add(f"$KV.{bucket}.>")
    stores = (f"OBJ_{store}" for store in (OBJECTS, *role.stores))
    for stream in (*(f"KV_{bucket}" for bucket in (*role.writes, *role.reads)), *role.streams, *stores):
        allowed |= _reading(stream)
    for bucket in role.watches:
        allowed |= _watching(f"KV_{bucket}")
    for store in role.stores:
        allowed |= {f"$O.{store}.C.>", f"$O.{store}.M.>"}
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
