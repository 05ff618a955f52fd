"""A perf event that bpf_perf_event_output writes to, and what it wrote (perf_event_open(2); docs: PERF_COUNT_SW_BPF_OUTPUT).

The event is CPU 0's: who runs programs has to stay there, as a guest has one CPU. A record's length is rounded up to four bytes
short of a multiple of eight, so that the last bytes may be padding. Needs CAP_PERFMON.
"""

import ctypes
import mmap
import os
import struct
from collections.abc import Iterator
from typing import Final

_SYSCALL_PERF_EVENT_OPEN: Final = 298  # x86-64
_SOFTWARE, _BPF_OUTPUT, _SAMPLE_RAW, _CLOSE_ON_EXEC = 1, 10, 1 << 10, 8
_ATTR_BYTES: Final = 112  # PERF_ATTR_SIZE_VER5
_RECORD_SAMPLE: Final = 9
_HEAD: Final = 1024  # of data_head in the first page
_PAGES: Final = 64
_libc: Final = ctypes.CDLL(None, use_errno=True)


class Events:
    """CPU 0's event; `descriptor` goes into the map at index 0."""

    def __init__(self) -> None:
        self._affinity = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {0})
        attributes = struct.pack("<IIQQQ", _SOFTWARE, _ATTR_BYTES, _BPF_OUTPUT, 1, _SAMPLE_RAW).ljust(
            _ATTR_BYTES, b"\0"
        )
        buffer = ctypes.create_string_buffer(attributes, _ATTR_BYTES)
        self.descriptor: int = _libc.syscall(_SYSCALL_PERF_EVENT_OPEN, buffer, -1, 0, -1, _CLOSE_ON_EXEC)
        if self.descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"perf_event_open: {os.strerror(number)}")
        self._ring = mmap.mmap(self.descriptor, (1 + _PAGES) * mmap.PAGESIZE, mmap.MAP_SHARED)

    def close(self) -> None:
        """Give the event back, and let the process run anywhere again."""
        self._ring.close()
        os.close(self.descriptor)
        os.sched_setaffinity(0, self._affinity)

    def records(self) -> Iterator[bytes]:
        """What was written since the beginning; as much as the ring holds, no more is written when it is full."""
        (head,) = struct.unpack_from("<Q", self._ring, _HEAD)
        at = 0
        while at < head:
            kind, _, size = struct.unpack("<IHH", self._bytes(at, 8))
            if kind == _RECORD_SAMPLE:
                (length,) = struct.unpack("<I", self._bytes(at + 8, 4))
                yield self._bytes(at + 12, length)
            at += size

    def _bytes(self, at: int, size: int) -> bytes:
        room = _PAGES * mmap.PAGESIZE
        return bytes(self._ring[mmap.PAGESIZE + (at + i) % room] for i in range(size))
