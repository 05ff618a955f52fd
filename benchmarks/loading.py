"""Loading: what the JIT takes to compile, and the memory of a loaded program.

`unibpf-run --loads` loads as a slot does when it stages, on the host build; the fastest time counts, of rounds that are spread
over seconds, because a busy host is slow for longer than one takes. Compiling is measured on a generated firewall
(`benchmarks/firewall.py`), large enough that the system calls for code pages do not show, which a guest does not make. Memory
is what the guest's heap and code pages give for the catalogue's firewall.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final, cast

from benchmarks.figures import Figure
from benchmarks.firewall import firewall
from tests.support.programs.vnf import bundle_of
from unibpf.host.settings import REPOSITORY, binary_directory

LOADS: Final = 40  # in a round
ROUNDS: Final = 20
PAUSE: Final = 0.15  # seconds between two
RULES: Final = 1_000
CATALOGUE: Final = REPOSITORY / "vnfs/firewall/program.c"


def measure() -> list[Figure]:
    """Measure and return what is demanded and reported."""
    with tempfile.TemporaryDirectory() as name:
        large = Path(name) / "firewall.c"
        large.write_text(firewall(RULES))
        many, one = costs(large, Path(name)), costs(CATALOGUE, Path(name))
    size = many["instructions"]
    of_one = f"catalogue's firewall, {one['instructions']} instructions"
    return [
        Figure(name="JIT, time to compile, per instruction", value=many["compile_ns"] / size, unit="ns", limit=100,
               how=f"{RULES} rules, {size} instructions; best of {ROUNDS} times {LOADS}"),
        Figure(name="decode, validate and link, per instruction", value=(many["decode_ns"] + many["link_ns"]) / size, unit="ns",
               how="the same"),
        Figure(name="native code, per instruction", value=many["native_bytes"] / size, unit="bytes", how="the same"),
        Figure(name="memory of a program: code", value=one["code_bytes"], unit="bytes", how=of_one),
        Figure(name="memory of a program: native code", value=one["native_bytes"], unit="bytes",
               how="the same, in pages of 4 KiB"),
        Figure(name="memory of a program: maps", value=one["map_bytes"], unit="bytes", how="the same, with its own record"),
    ]  # fmt: skip


def costs(source: Path, folder: Path) -> dict[str, Any]:
    """Return what `unibpf-run --loads` answers for a source: the least of each of all rounds."""
    (folder / "bundle").write_bytes(bundle_of(source))
    command = [binary_directory(os.environ) / "unibpf-run", folder / "bundle", "--loads", str(LOADS)]
    rounds = []
    for _ in range(ROUNDS):
        time.sleep(PAUSE)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rounds.append(cast(dict[str, Any], json.loads(done.stdout)))
    return {name: min(one[name] for one in rounds) for name in rounds[0]}
