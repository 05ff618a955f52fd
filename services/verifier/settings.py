"""The verifier's settings, read once from the environment.

UNIBPF_VERIFIER_WORKERS            objects verified at once                        (default 2)
UNIBPF_VERIFIER_SECONDS            CPU seconds for one analysis                    (default 5)
UNIBPF_VERIFIER_MEMORY_MIB         address space of one analysis                   (default 1024)
UNIBPF_VERIFIER_BUDGET             instructions that guests give one packet        (default 1000000)
UNIBPF_VERIFIER_CLASSES            what guests of a class give instead (services/verifier/classes.py; default: none differs)
UNIBPF_VERIFIER_ALSO               other verifiers to ask, comma-separated: `kernel`, `prevail` (default none)
UNIBPF_VERIFIER_IDENTITY           identity on the bus, key in the state directory (default `verifier`)
and those of `unibpf.host.settings`: UNIBPF_STATE, UNIBPF_BIN, UNIBPF_NATS_URL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.verifier import classes
from services.verifier.classes import Offers
from unibpf.host.settings import StatePaths, binary_directory, count, nats_url


@dataclass(frozen=True, kw_only=True)
class Settings:
    """See the module text for units and defaults."""

    url: str
    keys: Path
    identity: str
    binaries: Path
    workers: int
    seconds: int
    memory_mib: int
    offers: Offers
    budget: int = 1_000_000
    also: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises SettingError, with its name, for a value of the wrong form."""
        paths = StatePaths.from_environment(environ)
        budget = count(environ, "UNIBPF_VERIFIER_BUDGET", 1_000_000)
        return cls(
            url=nats_url(environ, paths),
            keys=paths.keys,
            identity=environ.get("UNIBPF_VERIFIER_IDENTITY", "verifier"),
            binaries=binary_directory(environ),
            workers=count(environ, "UNIBPF_VERIFIER_WORKERS", 2),
            seconds=count(environ, "UNIBPF_VERIFIER_SECONDS", 5),
            memory_mib=count(environ, "UNIBPF_VERIFIER_MEMORY_MIB", 1024),
            budget=budget,
            offers=classes.from_environment(environ, budget),
            also=tuple(filter(None, map(str.strip, environ.get("UNIBPF_VERIFIER_ALSO", "").split(",")))),
        )
