"""The signer's settings, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.signer.checking import DEFAULT_BUDGET
from unibpf.host import identity
from unibpf.host.settings import StatePaths, binary_directory, count, nats_url

SOFTHSM: Final = "/usr/lib/softhsm/libsofthsm2.so"
DEFAULT_POLICY: Final = Path(__file__).with_name("default-policy.toml")


@dataclass(frozen=True, kw_only=True)
class HsmSettings:
    """How to reach the key. `softhsm_conf` is used for SoftHSM only; None leaves its own default."""

    module: str
    token: str
    key: str
    pin_file: Path
    algorithm: str
    softhsm_conf: Path | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the signer needs to know.

    UNIBPF_SIGNER_POLICY      TOML file                      (default: the embedded stack's, beside this file)
    UNIBPF_VERIFIER_KEY       the verifier's public nkey     (default: <state>/keys/verifier.pub)
    UNIBPF_PKCS11_MODULE      path of the PKCS#11 library    (default: SoftHSM2)
    UNIBPF_PKCS11_TOKEN       label of the token             (default `unibpf`)
    UNIBPF_PKCS11_KEY         label of the key pair          (default `release-signer`)
    UNIBPF_PKCS11_PIN_FILE    file with the user PIN, 0600   (default: <state>/hsm/pin)
    UNIBPF_SIGNER_ALGORITHM   `EdDSA` or `ES256`             (default `EdDSA`)
    UNIBPF_SIGNER_WORKERS     messages handled at once       (default 4)
    UNIBPF_SIGNER_BUDGET      instructions that guests give one packet (default 1000000)
    UNIBPF_BIN                folder of `unibpf-check`       (default: the build's)
    """

    paths: StatePaths
    url: str
    policy: Path
    verifier_key: str | None
    hsm: HsmSettings
    ledger: Path
    binaries: Path
    workers: int = 4
    budget: int = DEFAULT_BUDGET

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read everything; what is unset gets its default. Raises SettingError for a value of the wrong form."""
        paths = StatePaths.from_environment(environ)
        module = environ.get("UNIBPF_PKCS11_MODULE", SOFTHSM)
        hsm = HsmSettings(
            module=module,
            token=environ.get("UNIBPF_PKCS11_TOKEN", "unibpf"),
            key=environ.get("UNIBPF_PKCS11_KEY", "release-signer"),
            pin_file=Path(environ.get("UNIBPF_PKCS11_PIN_FILE") or paths.hsm / "pin"),
            algorithm=environ.get("UNIBPF_SIGNER_ALGORITHM", "EdDSA"),
            softhsm_conf=paths.hsm / "softhsm2.conf" if module == SOFTHSM else None,
        )
        return cls(
            paths=paths,
            url=nats_url(environ, paths),
            policy=Path(environ.get("UNIBPF_SIGNER_POLICY") or DEFAULT_POLICY),
            verifier_key=environ.get("UNIBPF_VERIFIER_KEY"),
            hsm=hsm,
            ledger=paths.signer_ledger,
            binaries=binary_directory(environ),
            workers=count(environ, "UNIBPF_SIGNER_WORKERS", 4),
            budget=count(environ, "UNIBPF_SIGNER_BUDGET", DEFAULT_BUDGET),
        )

    def pinned_verifier(self) -> str:
        """The public key whose verdicts count; from this host, never from the bus."""
        if self.verifier_key is not None:
            return identity.checked_public(self.verifier_key)
        return identity.load_public(self.paths.keys, "verifier")
