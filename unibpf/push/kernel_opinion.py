"""What this machine's Linux kernel makes of a bundle: a process of its own, `python -m unibpf.push.kernel_opinion [HOOK]`.

A bundle on stdin, the answer (`Answer`, JSON) on stdout. Before it looks at the bundle the process shuts itself in: it keeps
the right to load programs and nothing else, and no system call but those that compute, and bpf(2) with the commands of
kernel_loading. What it loads is never attached, and gone with the process.

Three answers, kept apart. `accepts`: the kernel loaded it. Not: its verifier found a fault, in its own words. None: it cannot
say, for it has no such helper, map or instruction, its limits were reached, or nobody here may ask. Not to say is no consent.
"""

import errno
import re
import sys
from typing import Final

import msgspec

from unibpf.formats.bpf import ARRAYS, RINGS, MapType
from unibpf.formats.bundle import Bundle, BundleError, BundleMap, decode
from unibpf.host import fence, seccomp
from unibpf.push import kernel_loading

LIMITS: Final = fence.Limits(
    cpu_seconds=20, wall_seconds=40.0, memory_bytes=1 << 30, answer_bytes=1 << 14, file_bytes=0, files=3 + 2 * 64 + 257
)
MAX_BUNDLE: Final = 1 << 20
# A map is memory of the host's kernel. The question needs its sizes, so that what is larger has no answer.
MAX_MAP_BYTES: Final = 256 << 20
CAPABILITIES: Final = (12, 38, 39)  # CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF (<linux/capability.h>)
HOOKS: Final = ("driver", "devmap", "cpumap")
_ENTRY_BYTES: Final = 64  # what a hash's entry takes beside key and value, about
_PER_CPU: Final = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})
_MANY_CPUS: Final = 64
_MAX_SAID: Final = 200

# The end of a log that says what this kernel lacks, or what it did not follow to the end. Seen from 5.10 to 6.18.
_CANNOT_SAY: Final = (
    (re.compile(r"too large\. Processed|too complex|too many states|back-edge"), "beyond its limits"),
    (
        re.compile(r"(invalid|unknown) func \S+|cannot use helper|helper call is not allowed|not supported by"),
        "no such helper",
    ),
    (
        re.compile(r"unknown opcode|BPF_\w+ uses reserved fields|unrecognized bpf_ld_imm64|invalid insn"),
        "no such instruction",
    ),
    (re.compile(r"\b(btf|vmlinux)\b", re.IGNORECASE), "no such description"),
    (re.compile(r"subprogram\S* .*not allowed|mix tail_call|tail_calls are not allowed"), "no such calls"),
)
_COUNTS: Final = re.compile(r"processed \d+ insns|verification time|stack depth|insns processed")
_LISTING: Final = re.compile(r"\d+: |; |from \d+ to \d+|func#\d+|\Z")
_BY_ERRNO: Final = {
    errno.E2BIG: "the program is beyond its limit of complexity",
    errno.ENOMEM: "it has no memory for it",
    errno.EAGAIN: "it was stopped",
    errno.ENOSYS: "it has no bpf(2)",
    errno.EPERM: "loading programs needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN",
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`accepts` is None where the kernel cannot say; `said` is its own line, or why there is none."""

    accepts: bool | None
    said: str = ""


def main(arguments: list[str]) -> int:
    """Answer one question."""
    hook = arguments[0] if arguments else HOOKS[0]
    if hook not in HOOKS:
        return 2
    fence.confine(LIMITS, keep=CAPABILITIES, calls=seccomp.KERNEL)
    sys.stdout.buffer.write(msgspec.json.encode(answer(sys.stdin.buffer.read(MAX_BUNDLE + 1), hook)))
    return 0


def answer(data: bytes, hook: str) -> Answer:
    """Ask the kernel about a bundle."""
    try:
        bundle = decode(data)
    except BundleError as error:
        return Answer(accepts=None, said=f"not asked: this is no bundle: {error}")
    needed = sum(map(memory_of, bundle.maps))
    if needed > MAX_MAP_BYTES:
        return Answer(
            accepts=None,
            said=f"not asked: its maps take {needed >> 20} MiB of the host's memory, got at most {MAX_MAP_BYTES >> 20} for it",
        )
    return _load(bundle, hook)


def _load(bundle: Bundle, hook: str) -> Answer:
    try:
        with kernel_loading.Loaded(bundle=bundle, hook=hook):
            return Answer(accepts=True)
    except kernel_loading.KernelRefusedError as error:
        return of_refusal(error.number, error.log)
    except kernel_loading.SplitError:
        return Answer(accepts=None, said="programs of its tail calls share functions")
    except OSError as error:
        why = _BY_ERRNO.get(error.errno or 0, f"it does not take {error.filename}: {error.strerror}")
        return Answer(accepts=None, said=why[:_MAX_SAID])


def of_refusal(number: int, log: str) -> Answer:
    """Tell what the verifier's log means: a fault that it found, or something that it lacks."""
    line = last_line(log)
    for pattern, what in _CANNOT_SAY:
        if pattern.search(line):
            return Answer(accepts=None, said=f"{what}: {line}"[:_MAX_SAID])
    if number in _BY_ERRNO and (not line or number != errno.EPERM):
        return Answer(accepts=None, said=_BY_ERRNO[number])
    if not line:
        return Answer(accepts=None, said=f"it gave no reason ({errno.errorcode.get(number, str(number))})")
    return Answer(accepts=False, said=line[:_MAX_SAID])


def last_line(log: str) -> str:
    """Return the verifier's last word, which is neither an instruction, nor source, nor a count."""
    lines = (line.strip() for line in reversed(log.splitlines()))
    return next((line for line in lines if not _COUNTS.search(line) and not _LISTING.match(line, 0)), "")


def memory_of(spec: BundleMap) -> int:
    """Return about what the kernel takes for a map."""
    entries, value = spec.max_entries, spec.value_size
    if spec.type in RINGS:
        return entries
    if spec.type in _PER_CPU:
        value *= _MANY_CPUS
    return entries * (value if spec.type in ARRAYS else value + spec.key_size + _ENTRY_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
