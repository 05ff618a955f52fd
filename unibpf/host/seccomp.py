"""Which system calls a child may make: seccomp filters as the kernel takes them (Linux, seccomp(2), BPF of 1992).

    WORK     to compute: read and write what is open, memory, clocks, its own end. No file can be opened, nothing be reached.
    BEGIN    WORK, and what a statically linked program needs to begin
    TOOL     BEGIN, and files and threads: a compiler (which files, says Landlock)
    KERNEL   WORK, and to load programs into the kernel (bpf(2): no command that runs, attaches, pins or reads one)
    TOOLS    TOOL, and processes of its own: somebody else's verifier, which may be a script

None has sockets, ptrace, another process's memory, signals to others, namespaces, mounts, keys, io_uring, or a session or
group of its own (what a child starts ends with its group). A refused call fails with EPERM, as if the machine did not allow it.

The lists are what clang, PREVAIL's kind of program, the interpreter and the two static executables were seen to use
(`strace -f -c`), less what is above. Numbers are those of x86-64, the only machine that guests and services are built for.
"""

import functools
import struct
from dataclasses import dataclass
from typing import Final

# <asm/unistd_64.h>
NUMBERS: Final = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8, "mmap": 9,
    "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17,
    "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "pipe": 22, "select": 23, "sched_yield": 24, "mremap": 25,
    "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39, "clone": 56, "fork": 57, "vfork": 58, "execve": 59,
    "exit": 60, "wait4": 61, "kill": 62, "uname": 63, "fcntl": 72, "ftruncate": 77, "getdents": 78, "getcwd": 79,
    "chdir": 80, "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "unlink": 87, "readlink": 89, "chmod": 90,
    "fchmod": 91, "umask": 95,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104,
    "geteuid": 107, "getegid": 108, "getppid": 110, "getpgrp": 111, "setrlimit": 160, "sigaltstack": 131, "statfs": 137,
    "fstatfs": 138, "prctl": 157, "arch_prctl": 158, "gettid": 186, "tkill": 200, "time": 201, "futex": 202,
    "sched_getaffinity": 204, "getdents64": 217, "set_tid_address": 218, "restart_syscall": 219, "fadvise64": 221,
    "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231, "tgkill": 234, "waitid": 247,
    "openat": 257, "mkdirat": 258,
    "newfstatat": 262, "unlinkat": 263, "renameat": 264, "readlinkat": 267, "faccessat": 269, "pselect6": 270, "ppoll": 271,
    "set_robust_list": 273, "dup3": 292, "pipe2": 293, "prlimit64": 302, "renameat2": 316, "getrandom": 318, "bpf": 321,
    "membarrier": 324, "statx": 332, "rseq": 334, "clone3": 435, "faccessat2": 439,
}  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WORK: Final = _names("""
read write readv writev close fstat lseek poll ppoll select pselect6 mmap munmap mremap mprotect madvise brk futex getrandom
restart_syscall sched_yield rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack nanosleep clock_nanosleep clock_gettime
clock_getres gettimeofday time times getrusage getrlimit setrlimit getpid gettid getppid getuid geteuid getgid getegid
exit exit_group""")
_BEGIN: Final = (*_WORK, *_names("execve arch_prctl set_tid_address set_robust_list rseq readlink readlinkat uname"))
_FILES: Final = _names("""
open openat stat lstat newfstatat statx access faccessat faccessat2 getcwd chdir fchdir pread64 pwrite64 getdents getdents64
fcntl dup dup2 dup3 pipe pipe2 ftruncate fadvise64 rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat chmod fchmod
umask statfs fstatfs sysinfo sched_getaffinity membarrier getpgrp""")
_TOOL: Final = (*_BEGIN, *_FILES)

# What prctl may do: PR_SET_NO_NEW_PRIVS, PR_SET_NAME. Not: to become traceable again, or to outlive its parent.
_PRCTL: Final = (38, 15)
_CLONE_THREAD: Final = 0x00010000
_CLONE_NEW: Final = 0x7E020080  # every namespace of clone(2): mount, cgroup, UTS, IPC, user, PID, network, time

_AUDIT_ARCH_X86_64: Final = 0xC000003E
_X32: Final = 0x40000000
_RET_ALLOW: Final = 0x7FFF0000
_RET_KILL: Final = 0x80000000
_RET_EPERM: Final = 0x00050000 | 1
_RET_ENOSYS: Final = 0x00050000 | 38
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # struct seccomp_data
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


@dataclass(frozen=True)
class _Step:
    """One instruction: where it goes on if its test holds and if not, as labels ("" is the next one)."""

    code: int
    value: int
    then: str = ""
    other: str = ""
    label: str = ""


@dataclass(frozen=True)
class Calls:
    """What is allowed; `threads` and `processes` say which form of clone is, `commands` which of bpf(2) are."""

    names: tuple[str, ...]
    threads: bool = False
    processes: bool = False
    commands: tuple[int, ...] = ()


WORK: Final = Calls(_WORK)
BEGIN: Final = Calls(_BEGIN)
TOOL: Final = Calls(_TOOL, threads=True)
TOOLS: Final = Calls((*_TOOL, "fork", "vfork", "wait4", "waitid"), threads=True, processes=True)

KERNEL: Final = Calls(_WORK, commands=(0, 2, 5, 18, 22))  # kernel_loading.LOADING

STEP_BYTES: Final = 8
_SIGNALS: Final = ("kill", "tkill", "tgkill")


@functools.cache
def filter_of(calls: Calls, *, signals: bool = False) -> bytes:
    """Return the filter, an array of struct sock_filter. `signals`: it may send them, as Landlock keeps them in."""
    names = (*calls.names, *(_SIGNALS if signals else ()))
    steps = [
        _Step(_LOAD, _ARCH_AT),
        _Step(_EQUAL, _AUDIT_ARCH_X86_64, other="kill"),
        _Step(_LOAD, _NUMBER_AT),
        _Step(_AT_LEAST, _X32, then="refuse"),
        *(_Step(_EQUAL, NUMBERS[name], then="allow") for name in dict.fromkeys(names)),
        _Step(_EQUAL, NUMBERS["prctl"], then="prctl"),
        _Step(_EQUAL, NUMBERS["prlimit64"], then="prlimit"),
    ]
    if calls.threads or calls.processes:  # glibc asks for clone3 first, whose arguments no filter sees
        steps += [_Step(_EQUAL, NUMBERS["clone3"], then="unknown"), _Step(_EQUAL, NUMBERS["clone"], then="clone")]
    if calls.commands:
        steps += [_Step(_EQUAL, NUMBERS["bpf"], other="refuse"), _Step(_LOAD, _FIRST_ARGUMENT_AT)]
        steps += [_Step(_EQUAL, value, then="allow") for value in calls.commands]
    steps += [_Step(_RETURN, _RET_EPERM, label="refuse"), _Step(_LOAD, _FIRST_ARGUMENT_AT, label="prctl")]
    steps += [_Step(_EQUAL, value, then="allow") for value in _PRCTL]
    # Of nobody else: whose limits go down could not work any more.
    steps += [
        _Step(_RETURN, _RET_EPERM),
        _Step(_LOAD, _FIRST_ARGUMENT_AT, label="prlimit"),
        _Step(_EQUAL, 0, then="allow"),
    ]
    steps += [_Step(_RETURN, _RET_EPERM), _Step(_LOAD, _FIRST_ARGUMENT_AT, label="clone")]
    # A process that shares nothing, or a thread; never one in a namespace of its own.
    steps += [_Step(_ANY_BIT, _CLONE_NEW, then="refused clone")]
    steps += [] if calls.processes else [_Step(_ANY_BIT, _CLONE_THREAD, other="refused clone")]
    steps += [_Step(_RETURN, _RET_ALLOW, label="allow"), _Step(_RETURN, _RET_EPERM, label="refused clone")]
    steps += [_Step(_RETURN, _RET_ENOSYS, label="unknown"), _Step(_RETURN, _RET_KILL, label="kill")]
    places = {step.label: place for place, step in enumerate(steps) if step.label}
    return b"".join(
        struct.pack(
            "<HBBI",
            step.code,
            places[step.then] - place - 1 if step.then else 0,
            places[step.other] - place - 1 if step.other else 0,
            step.value,
        )
        for place, step in enumerate(steps)
    )
