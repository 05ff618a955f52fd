"""Objects for tests: the C files of tests/data/programs, compiled once a run by the compiler that users have."""

import functools
import platform
import subprocess
import tempfile
from pathlib import Path

from services.verifier.frontend import frontend
from unibpf.push.compile import compile_c, find_compiler

FOLDER = Path(__file__).parents[2] / "data" / "programs"


@functools.cache
def compiled(name: str, *defines: str) -> bytes:
    """The object of `<name>.c`; `name` may lie in a folder below (`refused/recursion`)."""
    return compile_c(FOLDER / f"{name}.c", defines=defines)


@functools.cache
def bundle_of_source(text: str, *, name: str | None = None) -> bytes:
    """The bundle of a C text with one program in it; `name` as the pusher may choose it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "program.c"
        source.write_text(text)
        return frontend.translate(compile_c(source), frontend.Options(name=name)).bundle


@functools.cache
def compiled_without_debug_information(name: str) -> bytes:
    """The same without `-g`: no BTF, no line info."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "object"
        include = f"-I/usr/include/{platform.machine()}-linux-gnu"
        source = FOLDER / f"{name}.c"
        subprocess.run(
            [find_compiler(), "-O2", "-target", "bpf", "-mcpu=v3", include, "-c", source, "-o", target], check=True
        )
        return target.read_bytes()


def refused_programs() -> list[str]:
    """The programs that have to be refused, named by their defect."""
    return sorted(f"refused/{path.stem}" for path in (FOLDER / "refused").glob("*.c"))
