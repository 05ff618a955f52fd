"""C of others, made into objects under `build/corpus`: the XDP programs of the kernel's selftests and samples.

Both come from Debian's `linux-source-6.1`. Many include `vmlinux.h`: it is written by `bpftool` from the type information of a
kernel that `golang-github-cilium-ebpf-dev` has among its test data. Samples that share code are linked with it, also by
`bpftool`, as the kernel's own Makefile does. Nothing is committed; what a machine lacks is named by who asks.
"""

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from unibpf.push.compile import CompileError, find_compiler

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "corpus"
LINUX: Final = Path("/usr/src/linux-source-6.1.tar.xz")
KERNEL_TYPES: Final = Path("/usr/share/gocode/src/github.com/cilium/ebpf/btf/testdata/vmlinux.btf.gz")
_TREE: Final = "linux-source-6.1"
_SELFTESTS: Final = f"{_TREE}/tools/testing/selftests/bpf"
_SAMPLES: Final = f"{_TREE}/samples/bpf"
_MACHINE: Final = "/usr/include/x86_64-linux-gnu"
_XDP_SECTION: Final = re.compile(r'SEC\("xdp')
_SHARED: Final = "xdp_sample.bpf.c"  # maps and helpers of the samples that include its header
# What samples take from headers of the kernel that no package has in a form for BPF.
_KERNEL_WORDS: Final = """
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#define htons bpf_htons
#define ntohs bpf_ntohs
#define htonl bpf_htonl
#define ntohl bpf_ntohl
#define cpu_to_be16 bpf_htons
#define cpu_to_be32 bpf_htonl
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define AF_INET 2
#define AF_INET6 10
#define __force
#define __packed __attribute__((packed))
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
struct vlan_hdr {
	__be16 h_vlan_TCI, h_vlan_encapsulated_proto;
};
"""


def selftests() -> Path:
    """The selftests' folder, extracted."""
    return _extracted() / _SELFTESTS


def xdp_files(folder: Path) -> list[Path]:
    """The files of a folder that define XDP programs."""
    return [path for path in sorted(folder.glob("*.c")) if _XDP_SECTION.search(path.read_text(errors="replace"))]


def selftest(path: Path) -> bytes:
    """The object of one selftest; raises CompileError."""
    return _compiled(path)


def samples() -> list[Path]:
    """The samples that define XDP programs, extracted."""
    return xdp_files(_extracted() / _SAMPLES)


def sample(path: Path) -> bytes:
    """The object of one sample, linked with the code that it shares; raises CompileError."""
    words = ("-include", "kernel_words.h") if path.name.endswith("_kern.c") else ()
    alone = _compiled(path, *words)
    if f'"{_SHARED.removesuffix(".c")}.h"' not in path.read_text():
        return alone
    _compiled(path.with_name(_SHARED))
    target = CACHE / f"{path.stem}.linked.o"
    parts = [CACHE / f"{path.stem}.o", CACHE / f"{Path(_SHARED).stem}.o"]
    if not target.exists():
        _bpftool("gen", "object", target, *parts)
    return target.read_bytes()


def clang(path: Path, target: Path, *flags: str) -> bytes:
    """Compile with what this machine has of headers; raises CompileError."""
    command = [find_compiler(), "-O2", "-g", "-target", "bpf", *flags, f"-I{_MACHINE}", "-c", path, "-o", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return target.read_bytes()


def _compiled(path: Path, *flags: str) -> bytes:
    target = CACHE / f"{path.stem}.o"
    if target.exists():
        return target.read_bytes()
    folders = [_headers(), selftests(), path.parent, _extracted() / _TREE / "tools/include/uapi"]
    includes = [f"-I{folder}" for folder in folders]
    return clang(path, target, "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Wno-everything", *flags, *includes)


def _extracted() -> Path:
    """The folder with what is needed of the kernel's source."""
    done = CACHE / ".extracted"
    if not done.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = [f"{_SELFTESTS}/{name}" for name in ("progs", "verifier", "test_verifier.c", "*.h")]
        wanted += [f"{_SAMPLES}/*.c", f"{_SAMPLES}/*.h"]
        wanted += [f"{_TREE}/tools/include/uapi/linux", f"{_TREE}/tools/include/linux/*.h"]
        subprocess.run(["tar", "-xJf", LINUX, "-C", CACHE, "--wildcards", *wanted], check=True)
        done.touch()
    return CACHE


def _headers() -> Path:
    """A folder with `uapi/linux`, and with `vmlinux.h` where this machine can make it."""
    folder = CACHE / "headers"
    (folder / "uapi").mkdir(parents=True, exist_ok=True)
    link = folder / "uapi" / "linux"
    if not link.exists():
        link.symlink_to("/usr/include/linux")
    (folder / "kernel_words.h").write_text(_KERNEL_WORDS)
    header = folder / "vmlinux.h"
    if not header.exists() and KERNEL_TYPES.exists() and bpftool() is not None:
        raw = folder / "vmlinux.btf"
        raw.write_bytes(gzip.decompress(KERNEL_TYPES.read_bytes()))
        header.write_bytes(_bpftool("btf", "dump", "file", raw, "format", "c"))
    return folder


def bpftool() -> str | None:
    """Where `bpftool` is."""
    return shutil.which("bpftool", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _bpftool(*words: str | Path) -> bytes:
    found = bpftool()
    if found is None:
        raise CompileError("error: `bpftool` is not installed")
    done = subprocess.run([found, *words], capture_output=True, check=False)
    if done.returncode != 0:
        raise CompileError(f"error: {done.stderr.decode(errors='replace')}")
    return done.stdout
