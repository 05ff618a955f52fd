"""What `unibpf sign` does: the header that makes a message of somebody else's client a signed one."""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from unibpf import subjects
from unibpf.authority.signing import signed
from unibpf.authority.statement import HEADER
from unibpf.cli.output import Exit, fail
from unibpf.client.session import state_paths
from unibpf.host import identity as identities
from unibpf.host.identity import IdentityError


class Header(Struct, frozen=True, kw_only=True):
    """What is to be sent where."""

    subject: str
    name: str
    value: str

    @property
    def line(self) -> str:
        """As `nats pub -H` takes it."""
        return f"{self.name}: {self.value}"


def signed_header(
    file: Path, identity: str, program: str | None, subject: str | None, headers: Sequence[str]
) -> Header:
    """Sign the bytes of `file` for its upload as `program`, or for `subject`."""
    key_file = os.environ.get("UNIBPF_NKEY_FILE")
    directory = Path(key_file).parent if key_file else state_paths().keys
    try:
        key = identities.load(directory, Path(key_file).stem if key_file else identity)
    except IdentityError as error:
        fail(Exit.USAGE, str(error), rule="identity")
    rows = [one.partition(":") for one in headers]
    if wrong := next((name for name, colon, _ in rows if not colon or not name.strip()), None):
        fail(Exit.USAGE, f"got header `{wrong}`, expected NAME:VALUE", rule="usage")
    said = subject or subjects.upload(key.name, program or "")
    made = signed(key, said, file.read_bytes(), {name.strip(): value.strip() for name, _, value in rows})
    return Header(subject=said, name=HEADER, value=made[HEADER])
