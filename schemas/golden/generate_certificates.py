"""Write `certificate.txt`: golden certificates that the signer's checker must accept, as the analyser wrote them.

Run as `python schemas/golden/generate_certificates.py` after `make build`. The file is `[case]` blocks of `field = value`
lines, bytes as hex. The analyser may find other proofs tomorrow; these stay good as long as the format is version 1.
"""

import os
from pathlib import Path

from tests.support.programs.analyser_cases import DATA, read
from tests.support.programs.assembler import Assembler
from tests.support.programs.certificates import Tools
from unibpf.host.settings import binary_directory

TARGET = Path(__file__).parent / "certificate.txt"
# A join, a loop with a ghost, callbacks, calls, what must be given back, and a lock.
NAMES = (
    "map_null_check",
    "loop_to_a_variable_bound",
    "callback_counts",
    "call_with_pointers",
    "callback_nested",
    "for_each_deletes",
)


def main() -> None:
    """Write every block anew."""
    folder = binary_directory(os.environ)
    tools, assembler = Tools(folder=folder), Assembler(folder / "unibpf-run")
    blocks = []
    for name in NAMES:
        bundle = read(DATA / f"{name}.case").bundle(assembler)
        _, certificate = tools.analyse(bundle)
        if certificate is None:
            raise SystemExit(f"`{name}` is not safe")
        blocks.append(f"[{name}]\nbundle = {bundle.hex()}\ncertificate = {certificate.hex()}\n")
    TARGET.write_text("\n".join(blocks))


if __name__ == "__main__":
    main()
