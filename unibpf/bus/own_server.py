"""`unibpf bus keys|config`: what an operator needs to run a NATS server of his own (docs/production.md)."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unibpf.authority.roles import OF_A_HOST, of_host, role_of
from unibpf.bus.embedded import configuration
from unibpf.bus.permissions import OPERATOR
from unibpf.host import identity
from unibpf.host.identity import IdentityError
from unibpf.subjects import CLI, PUSHER, SERVICES


class BusFileError(ValueError):
    """What was asked for cannot be made; the message says why."""


def make_keys(directory: Path, pushers: Sequence[str], hosts: Sequence[str] = ()) -> dict[str, str]:
    """Make the key of everybody, or keep it; {identity: public key}. With `hosts`, each has its own, and none is shared."""
    for name in pushers:
        if role_of(name) not in {PUSHER, CLI}:
            raise IdentityError(f"`{name}` is the name of a {role_of(name)}: a pusher needs another")
    shared = tuple(role for role in SERVICES if role not in OF_A_HOST or not hosts)
    names = (OPERATOR, *shared, *(of_host(role, host) for host in hosts for role in OF_A_HOST), CLI, *pushers)
    return {name: identity.create(directory, name).public_key for name in names}


def export_keys(directory: Path, target: Path, names: Sequence[str]) -> None:
    """One folder an identity, to be given to its host: its own seed (0600), and everybody's public key.

    What others sign is checked with these files; who has none of the services' cannot check what they say.
    """
    for name in names:
        folder = target / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for source in (identity.seed_file(directory, name), *sorted(directory.glob("*.pub"))):
            shutil.copy(source, folder)  # with its mode


def server_configuration(directory: Path, *, listen: str, store: Path, monitor: str | None) -> dict[str, Any]:
    """For nats-server: everybody whose public key lies in `directory`, with the permissions of his role."""
    users = {path.stem: identity.load_public(directory, path.stem) for path in sorted(directory.glob("*.pub"))}
    missing = {OPERATOR, *SERVICES} - {role_of(name) for name in users}
    if missing:
        raise BusFileError(f"`{directory}` has no public key of `{min(missing)}`; make them with `unibpf bus keys`")
    host, port = _address(listen)
    made = configuration(store=store, port=port, users=users, host=host)
    if monitor is not None:
        _address(monitor)
        made["http"] = monitor
    return made


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise BusFileError(f"got `{text}`, expected an address and a port, as in `0.0.0.0:4222`")
    return host, int(port)
