"""Certificates by the real analyser, and what the real checker says of them."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unibpf.formats import cbor


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The two executables."""

    folder: Path

    def analyse(self, bundle: bytes) -> tuple[dict[str, Any], bytes | None]:
        """The report, and the certificate of what is safe."""
        done = subprocess.run(
            [self.folder / "unibpf-analyse", "--certificate", "on"], input=bundle, capture_output=True, check=True
        )
        report: dict[str, Any] = json.loads(done.stdout)
        text = report.get("certificate")
        return report, None if text is None else base64.b64decode(text)

    def check(self, bundle: bytes, certificate: bytes) -> dict[str, Any]:
        """The checker's answer; it always has one."""
        pair = cbor.encode([bundle, certificate])
        done = subprocess.run([self.folder / "unibpf-check"], input=pair, capture_output=True, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def certified(self, bundle: bytes) -> bytes:
        """The certificate, which the checker accepts."""
        report, certificate = self.analyse(bundle)
        assert certificate is not None, report
        answer = self.check(bundle, certificate)
        assert answer["verdict"] == "accepted", answer
        return certificate
