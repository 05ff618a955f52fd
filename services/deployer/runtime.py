"""Where unix sockets live: in the state directory, or in a folder below `/tmp` where its path is too long for a socket's.

Anybody may make folders in `/tmp`, so that one has a name that nobody can foresee and take first. It is written down in the
state directory, where guests that outlived a deployer are found again.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from services.deployer.errors import HostConfigError
from unibpf.host.private_file import write_private

_NOTE: Final = "runtime.path"


def find(run: Path, *, longest: int) -> Path:
    """`run`, or the folder that is written down in it, made now where there is none that is ours alone."""
    if len(bytes(run)) <= longest:
        return run
    note = run / _NOTE
    for known in (_noted(note), _of_older_versions(run.parent)):
        if known is not None and is_private(known):
            if not note.exists():
                write_private(note, bytes(known))
            return known
    made = Path(tempfile.mkdtemp(prefix="unibpf-"))
    write_private(note, bytes(made))
    return made


def create_private(path: Path) -> None:
    """Make a folder for its owner only; refuse one that somebody else made, as anybody can in `/tmp`."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(path):
        raise HostConfigError("runtime", f"`{path}` belongs to somebody else, or others may write to it")


def is_private(path: Path) -> bool:
    """Whether it is a folder, no link to one, that nobody else owns or may write to."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022


def _noted(note: Path) -> Path | None:
    try:
        text = note.read_bytes()
    except OSError:
        return None
    return Path(os.fsdecode(text)) if text.startswith(b"/") else None


def _of_older_versions(root: Path) -> Path:
    """Its name could be foreseen; where it is ours, guests may live there still."""
    digest = hashlib.sha256(bytes(root)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"unibpf-{os.getuid()}-{digest}"
