"""Write the bundles of FOLDER/bundle with their certificates to FOLDER/certificate: `certificate_seeds.py FOLDER`."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.programs.certificates import Tools
from unibpf.host.settings import binary_directory


def main(folder: Path) -> None:
    """One file for each of the bundles in FOLDER/bundle."""
    tools = Tools(folder=binary_directory(os.environ))
    (folder / "certificate").mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / "bundle").iterdir()):
        bundle = path.read_bytes()
        _, certificate = tools.analyse(bundle)
        certificate = certificate or b""
        if len(certificate) < 1 << 16:
            (folder / "certificate" / path.name).write_bytes(
                bundle + certificate + len(certificate).to_bytes(2, "little")
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
