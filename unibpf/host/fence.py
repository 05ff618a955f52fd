"""One fence around what reads strangers' bytes: limits, no privileges, few system calls and files, answers with an end.

    confine(limits)        a forked child shuts itself in, before it looks at anything
    run(...)               a program to its end; unibpf.host.fenced is for those under asyncio, whose import takes long

A program begins by way of `unibpf-fence` (unibpf/host/native), which becomes it: limits, no new privileges, no capabilities,
only the files of its Reach (Landlock, where the kernel has it), only the system calls of its Reach (seccomp), dead with its
parent. Limits only ever go down: a process that is limited more tightly already stays so.
"""

import contextlib
import ctypes
import functools
import os
import resource
import select
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unibpf.host import seccomp
from unibpf.host.seccomp import Calls
from unibpf.host.settings import REPOSITORY, binary_directory

_READ: Final = 1 << 16
LAUNCHER: Final = "unibpf-fence"
# What a dynamically linked program needs to begin and to read the machine's headers; nothing of the host's own in it.
SYSTEM: Final = tuple(map(Path, ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")))
_DEVICES: Final = tuple(map(Path, ("/dev/null", "/dev/zero")))
_PT_INTERP: Final = 3
_RANDOM: Final = Path("/dev/urandom")


class AnswerTooLongError(Exception):
    """A child says more than it may: it may have been taken over."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """CPU and wall time in seconds, memory (address space), answer and files in bytes; None is what it has anyway."""

    cpu_seconds: int = 5
    wall_seconds: float = 10.0
    memory_bytes: int | None = 1 << 30
    answer_bytes: int = 64 << 20
    file_bytes: int = 0
    files: int | None = None

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """Yield (resource, soft, hard)."""
        yield resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + 1  # SIGXCPU first, SIGKILL a second later
        if self.memory_bytes is not None:
            yield resource.RLIMIT_AS, self.memory_bytes, self.memory_bytes
        yield resource.RLIMIT_FSIZE, self.file_bytes, self.file_bytes
        if self.files is not None:
            yield resource.RLIMIT_NOFILE, self.files, self.files
        yield resource.RLIMIT_CORE, 0, 0


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a program may touch beyond its pipes: files and folders, and system calls (unibpf.host.seccomp)."""

    reads: tuple[Path, ...] = ()
    changes: tuple[Path, ...] = ()
    calls: Calls = seccomp.BEGIN

    @classmethod
    def of_tool(
        cls, *, reads: Sequence[Path] = (), changes: Sequence[Path] = (), calls: Calls = seccomp.TOOL
    ) -> "Reach":
        """Return that of a program of the system, with what it works on."""
        return cls(reads=(*SYSTEM, _RANDOM, *reads), changes=(*_DEVICES, *changes), calls=calls)

    @classmethod
    def natural(cls, program: Path, folder: Path | None = None) -> "Reach":
        """Return the least by which it begins: nothing at all, if it is linked statically.

        Else what the system's loader or a script's interpreter reads, what lies beside it, and the folder that it runs in.
        """
        if _is_static(program):
            return cls()
        homes = (program.absolute().parent, program.resolve().parent)
        beside = [
            place for own in homes for place in (own, *(own.parent / name for name in ("lib", "lib64", "pyvenv.cfg")))
        ]
        return cls.of_tool(reads=beside, changes=(folder,) if folder else (), calls=seccomp.TOOLS)


def _is_static(program: Path) -> bool:
    """Whether it is an ELF executable of 64 bits without an interpreter (PT_INTERP; System V ABI, chapter 5)."""
    with program.open("rb") as file:
        head = file.read(4096)
    if head[:5] != b"\x7fELF\x02":
        return False
    start, size, count = struct.unpack_from("<Q14xHH", head, 32)
    ends = start + size * count
    return ends <= len(head) and all(
        struct.unpack_from("<I", head, place)[0] != _PT_INTERP for place in range(start, ends, max(size, 1))
    )


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended (negative: by that signal), what it answered, and what it said on stderr if that is kept."""

    status: int
    output: bytes
    said: bytes = b""

    @property
    def struck(self) -> bool:
        """Whether the kernel ended it for a limit set here."""
        return self.status in {-signal.SIGXCPU, -signal.SIGKILL}


# --- this process ----------------------------------------------------------------------------------------------------------


def confine(limits: Limits, *, keep: tuple[int, ...] = (), calls: Calls = seccomp.WORK) -> None:
    """Shut this very process in, for good: it computes, and reads and writes what is open.

    `keep` are capabilities, by number, that it keeps if it has them, `calls` what it may do beside to compute.
    """
    for what, soft, hard in limits.rows():
        current = resource.getrlimit(what)
        bound = _tighter(hard, current[1])
        resource.setrlimit(what, (min(_tighter(soft, current[0]), bound), bound))
    _give_up_rights(keep, calls)


@functools.cache
def landlock_version() -> int:
    """The version of Landlock that this kernel has (landlock(7)); 0 is none, and then files are not fenced off."""
    return max(0, int(_libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _QUERY_VERSION)))


def hide() -> None:
    """Let nobody of the same user read this process's memory or trace it (`PR_SET_DUMPABLE`, prctl(2)): it holds keys."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _tighter(wanted: int, current: int) -> int:
    return wanted if current == resource.RLIM_INFINITY else min(wanted, current)


_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_SYS_CAPGET: Final = 125
_SYS_CAPSET: Final = 126
_CAPABILITY_VERSION_3: Final = 0x20080522  # <linux/capability.h>
_SYS_LANDLOCK_CREATE_RULESET: Final = 444
_QUERY_VERSION: Final = 1
_SCOPES_SIGNALS: Final = 6
_libc: Final = ctypes.CDLL(None, use_errno=True)


@functools.cache  # once a process: what is given up cannot be given up again
def _give_up_rights(keep: tuple[int, ...], calls: Calls) -> None:
    """As unibpf-fence does for a program; no file and no program can be opened afterwards, so there are none to choose."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _keep_only(keep)
    hide()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    steps = seccomp.filter_of(calls)
    code = ctypes.create_string_buffer(steps, len(steps))
    program = _Program(len(steps) // seccomp.STEP_BYTES, ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def _keep_only(capabilities: tuple[int, ...]) -> None:
    """capset(2): two words each of what is effective, permitted and inheritable."""
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    words = (ctypes.c_uint32 * 6)()
    if _libc.syscall(_SYS_CAPGET, head, words) != 0:
        raise OSError(ctypes.get_errno(), "cannot read capabilities")
    for half in (0, 1):
        kept = sum(1 << number % 32 for number in capabilities if number // 32 == half)
        words[3 * half] = words[3 * half + 1] = words[3 * half + 1] & kept
        words[3 * half + 2] = 0
    if _libc.syscall(_SYS_CAPSET, head, words) != 0:
        raise OSError(ctypes.get_errno(), "cannot give up capabilities")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0)[:4]]
    if _libc.prctl(option, *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} is refused")


# --- programs --------------------------------------------------------------------------------------------------------------


def enclosed(
    command: Sequence[str | Path], limits: Limits, reach: Reach | None, folder: Path | None = None
) -> list[str]:
    """Return the call that begins `command` inside the fence; raises OSError where it, or the fence, is not there.

    Without a `reach` it has its natural one, in the `folder` that it runs in. It ends with the thread that starts it.
    """
    found = shutil.which(command[0])
    if found is None:
        raise FileNotFoundError(2, f"there is no executable `{command[0]}`")
    program = Path(found).absolute()  # it begins in its folder, not in this one
    reach = reach or Reach.natural(program, folder)
    code = seccomp.filter_of(reach.calls, signals=landlock_version() >= _SCOPES_SIGNALS)
    words = [_launcher(), "-p", str(os.getpid()), "-f", code.hex()]
    for what, soft, hard in limits.rows():
        words += ["-l", f"{what}:{soft}:{hard}"]
    for path in (program, program.resolve(), *reach.reads):
        words += ["-r", str(path)]
    for path in reach.changes:
        words += ["-w", str(path)]
    return [*words, *map(str, (program, *command[1:]))]


def _launcher() -> str:
    """Beside the other executables; where those were built elsewhere without it, this repository's."""
    for folder in (binary_directory(os.environ), REPOSITORY / "build" / "bin"):
        launcher = (folder / LAUNCHER).absolute()
        if os.access(launcher, os.X_OK):
            return str(launcher)
    raise FileNotFoundError(2, f"there is no `{LAUNCHER}`; build it with `make build`, or set `UNIBPF_BIN`")


def end_group(group: int) -> None:
    """Kill a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run(
    command: Sequence[str | Path],
    limits: Limits,
    *,
    environment: Mapping[str, str],
    folder: Path,
    reach: Reach | None = None,
) -> Ended:
    """Run a program to its end; raises OSError if it cannot start, TimeoutError, AnswerTooLongError."""
    deadline = time.monotonic() + limits.wall_seconds
    with subprocess.Popen(
        enclosed(command, limits, reach, folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    ) as process:
        try:
            pipes = [pipe.fileno() for pipe in (process.stdout, process.stderr) if pipe]
            output, said = _collect_all(pipes, deadline, limits.answer_bytes)
            return Ended(status=process.wait(max(0.0, deadline - time.monotonic())), output=output, said=said)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        finally:
            if process.returncode is None:  # not waited for, so the number is still its own
                end_group(process.pid)


def collect(reader: int, deadline: float, most: int) -> bytes:
    """Read a file to its end; raises TimeoutError when the deadline (of time.monotonic) comes first, AnswerTooLongError."""
    return _collect_all([reader], deadline, most)[0]


def _collect_all(readers: Sequence[int], deadline: float, most: int) -> list[bytes]:
    """Read several as they come, because a program waits when the pipe that nobody reads is full; `most` is of each."""
    found = {reader: bytearray() for reader in readers}
    pending = set(readers)
    while pending:
        ready, _, _ = select.select(pending, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("no answer in time")
        for reader in ready:
            chunk = os.read(reader, _READ)
            if not chunk:
                pending.remove(reader)
            found[reader] += chunk
            if len(found[reader]) > most:
                raise AnswerTooLongError(f"got more than {most} bytes")
    return [bytes(found[reader]) for reader in readers]
