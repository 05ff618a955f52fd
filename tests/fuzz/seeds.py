"""Writes the seeds of `fuzz_bundle` and `fuzz_analyser` into a directory: the bundles of every conformance case and of every
case of the analyser, the golden ones, and small programs of every hostile shape.

python tests/fuzz/seeds.py CORPUS
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conformance.cases import all_cases
from tests.support.programs import analyser_cases
from tests.support.programs.adversarial import small_shapes
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import bundle_of
from tests.support.signing.golden import blocks
from unibpf.host.settings import binary_directory


def main(corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    assembler = Assembler(binary_directory(os.environ) / "unibpf-run")
    for case in all_cases():
        (corpus / case.name).write_bytes(bundle_of(assembler.assemble(case.code)[0], case.maps, kind=case.kind))
    for one in analyser_cases.all_cases():
        code, _ = assembler.assemble("\n".join(one.code))
        (corpus / f"analyser-{one.name}").write_bytes(bundle_of(code, one.maps, kind=one.kind))
    for number, text in enumerate(small_shapes()):
        (corpus / f"shape-{number}").write_bytes(bundle_of(assembler.assemble(text)[0]))
    for name, case in blocks("bundle").items():
        (corpus / f"golden-{name}").write_bytes(bytes.fromhex(case["bundle"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
