"""The Linux kernel as oracle: loads a bundle's program as XDP and runs it on packets by BPF_PROG_TEST_RUN (bpf(2)).

The same code and maps as the guest gets: map references (src 5 and 6 of the bundle) become Linux' src 1 and 2 with file
descriptors. The functions of a program array become programs of their own: they stand last in the code and call no other
function. Limits of the oracle: packets of 14 bytes or more, r0 is cut to 32 bits, time, randomness, CPU number and LRU
eviction differ. Needs CAP_BPF; nothing is pinned, so nothing outlives an Oracle.
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from tests.support.kernel.kernel_events import Events
from unibpf.formats.bpf import BPF_F_RDONLY_PROG, MapType
from unibpf.formats.bundle import Bundle, BundleMap

_SYSCALL_BPF: Final = 321  # x86-64
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_NEXT_KEY, _PROG_LOAD, _TEST_RUN, _BTF_LOAD, _MAP_FREEZE = (
    0,
    1,
    2,
    4,
    5,
    10,
    18,
    22,
)
_PROG_TYPE_XDP: Final = 6
CPUS: Final = os.sched_getaffinity(0)
CPU: Final = min(CPUS)
PER_CPU: Final = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})
_ATTACH_TYPES: Final = {"driver": 0, "devmap": 33, "cpumap": 35}  # enum bpf_attach_type
_BUSY_OR_DISCARDED: Final = 3 << 30  # marks in the length of a ring buffer's record (Documentation/bpf/ringbuf.rst)
_LOG_BYTES: Final = 1 << 24
_OUT_BYTES: Final = 4096
_ATTR_BYTES: Final = 144
_libc: Final = ctypes.CDLL(None, use_errno=True)


class KernelRefusedError(Exception):
    """The kernel does not load this program; the text is the end of its verifier's log."""


@dataclass(frozen=True, kw_only=True)
class KernelRun:
    """What came out: the low 32 bits of r0 and the packet."""

    code: int
    packet: bytes
    ns: int = 0


def _bpf(command: int, attributes: bytes) -> tuple[int, bytes]:
    buffer = ctypes.create_string_buffer(attributes.ljust(_ATTR_BYTES, b"\0"), _ATTR_BYTES)
    result = _libc.syscall(_SYSCALL_BPF, command, buffer, _ATTR_BYTES)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bpf command {command}: {os.strerror(number)}")
    return result, buffer.raw


def _address(buffer: ctypes.Array[ctypes.c_char]) -> int:
    return ctypes.addressof(buffer)


def _possible_cpus() -> int:
    """How many CPUs the kernel keeps values for: `0-1` is two."""
    return int(Path("/sys/devices/system/cpu/possible").read_text().rpartition("-")[2]) + 1


def available() -> bool:
    """Say whether this process may load programs."""
    try:
        os.close(create_map(BundleMap(name="probe", type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1)))
    except OSError:
        return False
    return True


def create_map(spec: BundleMap, inner: int = 0) -> int:
    """Return the descriptor of a new map; `inner` is that of a map which is like its maps."""
    attributes = struct.pack("<IIIIII", spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags, inner)
    descriptor, _ = _bpf(_MAP_CREATE, attributes)
    return descriptor


@dataclass(kw_only=True)
class Oracle:
    """One loaded program with its maps; use it as a context manager.

    Every run is on one CPU, as a guest has one: per-CPU maps are read there.
    """

    bundle: Bundle
    hook: str = "driver"
    program: int = -1
    maps: dict[str, int] = field(default_factory=dict)
    tails: dict[int, int] = field(default_factory=dict)
    """Programs for bpf_tail_call, by the instruction where their function begins."""
    perf: dict[str, Events] = field(default_factory=dict)

    def __enter__(self) -> Self:
        for spec in self.bundle.maps:
            self.maps[spec.name] = self._create(spec)
            if spec.data is not None:
                self._update(spec, bytes(4), spec.data)
            if spec.type == MapType.PERF_EVENT_ARRAY:
                self.perf[spec.name] = Events()
                self._update(spec, bytes(4), struct.pack("<I", self.perf[spec.name].descriptor))
            if spec.flags & BPF_F_RDONLY_PROG and spec.type == MapType.ARRAY:
                _bpf(_MAP_FREEZE, struct.pack("<I", self.maps[spec.name]))
        code = self._linked()
        starts = sorted(
            {target for spec in self.bundle.maps if spec.type == MapType.PROG_ARRAY for _, target in spec.entries}
        )
        ends = [*starts[1:], len(code) // 8] if starts else []
        self.program = _load(code[: 8 * starts[0]] if starts else code, self.hook)
        for start, end in zip(starts, ends, strict=True):
            self.tails[start] = _load(code[8 * start : 8 * end], self.hook)
        for spec in self.bundle.maps:
            for index, target in spec.entries:
                held = (
                    self.tails[target] if spec.type == MapType.PROG_ARRAY else self.maps[self.bundle.maps[target].name]
                )
                self._update(spec, struct.pack("<I", index), struct.pack("<I", held))
        return self

    def __exit__(self, *_: object) -> None:
        for events in self.perf.values():
            events.close()
        for descriptor in (self.program, *self.tails.values(), *self.maps.values()):
            if descriptor >= 0:
                os.close(descriptor)

    def set(self, name: str, key: bytes, value: bytes) -> None:
        """Set an entry, as control does in a guest."""
        self._update(next(spec for spec in self.bundle.maps if spec.name == name), key, value)

    def events(self, name: str) -> list[bytes]:
        """What bpf_perf_event_output wrote to a map; the end of each may be padding (kernel_events)."""
        return list(self.perf[name].records())

    def records(self, name: str) -> list[bytes]:
        """What waits in a ring buffer, without taking it out: positions on its first two pages, then the bytes, twice."""
        spec = next(entry for entry in self.bundle.maps if entry.name == name)
        page, size = mmap.PAGESIZE, spec.max_entries
        with (
            mmap.mmap(self.maps[name], page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as ours,
            mmap.mmap(self.maps[name], page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page) as theirs,
        ):
            (position,), (end,) = struct.unpack_from("<Q", ours), struct.unpack_from("<Q", theirs)
            found = []
            while position < end:
                at = page + position % size
                (mark,) = struct.unpack_from("<I", theirs, at)
                length = mark & ~_BUSY_OR_DISCARDED
                if not mark & _BUSY_OR_DISCARDED:
                    found.append(theirs[at + 8 : at + 8 + length])
                position += (length + 8 + 7) // 8 * 8
            return found

    def run(self, packet: bytes, repeat: int = 1) -> KernelRun:
        """Run the program on the packet, again on what it left of it; `ns` is the kernel's own mean of a run, rounded down."""
        inside = ctypes.create_string_buffer(packet, len(packet))
        outside = ctypes.create_string_buffer(_OUT_BYTES)
        attributes = struct.pack(
            "<IIIIQQI", self.program, 0, len(packet), _OUT_BYTES, _address(inside), _address(outside), repeat
        )
        os.sched_setaffinity(0, {CPU})
        try:
            _, answer = _bpf(_TEST_RUN, attributes)
        finally:
            os.sched_setaffinity(0, CPUS)
        code, size, nanoseconds = struct.unpack_from("<4xI4xI20xI", answer)
        return KernelRun(code=code, packet=outside.raw[:size], ns=nanoseconds)

    def entries(self, name: str) -> dict[str, str]:
        """Return a map's contents, hex to hex."""
        spec = next(entry for entry in self.bundle.maps if entry.name == name)
        found = {key.hex(): self._lookup(spec, key) for key in self._keys(spec)}
        return {key: value.hex() for key, value in found.items() if value is not None}

    def _keys(self, spec: BundleMap) -> Iterator[bytes]:
        key = ctypes.create_string_buffer(spec.key_size)
        following = ctypes.create_string_buffer(spec.key_size)
        previous = 0
        while True:
            try:
                _bpf(_MAP_NEXT_KEY, struct.pack("<IIQQ", self.maps[spec.name], 0, previous, _address(following)))
            except FileNotFoundError:
                return
            key.raw = following.raw
            previous = _address(key)
            yield key.raw

    def _lookup(self, spec: BundleMap, key: bytes) -> bytes | None:
        # Of a per-CPU map the kernel gives the values of all CPUs, each in whole words (docs: BPF_MAP_TYPE_PERCPU_HASH).
        apart = -(-spec.value_size // 8) * 8 if spec.type in PER_CPU else 0
        value = ctypes.create_string_buffer(max(spec.value_size, apart * _possible_cpus()))
        inside = ctypes.create_string_buffer(key, len(key))
        try:
            _bpf(_MAP_LOOKUP, struct.pack("<IIQQ", self.maps[spec.name], 0, _address(inside), _address(value)))
        except FileNotFoundError:  # devices of an array: every index is a key
            return None
        first = apart * CPU
        return value.raw[first : first + spec.value_size]

    def _update(self, spec: BundleMap, key: bytes, value: bytes) -> None:
        inside, data = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        _bpf(_MAP_UPDATE, struct.pack("<IIQQQ", self.maps[spec.name], 0, _address(inside), _address(data), 0))

    def _create(self, spec: BundleMap) -> int:
        """A map of maps is made after a map like those it will hold, which may go then."""
        if spec.inner is None:
            return create_map(spec)
        inner = spec.inner
        like = create_map(
            BundleMap(
                name="inner",
                type=inner.type,
                key_size=inner.key_size,
                value_size=inner.value_size,
                max_entries=inner.max_entries,
                flags=inner.flags,
            )
        )
        try:
            return create_map(spec, like)
        finally:
            os.close(like)

    def _linked(self) -> bytes:
        """Return the code with Linux' map references: src 1 (fd) and 2 (fd, offset) for the bundle's 5 and 6."""
        code = bytearray(self.bundle.code)
        descriptors = list(self.maps.values())
        at = 0
        while at < len(code):
            if code[at] == 0x18:
                source = code[at + 1] >> 4
                if source in (5, 6):
                    code[at + 1] = code[at + 1] & 0x0F | (source - 4) << 4
                    struct.pack_into("<i", code, at + 4, descriptors[struct.unpack_from("<i", code, at + 4)[0]])
                at += 8
            at += 8
        return bytes(code)


def _load(linked: bytes, hook: str) -> int:
    code = ctypes.create_string_buffer(linked, len(linked))
    license_text = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(_LOG_BYTES)
    starts = _functions(linked)
    info = ctypes.create_string_buffer(b"".join(struct.pack("<II", start, _FUNCTION) for start in starts))
    btf = _load_btf()
    attributes = struct.pack(
        "<IIQQIIQ28xIIIQI",
        _PROG_TYPE_XDP,
        len(linked) // 8,
        _address(code),
        _address(license_text),
        1,
        _LOG_BYTES,
        _address(log),
        _ATTACH_TYPES[hook],
        btf,
        8,
        _address(info),
        len(starts),
    )
    try:
        return _bpf(_PROG_LOAD, attributes)[0]
    except OSError as error:
        raise KernelRefusedError(f"{error}: {log.value.decode(errors='replace')[-2000:]}") from error
    finally:
        os.close(btf)


# The type of all functions: Linux wants one of each function where there are callbacks.
_NUMBER, _PROTOTYPE, _FUNCTION = 1, 2, 3


def _load_btf() -> int:
    """Documentation/bpf/btf.rst: `int`, a function that returns one, and a static function of that type."""
    names = b"\0int\0f\0"
    types = struct.pack("<IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    types += struct.pack("<III", 0, 13 << 24, _NUMBER)
    types += struct.pack("<III", 5, 12 << 24, _PROTOTYPE)
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(names))
    data = ctypes.create_string_buffer(header + types + names, len(header + types + names))
    return _bpf(_BTF_LOAD, struct.pack("<QQII", _address(data), 0, len(data), 0))[0]


def _functions(code: bytes) -> list[int]:
    """Where functions begin: 0, and what local calls and loads of functions name."""
    starts = {0}
    at = 0
    while at < len(code) // 8:
        opcode, registers, _, number = struct.unpack_from("<BBhi", code, 8 * at)
        if (opcode, registers >> 4) in ((0x85, 1), (0x18, 4)):
            starts.add(at + 1 + number)
        at += 2 if opcode == 0x18 else 1
    return sorted(starts)
