"""Random programs against other implementations: our engines and analyser, the kernel, and plug-ins of bpf_conformance.

Run as `python tests/fuzz/fuzz_compare.py [SECONDS] [SEED]`. The kernel takes part where this process may load programs
(BPF_PROG_TEST_RUN), a plug-in where it is on PATH under its usual name; who is missing is named. A program must end alike
everywhere; and of every second one an instruction is left out, which the analyser must refuse where the kernel does.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.kernel import kernel_oracle
from tests.support.kernel.kernel_oracle import KernelRefusedError
from tests.support.programs.assembler import Assembler
from tests.support.programs.bundles import ENGINES, Runner, bundle_of
from tests.support.programs.certificates import Tools
from tests.support.programs.random_programs import REGISTERS, SLOTS, program
from unibpf.formats.bundle import decode
from unibpf.host.settings import binary_directory

# As the projects call them. The program comes on standard input and r0 leaves on standard output, both in hex.
PLUGINS: Final = ("ubpf_plugin", "rbpf_plugin", "libbpf_plugin", "bpf2c_plugin")
PACKET: Final = bytes(64)
FIRST: Final = len(REGISTERS) + len(SLOTS)  # lines that write what is read later


@dataclass(frozen=True, kw_only=True)
class Others:
    """Who is compared with, and who is not here."""

    kernel: bool
    plugins: Sequence[Path]
    missing: Sequence[str]

    @classmethod
    def here(cls) -> "Others":
        """Those of this machine."""
        found = {name: shutil.which(name) for name in PLUGINS}
        kernel = kernel_oracle.available()
        missing = [name for name, path in found.items() if path is None]
        return cls(
            kernel=kernel,
            plugins=[Path(path) for path in found.values() if path is not None],
            missing=missing if kernel else ["the kernel (needs CAP_BPF)", *missing],
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Our tools, and the others."""

    assembler: Assembler
    runner: Runner
    tools: Tools
    others: Others

    def one(self, seed: int) -> None:
        """Compare one program; raises AssertionError with the seed."""
        rng = random.Random(seed)
        lines = program(rng, self.assembler.rows).splitlines()
        whole = seed % 2 == 0
        if not whole:
            del lines[rng.randrange(FIRST)]
        code, _ = self.assembler.assemble("\n".join(lines))
        bundle = bundle_of(code)
        report, _ = self.tools.analyse(bundle)
        safe = report["verdict"] == "safe"
        assert safe or not whole, f"seed {seed}: a whole program is {report['verdict']}"
        if not safe:
            return
        ends = {engine: self.runner.run(bundle, [PACKET], engine=engine)[0]["verdict_code"] for engine in ENGINES}
        assert len(set(ends.values())) == 1, f"seed {seed}: engines differ: {ends}"
        expected = int(ends["jit"]) & 0xFFFF_FFFF
        for name, got in self._of_others(bundle, code).items():
            assert got == expected, f"seed {seed}: {name} ends with {got}, our engines with {expected:#x}"

    def _of_others(self, bundle: bytes, code: bytes) -> dict[str, int | str]:
        ends: dict[str, int | str] = {}
        if self.others.kernel:
            try:
                with kernel_oracle.Oracle(bundle=decode(bundle)) as kernel:
                    ends["the kernel"] = kernel.run(PACKET).code
            except KernelRefusedError as error:
                ends["the kernel"] = f"a refusal, `{error}`"
        for plugin in self.others.plugins:
            text = " ".join(f"{byte:02x}" for byte in code)
            done = subprocess.run([plugin], input=text, capture_output=True, text=True, check=False)
            ends[plugin.name] = int(done.stdout, 16) & 0xFFFF_FFFF if done.returncode == 0 else done.stderr
        return ends


def run(seconds: float, first: int, folder: Path) -> int:
    """Compare for a while; returns how many programs."""
    binaries = binary_directory(os.environ)
    others = Others.here()
    comparison = Comparison(
        assembler=Assembler(binaries / "unibpf-run"),
        runner=Runner(executable=binaries / "unibpf-run", directory=folder),
        tools=Tools(folder=binaries),
        others=others,
    )
    with_whom = [*(["the kernel"] if others.kernel else []), *(plugin.name for plugin in others.plugins)]
    print(f"compared with: {', '.join(with_whom) or 'nobody else'}", flush=True)
    for name in others.missing:
        print(f"skipped: {name} is not here", flush=True)
    deadline = time.monotonic() + seconds
    seed = first
    while time.monotonic() < deadline or seed < first + 2:
        comparison.one(seed)
        seed += 1
    return seed - first


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        count = run(
            float(sys.argv[1]) if len(sys.argv) > 1 else 20.0,
            int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32),
            Path(scratch),
        )
    print(f"{count} inputs")
