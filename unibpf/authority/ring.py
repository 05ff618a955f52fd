"""The public keys that signatures are checked with: `<identity>.pub` files of this host, never anything from the bus.

A file is read again when it changes: a key that was taken away counts for nothing at once, a new one needs no restart.
"""

from pathlib import Path

from unibpf.host import identity
from unibpf.subjects import SERVICES


class Ring:
    """One folder of public keys."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    def key(self, name: str) -> str | None:
        """The public key of an identity, None where this host has none; IdentityError for a file that is no key."""
        if self.directory is None or not identity.is_name(name):
            return None
        path = identity.public_file(self.directory, name)
        try:
            facts = path.stat()
        except OSError:
            self._known.pop(name, None)
            return None
        mark = (facts.st_mtime_ns, facts.st_ino)
        known = self._known.get(name)
        if known is None or known[0] != mark:
            known = (mark, identity.load_public(self.directory, name))
            self._known[name] = known
        return known[1]

    def knows_services(self) -> bool:
        """Whether it has the key of any service: who has none cannot check what services say."""
        if self.directory is None:
            return False
        patterns = [pattern for role in SERVICES for pattern in (f"{role}.pub", f"{role}-*.pub")]
        return any(next(self.directory.glob(pattern), None) is not None for pattern in patterns)
