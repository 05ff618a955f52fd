"""What BPF is, in numbers: the one place for all Python.

Held equal by test to the guest's own tables (`unibpf-run --tables`, from guest/bpf/bundle/abi.hpp) and to `linux/bpf.h`.
"""

from enum import IntEnum
from typing import Final

# --- instructions (RFC 9669) ---
INSN_BYTES: Final = 8
LDDW: Final = 0x18
CALL: Final = 0x85
CALL_REGISTER: Final = 0x8D
MOV64_IMM: Final = 0xB7
# src of a call
SRC_NUMBER: Final = 0
SRC_LOCAL_CALL: Final = 1
SRC_KFUNC: Final = 2
# src of LDDW
SRC_FUNCTION: Final = 4
SRC_MAP: Final = 5
SRC_MAP_VALUE: Final = 6

# --- limits of the program interface ---
ABI_VERSION: Final = 1
MAX_BUNDLE_BYTES: Final = 1 << 20
MAX_INSTRUCTIONS: Final = 100_000
MAX_CODE_BYTES: Final = MAX_INSTRUCTIONS * INSN_BYTES
MAX_FUNCTIONS: Final = 256
MAX_MAPS: Final = 64
MAX_FRAME: Final = 512  # bytes of one function's stack
MAX_FRAMES: Final = 8
MAX_STACK: Final = MAX_FRAME * MAX_FRAMES
MAX_OUTPUTS: Final = 256

# --- helpers that Python has to know by name ---
HELPER_TAIL_CALL: Final = 12  # bpf_tail_call

# --- flags of maps ---
BPF_F_NO_PREALLOC: Final = 1 << 0
BPF_F_RDONLY_PROG: Final = 1 << 7
BPF_F_INNER_MAP: Final = 1 << 12


class MapType(IntEnum):
    """Linux' numbers (enum bpf_map_type) of the types that XDP programs use; guests offer all but the last row."""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    DEVMAP = 14
    DEVMAP_HASH = 25
    RINGBUF = 27
    CPUMAP, XSKMAP, QUEUE, STACK, BLOOM_FILTER = 16, 17, 22, 23, 30

    @classmethod
    def named(cls, name: str) -> "MapType":
        """The type that tables and test files call `name`, in small letters; KeyError for none."""
        return cls[name.upper()]


NOT_IN_GUESTS: Final = frozenset({MapType.CPUMAP, MapType.XSKMAP, MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER})
ARRAYS: Final = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})  # of values; a key is an index
RINGS: Final = frozenset({MapType.PERF_EVENT_ARRAY, MapType.RINGBUF})  # of records
MAPS_OF_MAPS: Final = frozenset({MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS})
DEVICE_MAPS: Final = frozenset({MapType.DEVMAP, MapType.DEVMAP_HASH})
# Storage of cgroups, sockets, inodes and tasks, by number because no XDP program uses it: 0 entries is what Linux wants.
SIZELESS: Final = frozenset({19, 21, 24, 28, 29, 32})
