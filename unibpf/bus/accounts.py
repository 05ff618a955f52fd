"""Accounts of the server: who shares what with whom, made from the table of the bus (unibpf.subjects).

Permissions look at a message's subject and never at its reply. The server's own answers (acknowledgements, direct gets) go
wherever the asker says, with no permission of his asked: inside one account that makes the server a deputy for everybody.
So the streams are in an account that only the operator has, and verifier, signer, pushers, the command line and each hypervisor
host have their own, in which a foreign reply subject means nothing: an answer crosses back to the account that asked.

    imports of services   what its identities may publish: into streams, to the JetStream API, to services of others
    imports of streams    what they hear live. A message that came by a service import does not go on to a third account, so
                          whatever an account says is imported from that very account, under the subjects of its own only
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from unibpf.authority.roles import OF_A_HOST, OPERATOR, host_of, role_of
from unibpf.bus.permissions import DISCOVERY, OTHERS, ROLES, heard_rows, permissions, request_family
from unibpf.subjects import PREFIX, SERVICES, SUBJECTS, Subject

CORE_ACCOUNT: Final = "CORE"
SYSTEM_ACCOUNT: Final = "SYS"
MANY_ANSWERS: Final = ("$JS.API.DIRECT.GET.", "$JS.API.CONSUMER.MSG.NEXT.", "$SRV.")


def account_of(identity: str) -> str:
    """The account of an identity; a host's services share one."""
    role = role_of(identity)
    if role == OPERATOR:
        return CORE_ACCOUNT
    if role in OF_A_HOST:
        return f"HOST-{host_of(identity) or 'any'}"
    return f"{'SERVICE' if role in SERVICES else 'PUSHER'}-{identity}"


def accounts(users: Mapping[str, str]) -> dict[str, Any]:
    """The configuration's `accounts`; `users` maps identities to their public keys."""
    members: dict[str, list[str]] = {CORE_ACCOUNT: []}
    for identity in sorted(users):
        members.setdefault(account_of(identity), []).append(identity)
    made: dict[str, dict[str, Any]] = {
        name: {
            "users": [{"nkey": users[one], "permissions": permissions(one)} for one in found],
            "imports": [],
            "exports": [],
        }
        for name, found in members.items()
    }
    made[CORE_ACCOUNT]["jetstream"] = "enabled"
    for name in members:
        for kind, source, subject in sorted(set(_imports(name, members))):
            row: dict[str, Any] = {kind: {"account": source, "subject": subject}}
            if kind == "stream" and subject.startswith(
                "$KV."
            ):  # both ways between hosts: apart, or it would be a circle
                row["prefix"] = f"{OTHERS}.{source}"
            made[name]["imports"].append(row)
            _export(made[source], kind, subject)
    return {**made, SYSTEM_ACCOUNT: {"users": []}}


def _export(account: dict[str, Any], kind: str, subject: str) -> None:
    row: dict[str, Any] = {kind: subject}
    if kind == "service":
        row["response_type"] = "stream" if subject.startswith(MANY_ANSWERS) else "singleton"
    if row not in account["exports"]:
        account["exports"].append(row)


def _imports(name: str, members: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, account, subject)."""
    for identity in members[name]:
        yield from _requests(name, identity, members)
        if name != CORE_ACCOUNT:  # whatever is stored comes there by itself
            yield from (("service", CORE_ACCOUNT, subject) for subject in _stored(identity))
            yield from _hearing(name, identity, members)


def _stored(identity: str) -> Iterator[str]:
    """Yield what is for the core's streams and its JetStream API."""
    families = {f"{PREFIX}.{row.family}." for row in SUBJECTS if row.server is not None}
    for subject in permissions(identity)["publish"]["allow"]:
        if subject != DISCOVERY and not subject.startswith(tuple(families)):
            yield subject


def _requests(name: str, identity: str, members: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield what its services are asked by, from where they are."""
    role = role_of(identity)
    asked = [row for row in SUBJECTS if row.server is not None and role in {*row.senders, OPERATOR}]
    for account, others in members.items():
        if account == name:
            continue
        for other in others:
            rows = [row for row in asked if row.server == role_of(other)]
            between_hosts = role in OF_A_HOST and role_of(other) in OF_A_HOST  # which ask none but their own
            if role != OPERATOR and not between_hosts:
                yield from (("service", account, request_family(row, host_of(other))) for row in rows[:1])
            if not between_hosts and any(row.server == role_of(other) for row in SUBJECTS):
                yield from (("service", account, verb) for verb in _discovery(role_of(other)))


def _discovery(role: str) -> Iterable[str]:
    """ADR-32: a service by its name, or one copy of it."""
    return f"$SRV.*.unibpf-{role}", f"$SRV.*.unibpf-{role}.*"


def _hearing(name: str, identity: str, members: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield what it hears: anything of that kind from the core, from others what is theirs to say."""
    role = role_of(identity)
    heard = heard_rows(role)
    yield from (("stream", CORE_ACCOUNT, one) for one in permissions(identity)["subscribe"]["allow"] if _is_event(one))
    for account, others in members.items():
        if account in {name, CORE_ACCOUNT}:
            continue
        for other in others:
            if role not in OF_A_HOST:  # which have no business with the guests of another
                yield from (("stream", account, subject) for row in heard for subject in _said(row, other))
            written = set(ROLES[role].watches) & set(ROLES[role_of(other)].writes)
            yield from (("stream", account, f"$KV.{bucket}.>") for bucket in sorted(written))


def _said(row: Subject, identity: str) -> Iterator[str]:
    """Yield what this identity may say of a row."""
    may = set(permissions(identity)["publish"]["allow"])
    if role_of(identity) in row.senders:
        yield from (subject for subject in row.patterns(identity=identity) if subject in may)
    elif row.parameters[-1:] == ["service"]:
        yield from (subject for subject in may if subject.startswith(f"{PREFIX}.{row.family}."))


def _is_event(subject: str) -> bool:
    served = {f"{PREFIX}.{row.family}." for row in SUBJECTS if row.server is not None}
    return not subject.startswith(("_INBOX", DISCOVERY, *served))
