"""Programs in the styles of operators (`tests/data/programs/xdp`) are safe, however the compiler writes them.

The kernel's verdict on them, as compiled by default, is in `tests/conformance/test_kernel_agrees.py`. What the compiler made
unprovable the kernel refuses too: such programs stand here with the rule.
"""

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.verifier import frontend
from unibpf.compile import find_compiler

SOURCES = sorted((Path(__file__).parents[2] / "data" / "programs" / "xdp").glob("*.c"))
VARIANTS = {
    "v1-O2": ("-mcpu=v1", "-O2"),
    "v3-O2": ("-mcpu=v3", "-O2"),
    "v4-Os": ("-mcpu=v4", "-Os"),
}
# Longer loops than the kernel can follow.
LONG = ("-DNAME_BYTES=255", "-DOPTIONS=40")
PLATFORMS = ("guest", "linux-xdp")
REFUSED = {
    # the compiler moves the check before the loop, as `(end - p) / 2 > n`
    "sum_counted_down": "packet-bounds",
    # the compiler adds to an aligned address by `or`
    "masked_index": "pointer-arithmetic",
}


def compiled(source: Path, flags: tuple[str, ...], target: Path) -> bytes:
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    command = [find_compiler(), "-target", "bpf", "-g", *flags, include, "-c", source, "-o", target]
    subprocess.run(command, check=True)
    return target.read_bytes()


def refusals(bin_directory: Path, data: bytes) -> Iterator[tuple[str, str]]:
    """(function, rule) of the programs that are not safe on some platform."""
    for choice in frontend.choices(data, frontend.Options()):
        bundle = frontend.translate(data, frontend.Options(section=choice.section, function=choice.function)).bundle
        for name in PLATFORMS:
            command = [bin_directory / "unibpf-analyse", "--platform", name]
            done = subprocess.run(command, input=bundle, capture_output=True, check=True)
            report = json.loads(done.stdout)
            if report["verdict"] != "safe":
                yield f"{choice.function}", report["findings"][0]["rule"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_programs_of_operators_are_safe(source: Path, variant: str, bin_directory: Path, tmp_path: Path) -> None:
    data = compiled(source, VARIANTS[variant], tmp_path / "object")
    functions = {choice.function for choice in frontend.choices(data, frontend.Options())}
    expected = {name: rule for name, rule in REFUSED.items() if name in functions}
    assert dict(refusals(bin_directory, data)) == expected


@pytest.mark.parametrize("name", ["headers", "payload"])
def test_loops_too_long_for_the_kernel_are_safe(name: str, bin_directory: Path, tmp_path: Path) -> None:
    source = next(path for path in SOURCES if path.stem == name)
    data = compiled(source, (*VARIANTS["v3-O2"], *LONG), tmp_path / "object")
    assert dict(refusals(bin_directory, data)) == {}
