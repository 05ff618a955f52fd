"""Programs of the kind that operators write (`tests/data/operators`), as three versions of the instruction set compile them.

Whatever the kernel loads is safe; what it refuses and we accept is named here with the reason: it is proved, not overlooked.
"""

import subprocess
from pathlib import Path

import pytest

from services.verifier import frontend
from tests.support import corpus, kernel_loader, kernel_oracle
from unibpf.compile import find_compiler

FOLDER = Path(__file__).parents[1] / "data" / "operators"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.c"))
PROCESSORS = ("v2", "v3", "v4")
# The kernel forgets how the sum of a pointer and a number compares with `data_end`, and gives up on long loops.
BEYOND_THE_KERNEL = {"bpf_loop_options", "csum_variable", "tcp_options", "counted_down"}


def compiled(name: str, processor: str, folder: Path) -> bytes:
    target = folder / f"{name}.o"
    includes = ("-I/usr/include/x86_64-linux-gnu",)
    command = [find_compiler(), "-O2", "-g", "-target", "bpf", f"-mcpu={processor}", *includes, "-c", f"{name}.c"]
    subprocess.run([*command, "-o", str(target)], cwd=FOLDER, check=True)
    return target.read_bytes()


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_operators_write_is_safe(name: str, processor: str, bin_directory: Path, tmp_path: Path) -> None:
    data = compiled(name, processor, tmp_path)
    [chosen] = frontend.choices(data, frontend.Options())
    bundle = frontend.translate(data, chosen).bundle
    ours = corpus.judge_bundle(bundle, "linux-xdp", bin_directory / "unibpf-analyse")
    assert ours.safe, ours
    if kernel_oracle.available() and name not in BEYOND_THE_KERNEL:
        theirs = kernel_loader.load(data, chosen.function or name)
        assert theirs.loads, theirs.reason
