"""Where things are on this host, from the environment; read once where a process begins and passed in.

UNIBPF_STATE      state directory                     (default ~/.local/state/unibpf)
UNIBPF_BIN        native executables                  (default <repository>/build/bin)
UNIBPF_NATS_URL   servers, separated by commas        (default: <state>/run/nats.url, else nats://127.0.0.1:4222)
UNIBPF_HOST       name of this hypervisor host        (default `local`)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_NATS_URL: Final = "nats://127.0.0.1:4222"
DEFAULT_HOST: Final = "local"
REPOSITORY: Final = Path(__file__).resolve().parents[2]


class SettingError(ValueError):
    """A variable of the environment has a value of the wrong form; the message names it."""


@dataclass(frozen=True, kw_only=True)
class StatePaths:
    """The state directory's layout. Everything below it belongs to the user who runs UniBPF and to nobody else."""

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "StatePaths":
        """`UNIBPF_STATE`, or the XDG default."""
        home = Path(environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
        return cls(root=Path(environ.get("UNIBPF_STATE") or home / "unibpf"))

    @property
    def nats(self) -> Path:
        """Store and configuration of the embedded server."""
        return self.root / "nats"

    @property
    def keys(self) -> Path:
        """nkey seeds, one 0600 file an identity, and their public halves."""
        return self.root / "keys"

    @property
    def hsm(self) -> Path:
        """SoftHSM2 token, its PIN file, and `trusted-signers.json`."""
        return self.root / "hsm"

    @property
    def host(self) -> Path:
        """What deployer and reconfigurer of one host share: seeds, floors. Never on the bus."""
        return self.root / "host"

    @property
    def guests(self) -> Path:
        """One folder a guest."""
        return self.root / "guests"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Process ids and addresses of what runs now."""
        return self.root / "run"

    @property
    def nats_url_file(self) -> Path:
        """The embedded server's address, written once it answers."""
        return self.run / "nats.url"

    @property
    def trusted_signers(self) -> Path:
        """`[{"kid", "alg", "key"}]`, all hex but `alg`: the signer keys that boot images pin."""
        return self.hsm / "trusted-signers.json"

    @property
    def signer_ledger(self) -> Path:
        """What the signers of this host have signed (ledger.py)."""
        return self.hsm / "ledger.jsonl"

    def create(self) -> None:
        """Make every folder, readable by its owner only."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.nats, self.keys, self.hsm, self.host, self.guests, self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)


def nats_url(environ: Mapping[str, str], paths: StatePaths) -> str:
    """The bus address: the environment, else what the embedded server wrote, else NATS's default."""
    if url := environ.get("UNIBPF_NATS_URL"):
        return url
    if paths.nats_url_file.exists():
        return paths.nats_url_file.read_text().strip()
    return DEFAULT_NATS_URL


def binary_directory(environ: Mapping[str, str]) -> Path:
    """Where `unibpf-analyse`, `unibpf-guest` and `unibpf-guest.elf` are."""
    return Path(environ.get("UNIBPF_BIN") or REPOSITORY / "build" / "bin")


def host_name(environ: Mapping[str, str]) -> str:
    """The name under which this host's deployer and reconfigurer work."""
    return environ.get("UNIBPF_HOST") or DEFAULT_HOST


def seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """A duration; raises SettingError unless it is a number above 0."""
    text = environ.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise SettingError(f"`{name}`: got `{text}`, expected a number of seconds above 0")
    return value


def count(environ: Mapping[str, str], name: str, default: int) -> int:
    """A number of things; raises SettingError unless it is a whole number above 0."""
    text = environ.get(name)
    value = default if text is None else int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if value <= 0:
        raise SettingError(f"`{name}`: got `{text}`, expected a whole number above 0")
    return value
