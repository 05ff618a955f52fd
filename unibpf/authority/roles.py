"""What an identity's name says: its role, and the host that it is confined to.

A hypervisor host has a key of its own for each of its services: `deployer-<host>` and `reconfigurer-<host>` speak for that
host alone. An installation of one host may go on with `deployer` and `reconfigurer`, which speak for any.
"""

from typing import Final

from unibpf.subjects import CLI, DEPLOYER, PUSHER, RECONFIGURER, SIGNER, VERIFIER

OPERATOR: Final = "operator"
OF_A_HOST: Final = (DEPLOYER, RECONFIGURER)
_ROLES: Final = (OPERATOR, VERIFIER, SIGNER, *OF_A_HOST, CLI)


def role_of(identity: str) -> str:
    """One of the table's roles; a pusher is any identity without a role of its own."""
    first, dash, host = identity.partition("-")
    if dash and host and first in OF_A_HOST:
        return first
    return identity if identity in _ROLES else PUSHER


def host_of(identity: str) -> str | None:
    """The host that it speaks for; None where it speaks for any."""
    return identity.partition("-")[2] if role_of(identity) in OF_A_HOST and "-" in identity else None


def of_host(role: str, host: str) -> str:
    """The identity of a role on one host."""
    return f"{role}-{host}"
