"""unibpf.host.seccomp: what each filter lets through, by running the filters; numbers are those of this machine's header."""

import re
import struct
from pathlib import Path
from typing import Final

import pytest

from unibpf.host import seccomp

HEADER: Final = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
X86_64: Final = 0xC000003E
I386: Final = 0x40000003
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
CALLS: Final = {"WORK": seccomp.WORK, "BEGIN": seccomp.BEGIN, "TOOL": seccomp.TOOL, "TOOLS": seccomp.TOOLS}
FILTERS: Final = {name: seccomp.filter_of(calls) for name, calls in CALLS.items()}
THREAD: Final = 0x3D0F00  # as glibc's pthread_create asks
PROCESS: Final = 0x1200011  # as its fork does

# What no child may, whatever it is.
FORBIDDEN: Final = """
socket connect bind sendto sendmsg socketpair ptrace process_vm_readv process_vm_writev kill tkill tgkill
rt_sigqueueinfo pidfd_open pidfd_getfd pidfd_send_signal bpf perf_event_open io_uring_setup userfaultfd
unshare setns mount chroot pivot_root keyctl add_key setsid setpgid setuid setgid setresuid capset seccomp
ioctl link symlink linkat symlinkat mknod chown init_module kexec_load reboot shmget msgget semget execveat
memfd_create"""


def numbers() -> dict[str, int]:
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())}


def judge(code: bytes, number: int, argument: int = 0, machine: int = X86_64) -> int:
    """Run a filter as the kernel does."""
    data = struct.pack("<IIQQ", number, machine, 0, argument) + bytes(40)
    steps = list(struct.iter_unpack("<HBBI", code))
    place = loaded = 0
    while True:
        kind, then, other, value = steps[place]
        place += 1
        if kind == 0x06:
            return int(value)
        if kind == 0x20:
            loaded = struct.unpack_from("<I", data, value)[0]
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[kind]
            place += then if holds else other


def test_the_numbers_are_those_of_the_kernels_header() -> None:
    known = numbers()
    assert {name: known[name] for name in seccomp.NUMBERS} == seccomp.NUMBERS


@pytest.mark.parametrize("name", FILTERS)
def test_nothing_reaches_beyond_the_child(name: str) -> None:
    known = numbers()
    assert {call: judge(FILTERS[name], known[call]) for call in FORBIDDEN.split()} == dict.fromkeys(
        FORBIDDEN.split(), EPERM
    )


def test_who_computes_opens_no_file_and_begins_no_program() -> None:
    known = numbers()
    for call in (
        "open",
        "openat",
        "openat2",
        "creat",
        "execve",
        "clone",
        "fork",
        "vfork",
        "mkdir",
        "unlink",
        "readlink",
    ):
        assert judge(FILTERS["WORK"], known[call]) == EPERM
    assert judge(FILTERS["WORK"], known["clone3"]) == EPERM
    for call in ("read", "write", "mmap", "exit_group", "prlimit64"):
        assert judge(FILTERS["WORK"], known[call]) == ALLOW


def test_who_asks_the_kernel_loads_and_neither_runs_nor_attaches_nor_pins() -> None:
    number, code = numbers(), seccomp.filter_of(seccomp.KERNEL)
    assert {command for command in range(64) if judge(code, number["bpf"], command) == ALLOW} == {0, 2, 5, 18, 22}
    others = [call for call in FORBIDDEN.split() if call != "bpf"]
    assert {judge(code, number[call]) for call in (*others, "openat", "execve")} == {EPERM}


def test_a_compiler_has_threads_and_no_processes() -> None:
    number = numbers()
    assert judge(FILTERS["TOOL"], number["clone"], THREAD) == ALLOW
    assert judge(FILTERS["TOOL"], number["clone"], PROCESS) == EPERM
    assert judge(FILTERS["TOOL"], number["fork"]) == EPERM
    assert judge(FILTERS["TOOL"], number["clone3"]) == ENOSYS, (
        "whose flags a filter cannot see: the caller falls back on clone"
    )


@pytest.mark.parametrize(
    "space", [0x10000000, 0x20000000, 0x40000000, 0x02000000, 0x04000000, 0x08000000, 0x00020000, 0x80]
)
def test_processes_have_no_namespaces_of_their_own(space: int) -> None:
    number = numbers()["clone"]
    assert judge(FILTERS["TOOLS"], number, PROCESS) == ALLOW
    assert judge(FILTERS["TOOLS"], number, PROCESS | space) == EPERM


@pytest.mark.parametrize("name", FILTERS)
def test_a_process_stays_untraceable_and_dies_with_its_parent(name: str) -> None:
    number = numbers()["prctl"]
    assert [judge(FILTERS[name], number, option) for option in (1, 4, 22, 36, 0x59616D61)] == [EPERM] * 5
    assert [judge(FILTERS[name], number, option) for option in (38, 15)] == [ALLOW] * 2


@pytest.mark.parametrize("name", FILTERS)
def test_limits_are_set_for_nobody_else(name: str) -> None:
    number = numbers()["prlimit64"]
    assert (judge(FILTERS[name], number, 0), judge(FILTERS[name], number, 4711)) == (ALLOW, EPERM)


@pytest.mark.parametrize("name", FILTERS)
def test_other_ways_into_the_kernel_are_closed(name: str) -> None:
    assert judge(FILTERS[name], 1, machine=I386) == KILL
    assert judge(FILTERS[name], 1 | 0x40000000) == EPERM


@pytest.mark.parametrize("name", FILTERS)
def test_signals_are_sent_only_where_something_else_keeps_them_in(name: str) -> None:
    known = numbers()
    free = seccomp.filter_of(CALLS[name], signals=True)
    assert [judge(free, known[call]) for call in ("kill", "tkill", "tgkill")] == [ALLOW] * 3
    assert {call: judge(free, known[call]) for call in FORBIDDEN.split() if "kill" not in call} == {
        call: EPERM for call in FORBIDDEN.split() if "kill" not in call
    }
