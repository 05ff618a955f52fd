"""The reconfigurer's settings, read once from the environment.

UNIBPF_COAP_TIMEOUT   seconds for one exchange with a guest            (default 5)
UNIBPF_GUEST_PATIENCE seconds for which an unreachable guest is tried  (default 20)
UNIBPF_LOOK           seconds between comparisons of all guests        (default 10)
and those of unibpf.host.settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from unibpf.host.settings import StatePaths, host_name, nats_url, seconds


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the reconfigurer can be told. Times are in seconds."""

    paths: StatePaths
    nats_url: str
    host: str
    coap_timeout: float = 5.0
    patience: float = 20.0
    look: float = 10.0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the environment; raises SettingError for a value of the wrong form."""
        paths = StatePaths.from_environment(environ)
        return cls(
            paths=paths,
            nats_url=nats_url(environ, paths),
            host=host_name(environ),
            coap_timeout=seconds(environ, "UNIBPF_COAP_TIMEOUT", 5.0),
            patience=seconds(environ, "UNIBPF_GUEST_PATIENCE", 20.0),
            look=seconds(environ, "UNIBPF_LOOK", 10.0),
        )
