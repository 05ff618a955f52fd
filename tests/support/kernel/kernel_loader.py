"""The kernel's own verdict on an object, by the loader that everybody uses: libbpf, one program at a time, nothing pinned.

Unlike `kernel_oracle`, which loads what our front end linked, nothing here passes through our code. A program of a
`unibpf/...` or an old `xdp_...` section is loaded as XDP, which libbpf does not know by itself. Needs `libbpf.so.1`
(Debian's `libbpf1`) and CAP_BPF.
"""

import ctypes
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.kernel import kernel_oracle
from unibpf.formats.bundle import BundleMap, decode

_XDP: Final = 6  # BPF_PROG_TYPE_XDP
_OF_FRAMES: Final = (0, 37)  # expected attach type: none, BPF_XDP; the others are the devmap and cpumap hooks
_LOG_BYTES: Final = 1 << 24
_PROCESSED: Final = re.compile(r"processed \d+ insns")
_POINTERS: Final = (
    "bpf_object__open_mem",
    "bpf_object__next_program",
    "bpf_object__next_map",
    "bpf_map__initial_value",
)
_TEXTS: Final = ("bpf_program__name", "bpf_program__section_name", "bpf_map__name")


@dataclass(frozen=True, kw_only=True)
class KernelVerdict:
    """`reason` is the last line of the verifier's log, or what libbpf's errno says; empty when it loaded."""

    loads: bool
    reason: str = ""
    load_ms: float = 0.0


def programs(data: bytes) -> list[tuple[str, str]] | None:
    """Return (section, function) of the programs that can be loaded as XDP; None where libbpf cannot open the object."""
    with _opened(data) as (library, handle):
        if not handle:
            return None
        return [_names(library, one) for one in _each(library, handle, "program") if _is_xdp(library, one)]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a loader sets before it loads: contents of data sections, sizes of maps, maps that are like those of a map."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    max_entries: Mapping[str, int] = field(default_factory=dict)
    inner: Mapping[str, BundleMap] = field(default_factory=dict)


def load(data: bytes, function: str, setting: Setting = Setting()) -> KernelVerdict:
    """Load the object with that program only."""
    with _opened(data) as (library, handle), ExitStack() as made:
        if not handle:
            return KernelVerdict(loads=False, reason="libbpf cannot open the object")
        for one in _each(library, handle, "map"):
            library.bpf_map__set_pin_path(one, None)
            _set(library, one, setting, made)
        log = ctypes.create_string_buffer(_LOG_BYTES)
        for one in _each(library, handle, "program"):
            chosen = _names(library, one)[1] == function
            library.bpf_program__set_autoload(one, ctypes.c_bool(chosen))
            if chosen:
                library.bpf_program__set_type(one, _XDP)
                library.bpf_program__set_log_buf(one, log, ctypes.c_size_t(_LOG_BYTES))
        started = time.perf_counter()
        status = library.bpf_object__load(handle)
        elapsed = (time.perf_counter() - started) * 1e3
        if status == 0:
            return KernelVerdict(loads=True, load_ms=elapsed)
        return KernelVerdict(loads=False, reason=_reason(log.value.decode(errors="replace"), -status), load_ms=elapsed)


def _set(library: Any, one: int, setting: Setting, made: ExitStack) -> None:
    name = library.bpf_map__name(one).decode()
    section = next((section for section in setting.contents if name.endswith(section)), None)
    if section is not None:
        size = ctypes.c_size_t()
        content = library.bpf_map__initial_value(one, ctypes.byref(size))
        if size.value != len(setting.contents[section]):
            raise AssertionError(f"{name} has {size.value} bytes")
        ctypes.memmove(content, setting.contents[section], size.value)
    if name in setting.max_entries and library.bpf_map__set_max_entries(one, setting.max_entries[name]):
        raise AssertionError(f"{name} takes no size")
    if name in setting.inner:
        like = kernel_oracle.create_map(setting.inner[name])
        made.callback(os.close, like)
        if library.bpf_map__set_inner_map_fd(one, like):
            raise AssertionError(f"{name} takes no inner map")


def load_bundle(bundle: bytes) -> KernelVerdict:
    """The same for what has no object: by bpf(2) itself."""
    started = time.perf_counter()
    try:
        with kernel_oracle.Oracle(bundle=decode(bundle)):
            return KernelVerdict(loads=True, load_ms=(time.perf_counter() - started) * 1e3)
    except kernel_oracle.KernelRefusedError as error:
        return KernelVerdict(
            loads=False, reason=_reason(error.log, error.number), load_ms=(time.perf_counter() - started) * 1e3
        )


def _reason(log: str, number: int) -> str:
    """The verifier's last word. Lines that start with a number or `;` are instructions and source."""
    lines = [line for line in log.splitlines() if line and not _PROCESSED.match(line)]
    return lines[-1] if lines else f"errno {number}"


def _is_xdp(library: Any, program: int) -> bool:
    own = _names(library, program)[0].startswith(("unibpf/", "xdp_"))
    frames = library.bpf_program__expected_attach_type(program) in _OF_FRAMES
    return own or (library.bpf_program__type(program) == _XDP and frames)


def _names(library: Any, program: int) -> tuple[str, str]:
    return library.bpf_program__section_name(program).decode(), library.bpf_program__name(program).decode()


def _each(library: Any, handle: int | None, what: str) -> Iterator[int]:
    following = getattr(library, f"bpf_object__next_{what}")
    one = following(handle, None) if handle else None
    while one:
        yield ctypes.c_void_p(one)
        one = following(handle, ctypes.c_void_p(one))


@contextmanager
def _opened(data: bytes) -> Iterator[tuple[Any, Any]]:
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    for name in _POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    for name in _TEXTS:
        getattr(library, name).restype = ctypes.c_char_p
    library.libbpf_set_print(None)
    found = library.bpf_object__open_mem(data, ctypes.c_size_t(len(data)), None)
    handle = ctypes.c_void_p(found) if found else None
    try:
        yield library, handle
    finally:
        if handle:
            library.bpf_object__close(handle)
