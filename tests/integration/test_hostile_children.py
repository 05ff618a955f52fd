"""Hostile code inside each kind of child that reads strangers' bytes: it lists what it reached, and that is nothing.

The same code outside the fence reaches nearly all of it: a test that could not fail would be none.
"""

import asyncio
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from services.verifier.processes import sandbox
from unibpf.host import fence, fenced, seccomp
from unibpf.host.fence import Limits, Reach
from unibpf.host.settings import REPOSITORY
from unibpf.push.compile import CompileError, compile_c

SOURCE: Final = REPOSITORY / "tests" / "data" / "hostile" / "child.c"
FREE: Final = Limits(wall_seconds=60.0, file_bytes=1 << 20, files=64)
KINDS: Final = {
    "an executable of this project": (Reach(), 0),
    "a compiler": (Reach.of_tool(), 1),
    "somebody else's verifier": (Reach.of_tool(calls=seccomp.TOOLS), 2),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hostile") / "child"
    subprocess.run(["clang-19", "-O1", "-static", str(SOURCE), "-o", str(target)], check=True)
    return target


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "operator.nk"
    path.write_text("a seed")
    return path


def words(keys: Path, port: int, rights: int) -> list[str]:
    return [str(keys), str(port), str(os.getpid()), str(rights)]


def test_outside_the_fence_it_reaches_what_it_tries(hostile: Path, keys: Path, listening: int) -> None:
    call = [hostile, *words(keys, listening, 2)]
    found = subprocess.run(call, capture_output=True, check=True, text=True, timeout=60).stdout
    assert {"keys", "passwd", "a connection", "parent's environment", "signal to the parent"} <= set(found.splitlines())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_program_in_the_fence_reaches_nothing(kind: str, hostile: Path, keys: Path, listening: int) -> None:
    reach, rights = KINDS[kind]
    ended = await fenced.ask([hostile, *words(keys, listening, rights)], b"", FREE, reach=reach)
    assert (ended.status, ended.output.decode().splitlines()) == (0, ["done"])


def sleepers() -> list[str]:
    """Processes with this test's odd argument."""
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x00301.5\x00" in said(path)]


def said(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_what_it_starts_ends_with_it(tmp_path: Path) -> None:
    script = tmp_path / "verifier"
    script.write_text("#!/bin/sh\n(sleep 301.5 &) ; (setsid sleep 301.5 || sleep 301.5) & echo begun; sleep 301.5\n")
    script.chmod(0o755)
    with pytest.raises(TimeoutError):
        await fenced.ask([script], b"", Limits(wall_seconds=1.0, memory_bytes=None))
    deadline = time.monotonic() + 10
    while left := sleepers():
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)


# --- the front end, which is forked ------------------------------------------------------------------------------------------

LIBC: Final = ctypes.CDLL(None, use_errno=True)
PYTHON: Final = {
    "a file": lambda: Path("/etc/passwd").read_bytes(),
    "a socket": socket.socket,
    "a process": os.fork,
    "a program": lambda: os.execv("/bin/true", ["true"]),
    "a signal": lambda: os.kill(os.getppid(), 0),
    "a session": os.setsid,
    "a folder": lambda: list(Path("/").iterdir()),
    "ptrace": lambda: _call(LIBC.ptrace, 0x4206, os.getppid(), 0, 0),
    "memory of others": lambda: _call(LIBC.syscall, 310, os.getppid(), 0, 0, 0, 0, 0),
    "to be traced": lambda: _call(LIBC.prctl, 4, 1, 0, 0, 0),
    "a life after its parent": lambda: _call(LIBC.prctl, 1, 0, 0, 0, 0),
    "another user": lambda: os.setuid(1),
    "a pipe": os.pipe,
    "a descriptor": lambda: next(filter(_is_open, range(3, 256))),
}


def _call(function: object, *arguments: int) -> int:
    result = int(function(*arguments))  # type: ignore[operator]
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def attempts() -> bytes:
    found = []
    for name, attempt in PYTHON.items():
        try:
            attempt()
        except (OSError, StopIteration):
            continue
        found.append(name)
    return ", ".join(found).encode()


def test_the_front_end_reaches_nothing() -> None:
    assert sandbox.run(attempts, Limits()) == b""


def test_it_keeps_no_capability_and_gets_none_back() -> None:
    def rights() -> bytes:
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        LIBC.syscall(126, head, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))
        kept = LIBC.syscall(125, head, (ctypes.c_uint32 * 6)())
        return str(kept).encode()

    assert sandbox.run(rights, Limits()) == b"-1", "not even to ask"


# --- the compiler -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '__asm__(".incbin \\"{secret}\\"");',
        '#include "{secret}"',
        '#include "../secret/seed"',
        '#define FILE "{secret}"\n#include FILE',
        'const char seed[] = {{\n#embed "{secret}"\n}};',
    ],
)
def test_a_source_publishes_no_file_of_the_host(tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret" / "seed"
    secret.parent.mkdir()
    secret.write_text("int seed = 4711;\n")
    source = tmp_path / "source" / "program.c"
    source.parent.mkdir()
    source.write_text(text.format(secret=secret) + "\nint unibpf;\n")
    with pytest.raises(CompileError) as caught:
        compile_c(source)
    assert "4711" not in str(caught.value)
    assert caught.value.hint is not None
    assert f"the compiler reads `{source.parent}`" in caught.value.hint


def test_a_source_includes_from_its_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "common.h").write_text("#define NUMBER 3\n")
    source = tmp_path / "programs" / "program.c"
    source.parent.mkdir()
    source.write_text('#include "../common.h"\n#include <linux/bpf.h>\nint number = NUMBER;\n')
    assert compile_c(source)[:4] == b"\x7fELF"


# --- services -----------------------------------------------------------------------------------------------------------------


def test_a_service_cannot_be_read_by_others_of_its_user() -> None:
    script = (
        "import asyncio, ctypes; from unibpf.host import process\n"
        "async def work(): print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "asyncio.run(process.until_signalled(work()))\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert said == "0\n"


def test_the_kernel_under_test_fences_files() -> None:
    assert fence.landlock_version() >= 1, (
        "without Landlock children have the files of their user (docs/threat-model.md)"
    )
