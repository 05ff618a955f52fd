"""A real SoftHSM2 token for a test."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.signer.settings import SOFTHSM, Settings
from services.signer.token import init_token
from unibpf.formats.envelope import TrustedKey


@dataclass(frozen=True, kw_only=True)
class HsmFixture:
    """A token with one signing key."""

    settings: Settings
    key: TrustedKey

    def pkcs11_tool(self, *arguments: str) -> str:
        """What `pkcs11-tool` sees, logged in."""
        environment = {**os.environ, "SOFTHSM2_CONF": str(self.settings.hsm.softhsm_conf)}
        pin = self.settings.hsm.pin_file.read_text()
        command = ["pkcs11-tool", "--module", SOFTHSM, "--login", "--pin", pin, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def make_token(root: Path, *, algorithm: str = "EdDSA") -> HsmFixture:
    """Settings on the state directory `root`, and a fresh token there."""
    environ = {"UNIBPF_STATE": str(root), "UNIBPF_SIGNER_ALGORITHM": algorithm}
    settings = Settings.from_environment(environ)
    return HsmFixture(settings=settings, key=init_token(settings))
