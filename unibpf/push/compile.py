"""Compiles one C file to an eBPF object, for `unibpf push` and `unibpf verify` on FILE.c.

clang does the work; this module only knows how to ask it: target, debug information (the verifier needs BTF), where this
machine's headers are, and the network functions' own. The headers of the C library ask which machine they are for, and for
BPF, which is none, they would include 32-bit files that are not there (`gnu/stubs-32.h`): they are told this one's name.
clang runs in the source's folder and names files relative to it, so that the same source gives the same object wherever it
lies (a prefix map would do too, but loses the source lines in BTF). It runs inside the fence: a source that includes or embeds
a file of the host (`.incbin "/etc/shadow"`) would else publish it.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from unibpf.host import fence
from unibpf.host.settings import REPOSITORY

COMPILERS: Final = ("clang-19", "clang", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14")
FLAGS: Final = ("-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror=implicit-function-declaration")
TIMEOUT_SECONDS: Final = 60
LIMITS: Final = fence.Limits(
    cpu_seconds=TIMEOUT_SECONDS,
    wall_seconds=TIMEOUT_SECONDS,
    memory_bytes=None,  # the user's own compiler on the user's own source
    answer_bytes=1 << 20,
    file_bytes=64 << 20,
)


class CompileError(Exception):
    """The compiler is missing, or refused the source; then the text is what it said."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def compile_c(source: Path, *, defines: Sequence[str] = ()) -> bytes:
    """Return the object of `source`, compiled with `defines` (`NAME` or `NAME=VALUE`); raises CompileError."""
    if not source.is_file():
        raise CompileError(f"`{source}` cannot be read")
    with tempfile.TemporaryDirectory(prefix="unibpf-") as folder:
        target = Path(folder) / "program.o"
        command = [find_compiler(), *FLAGS, *_includes(), *(f"-D{define}" for define in defines)]
        command += ["-c", source.name, "-o", str(target)]
        done = _run(command, source, Path(folder))
        if done.status != 0:
            said = done.said.decode(errors="replace").strip()
            raise CompileError(said or f"clang ended with status {done.status}", hint=_hint(said, source))
        return target.read_bytes()


def find_compiler() -> str:
    """Return the first clang on PATH; raises CompileError."""
    for name in COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    raise CompileError("clang is not installed", hint="install the Debian package `clang-19`, or give an object file")


def root_of(source: Path) -> Path:
    """Return the folder beneath which a source may include and embed files: its repository's, else its own."""
    folder = source.resolve().parent
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _run(command: list[str], source: Path, target: Path) -> fence.Ended:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TMPDIR": str(target)}
    folder = source.resolve().parent
    reach = fence.Reach.of_tool(reads=(root_of(source), REPOSITORY / "vnfs"), changes=(target,))
    try:
        return fence.run(command, LIMITS, environment=environment, folder=folder, reach=reach)
    except TimeoutError as error:
        raise CompileError(f"`{source}` takes longer than {TIMEOUT_SECONDS} s to compile") from error
    except fence.AnswerTooLongError as error:
        raise CompileError(f"`{source}` has more faults than can be shown: {error} of them") from error
    except OSError as error:
        raise CompileError(f"clang cannot be started: {error.strerror}") from error


def _hint(said: str, source: Path) -> str | None:
    """Say where the fence stands, if a file that was named is there, but outside."""
    root = root_of(source)
    named = (source.resolve().parent / name for name in re.findall(r"'([^'\n]+)'", said))
    if all(one.resolve().is_relative_to(root) or not one.is_file() for one in named):
        return None
    return f"the compiler reads `{root}`, the system's headers and `{REPOSITORY / 'vnfs'}`, and no other file"


# As the compiler for that machine names it, and as libbpf's <bpf/bpf_tracing.h> does.
_MACHINES: Final = {
    "x86_64": ("__x86_64__", "__TARGET_ARCH_x86"),
    "aarch64": ("__aarch64__", "__TARGET_ARCH_arm64"),
    "riscv64": ("__riscv", "__TARGET_ARCH_riscv"),
}


def _includes() -> list[str]:
    machine = platform.machine()
    return [
        *(f"-D{name}" for name in _MACHINES.get(machine, ())),
        f"-I/usr/include/{machine}-linux-gnu",
        f"-I{REPOSITORY / 'vnfs'}",
        "-fdebug-compilation-dir=.",
    ]
