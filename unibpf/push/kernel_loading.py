"""A bundle in this machine's Linux kernel, by bpf(2) itself: its maps, its program as XDP, nothing attached and nothing pinned.

The same code and maps as a guest gets: map references (src 5 and 6 of the bundle) become Linux' src 1 and 2 with file
descriptors. The functions of a program array become programs of their own: they stand last in the code. Types are made up
(Documentation/bpf/btf.rst): what Linux wants described is where functions begin and where a lock lies. Needs CAP_BPF,
CAP_NET_ADMIN and CAP_PERFMON; what was made is gone when it is closed.
"""

import ctypes
import os
import struct
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Self

from unibpf.formats.bpf import (
    BPF_F_RDONLY_PROG,
    CALL,
    INSN_BYTES,
    LDDW,
    SRC_FUNCTION,
    SRC_LOCAL_CALL,
    SRC_MAP,
    SRC_MAP_VALUE,
    MapType,
)
from unibpf.formats.bundle import LOCK_BYTES, Bundle, BundleMap, InnerMap

# enum bpf_cmd
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_NEXT_KEY, PROG_LOAD, TEST_RUN, BTF_LOAD, MAP_FREEZE = 0, 1, 2, 4, 5, 10, 18, 22
LOADING: Final = (MAP_CREATE, MAP_UPDATE, PROG_LOAD, BTF_LOAD, MAP_FREEZE)  # what this module needs
_SYSCALL_BPF: Final = 321  # x86-64
_PROG_TYPE_XDP: Final = 6
_ATTACH_TYPES: Final = {"driver": 0, "devmap": 33, "cpumap": 35}  # enum bpf_attach_type
_TO_LINUX: Final = SRC_MAP - 1  # BPF_PSEUDO_MAP_FD and _VALUE are 1 and 2
_LOG_BYTES: Final = 1 << 24
_ATTR_BYTES: Final = 144
_libc: Final = ctypes.CDLL(None, use_errno=True)


class KernelRefusedError(Exception):
    """The kernel does not load this program: errno, and its verifier's log, empty where it did not come to that."""

    def __init__(self, number: int, log: str) -> None:
        super().__init__(f"bpf command {PROG_LOAD}: {os.strerror(number)}: {log[-2000:]}")
        self.number = number
        self.log = log


class SplitError(Exception):
    """The targets of tail calls share functions with others: they are no programs of their own."""


def command(number: int, attributes: bytes, what: str = "program") -> tuple[int, bytes]:
    """Make the system call; returns its result and the attributes as the kernel left them.

    Raises OSError with `what` in place of a file's name: the map it was about, or what else.
    """
    buffer = ctypes.create_string_buffer(attributes.ljust(_ATTR_BYTES, b"\0"), _ATTR_BYTES)
    result = _libc.syscall(_SYSCALL_BPF, number, buffer, _ATTR_BYTES)
    if result < 0:
        fault = ctypes.get_errno()
        raise OSError(fault, os.strerror(fault), what)
    return result, buffer.raw


def address(buffer: "ctypes.Array[ctypes.c_char]") -> int:
    """Return where the buffer lies, which must be kept until the call is over."""
    return ctypes.addressof(buffer)


def create_map(spec: BundleMap, inner: int = 0) -> int:
    """Return the descriptor of a new map; `inner` is that of a map which is like its maps."""
    shape = struct.pack("<IIIIII", spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags, inner)
    if spec.lock is None:
        return command(MAP_CREATE, shape, f"map `{spec.name}`")[0]
    described = _load_types(_types_of_lock(spec, spec.lock))
    try:
        attributes = shape + struct.pack("<24xIII", described, _KEY, _VALUE)
        return command(MAP_CREATE, attributes, f"map `{spec.name}`")[0]
    finally:
        os.close(described)


@dataclass(kw_only=True)
class Loaded:
    """One loaded program with its maps; use it as a context manager.

    Raises OSError for its maps, KernelRefusedError for its program, SplitError.
    """

    bundle: Bundle
    hook: str = "driver"
    program: int = -1
    maps: dict[str, int] = field(default_factory=dict)
    tails: dict[int, int] = field(default_factory=dict)
    """Programs for bpf_tail_call, by the instruction where their function begins."""
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        with self._open:
            for spec in self.bundle.maps:
                self._add_map(spec)
            self._add_programs()
            for spec in self.bundle.maps:
                for index, target in spec.entries:
                    programs = spec.type == MapType.PROG_ARRAY
                    held = self.tails[target] if programs else self.maps[self.bundle.maps[target].name]
                    self.update(spec, struct.pack("<I", index), struct.pack("<I", held))
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def update(self, spec: BundleMap, key: bytes, value: bytes) -> None:
        """Set an entry."""
        inside, data = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        attributes = struct.pack("<IIQQQ", self.maps[spec.name], 0, address(inside), address(data), 0)
        command(MAP_UPDATE, attributes, f"map `{spec.name}`")

    def _add_map(self, spec: BundleMap) -> None:
        self.maps[spec.name] = self._kept(_create(spec))
        if spec.data is not None:
            self.update(spec, bytes(4), spec.data)
        if spec.flags & BPF_F_RDONLY_PROG and spec.type == MapType.ARRAY:
            command(MAP_FREEZE, struct.pack("<I", self.maps[spec.name]), f"map `{spec.name}`")

    def _add_programs(self) -> None:
        code = self._linked()
        arrays = [spec for spec in self.bundle.maps if spec.type == MapType.PROG_ARRAY]
        starts = sorted({target for spec in arrays for _, target in spec.entries})
        ends = [*starts, len(code) // INSN_BYTES]
        self.program = self._kept(_load(_alone(code, 0, ends[0]), self.hook))
        for start, end in zip(starts, ends[1:], strict=True):
            self.tails[start] = self._kept(_load(_alone(code, start, end), self.hook))

    def _kept(self, descriptor: int) -> int:
        self._open.callback(os.close, descriptor)
        return descriptor

    def _linked(self) -> bytes:
        """Return the code with Linux' map references: src 1 (fd) and 2 (fd, offset) for the bundle's 5 and 6."""
        code = bytearray(self.bundle.code)
        descriptors = list(self.maps.values())
        for at, opcode, source, number in _slots(self.bundle.code):
            if opcode == LDDW and source in (SRC_MAP, SRC_MAP_VALUE):
                place = INSN_BYTES * at
                code[place + 1] = code[place + 1] & 0x0F | (source - _TO_LINUX) << 4
                struct.pack_into("<i", code, place + 4, descriptors[number])
        return bytes(code)


def _slots(code: bytes) -> list[tuple[int, int, int, int]]:
    """Each instruction's place, opcode, source and number."""
    found, at = [], 0
    while at < len(code) // INSN_BYTES:
        opcode, registers, number = struct.unpack_from("<BBxxi", code, INSN_BYTES * at)
        found.append((at, opcode, registers >> 4, number))
        at += 2 if opcode == LDDW else 1
    return found


def _create(spec: BundleMap) -> int:
    """A map of maps is made after a map like those it will hold, which may go then."""
    if spec.inner is None:
        return create_map(spec)
    like = create_map(_like(spec.inner))
    try:
        return create_map(spec, like)
    finally:
        os.close(like)


def _like(inner: InnerMap) -> BundleMap:
    fields = {name: getattr(inner, name) for name in InnerMap.__struct_fields__}
    return BundleMap(name="inner", **fields)


# --- programs -------------------------------------------------------------------------------------------------------------


def _alone(code: bytes, start: int, end: int) -> bytes:
    """Cut a program out; it must not lead to functions of another."""
    own = code[INSN_BYTES * start : INSN_BYTES * end]
    if any(not 0 <= place < end - start for place in _functions(own)):
        raise SplitError
    return own


def _load(linked: bytes, hook: str) -> int:
    code = ctypes.create_string_buffer(linked, len(linked))
    license_text = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(_LOG_BYTES)
    starts = _functions(linked)
    info = ctypes.create_string_buffer(b"".join(struct.pack("<II", start, _FUNCTION) for start in starts))
    types = _load_types(_types_of_functions())

    def attempt(level: int) -> int:
        attributes = struct.pack(
            "<IIQQIIQ28xIIIQI",
            _PROG_TYPE_XDP,
            len(linked) // INSN_BYTES,
            address(code),
            address(license_text),
            level,
            _LOG_BYTES if level else 0,
            address(log) if level else 0,
            _ATTACH_TYPES[hook],
            types,
            8,
            address(info),
            len(starts),
        )
        return command(PROG_LOAD, attributes)[0]

    try:
        try:
            return attempt(0)
        except OSError:
            return attempt(1)  # again for the reason: its log takes ten times the time of the verification
    except OSError as error:
        raise KernelRefusedError(error.errno or 0, log.value.decode(errors="replace")) from error
    finally:
        os.close(types)


def _functions(code: bytes) -> list[int]:
    """Where functions begin: 0, and what local calls and loads of functions name."""
    named = {(CALL, SRC_LOCAL_CALL), (LDDW, SRC_FUNCTION)}
    return sorted({0, *(at + 1 + number for at, opcode, source, number in _slots(code) if (opcode, source) in named)})


# --- types (Documentation/bpf/btf.rst) --------------------------------------------------------------------------------------

_NUMBER: Final = 1
_PROTOTYPE, _FUNCTION = 2, 3
_BYTE, _KEY, _LOCK, _VALUE = 2, 3, 4, 5
_INT, _ARRAY, _STRUCT, _FUNC, _FUNC_PROTO = (kind << 24 for kind in (1, 3, 4, 12, 13))


def _types_of_functions() -> tuple[bytes, bytes]:
    """`int`, a function that returns one, and a static function of that type: that of all functions."""
    types = struct.pack("<IIII", 1, _INT, 4, 1 << 24 | 32)
    types += struct.pack("<III", 0, _FUNC_PROTO, _NUMBER)
    return types + struct.pack("<III", 5, _FUNC, _PROTOTYPE), b"\0int\0f\0"


def _types_of_lock(spec: BundleMap, offset: int) -> tuple[bytes, bytes]:
    """A key of bytes, and a value that is a structure with nothing but a lock in it."""
    types = struct.pack("<IIII", 1, _INT, 4, 32)
    types += struct.pack("<IIII", 5, _INT, 1, 8)
    types += struct.pack("<IIIIII", 0, _ARRAY, 0, _BYTE, _NUMBER, spec.key_size)
    types += struct.pack("<IIIIII", 10, _STRUCT | 1, LOCK_BYTES, 24, _NUMBER, 0)
    types += struct.pack("<IIIIII", 28, _STRUCT | 1, spec.value_size, 30, _LOCK, 8 * offset)
    return types, b"\0int\0byte\0bpf_spin_lock\0val\0v\0lock\0"


def _load_types(described: tuple[bytes, bytes]) -> int:
    types, names = described
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(names))
    whole = header + types + names
    data = ctypes.create_string_buffer(whole, len(whole))
    return command(BTF_LOAD, struct.pack("<QQII", address(data), 0, len(data), 0), "types")[0]
