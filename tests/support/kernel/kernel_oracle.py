"""The Linux kernel as oracle: loads a bundle's program as XDP and runs it on packets by BPF_PROG_TEST_RUN (bpf(2)).

How it gets there: unibpf/push/kernel_loading.py. Limits of the oracle: packets of 14 bytes or more, r0 is cut to 32 bits; time,
randomness, CPU number and LRU eviction differ.
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
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap
from unibpf.push import kernel_loading
from unibpf.push.kernel_loading import KernelRefusedError, address, command, create_map

__all__ = ["CPU", "KernelRefusedError", "KernelRun", "Oracle", "available", "create_map"]

CPUS: Final = os.sched_getaffinity(0)
CPU: Final = min(CPUS)
PER_CPU: Final = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})
_BUSY_OR_DISCARDED: Final = 3 << 30  # marks in the length of a ring buffer's record (Documentation/bpf/ringbuf.rst)
_OUT_BYTES: Final = 4096
_MAP_DELETE: Final = 3  # BPF_MAP_DELETE_ELEM


@dataclass(frozen=True, kw_only=True)
class KernelRun:
    """What came out: the low 32 bits of r0 and the packet."""

    code: int
    packet: bytes
    ns: int = 0


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


@dataclass(kw_only=True)
class Oracle(kernel_loading.Loaded):
    """One loaded program with its maps; use it as a context manager.

    Every run is on one CPU, as a guest has one: per-CPU maps are read there.
    """

    perf: dict[str, Events] = field(default_factory=dict)

    def __enter__(self) -> Self:
        super().__enter__()
        for spec in self.bundle.maps:
            if spec.type == MapType.PERF_EVENT_ARRAY:
                self.perf[spec.name] = Events()
                self.update(spec, bytes(4), struct.pack("<I", self.perf[spec.name].descriptor))
        return self

    def __exit__(self, *told: object) -> None:
        for events in self.perf.values():
            events.close()
        super().__exit__(*told)

    def set(self, name: str, key: bytes, value: bytes) -> None:
        """Set an entry, as control does in a guest."""
        self.update(next(spec for spec in self.bundle.maps if spec.name == name), key, value)

    def delete(self, name: str, key: bytes) -> None:
        """Delete an entry that there is."""
        inside = ctypes.create_string_buffer(key, len(key))
        command(_MAP_DELETE, struct.pack("<IIQ", self.maps[name], 0, address(inside)))

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

    def forget_records(self, name: str) -> None:
        """Take out all that waits in a ring buffer: what was consumed is where what was produced is."""
        page = mmap.PAGESIZE
        with (
            mmap.mmap(self.maps[name], page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE) as ours,
            mmap.mmap(self.maps[name], page, mmap.MAP_SHARED, mmap.PROT_READ, offset=page) as theirs,
        ):
            ours[:8] = theirs[:8]

    def run(self, packet: bytes, repeat: int = 1) -> KernelRun:
        """Run the program on the packet, again on what it left of it; `ns` is the kernel's own mean of a run, rounded down."""
        inside = ctypes.create_string_buffer(packet, len(packet))
        outside = ctypes.create_string_buffer(_OUT_BYTES)
        attributes = struct.pack(
            "<IIIIQQI", self.program, 0, len(packet), _OUT_BYTES, address(inside), address(outside), repeat
        )
        os.sched_setaffinity(0, {CPU})
        try:
            _, answer = command(kernel_loading.TEST_RUN, attributes)
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
                command(
                    kernel_loading.MAP_NEXT_KEY,
                    struct.pack("<IIQQ", self.maps[spec.name], 0, previous, address(following)),
                )
            except FileNotFoundError:
                return
            key.raw = following.raw
            previous = address(key)
            yield key.raw

    def _lookup(self, spec: BundleMap, key: bytes) -> bytes | None:
        # Of a per-CPU map the kernel gives the values of all CPUs, each in whole words (docs: BPF_MAP_TYPE_PERCPU_HASH).
        apart = -(-spec.value_size // 8) * 8 if spec.type in PER_CPU else 0
        value = ctypes.create_string_buffer(max(spec.value_size, apart * _possible_cpus()))
        inside = ctypes.create_string_buffer(key, len(key))
        try:
            command(
                kernel_loading.MAP_LOOKUP,
                struct.pack("<IIQQ", self.maps[spec.name], 0, address(inside), address(value)),
            )
        except FileNotFoundError:  # devices of an array: every index is a key
            return None
        first = apart * CPU
        return value.raw[first : first + spec.value_size]
