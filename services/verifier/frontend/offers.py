"""What platforms offer, for programs that ask before they use it: helpers, map types and their flags.

The tables are guest/bpf/bundle/abi.hpp and native/program/linux_xdp.hpp; a test holds these numbers equal to them.
"""

from typing import Final

from unibpf.formats.bpf import MapType

_GUEST_HELPERS: Final = frozenset(
    {
        1,
        2,
        3,
        5,
        6,
        7,
        8,
        12,
        23,
        25,
        28,
        42,
        44,
        51,
        54,
        65,
        93,
        94,
        105,
        106,
        118,
        125,
        130,
        131,
        132,
        133,
        134,
        160,
        164,
        165,
        177,
        181,
        182,
        188,
        189,
        190,
        195,
    }
)
_MORE_LINUX_HELPERS: Final = frozenset({69, 84, 85, 86, 87, 88, 89, 99, 100, 110, 163, 204, 205, 206, 207, 208})

# The flags that a map of each type may have (BPF_F_...), by the type's number.
_GUEST_MAPS: Final = {
    1: 0x81,
    2: 0x1480,
    3: 0x0,
    4: 0x0,
    5: 0x81,
    6: 0x80,
    9: 0x82,
    10: 0x82,
    11: 0x81,
    12: 0x0,
    13: 0x1,
    14: 0x80,
    25: 0x80,
    27: 0x0,
}
_LINUX_MAPS: Final = {
    1: 0x1DD,
    2: 0x159C,
    3: 0x19C,
    4: 0x99C,
    5: 0x1DD,
    6: 0x19C,
    9: 0x1DE,
    10: 0x1DE,
    11: 0x19D,
    12: 0x19C,
    13: 0x1DD,
    14: 0x19C,
    16: 0x4,
    17: 0x19C,
    22: 0x19C,
    23: 0x19C,
    25: 0x19C,
    27: 0x4,
    30: 0x1DC,
}
MAP_FLAGS: Final = {"guest": _GUEST_MAPS, "linux-xdp": _LINUX_MAPS}
MAP_NAMES: Final = {int(kind): kind.name.lower() for kind in MapType}
FLAG_NAMES: Final = (
    "BPF_F_NO_PREALLOC",
    "BPF_F_NO_COMMON_LRU",
    "BPF_F_NUMA_NODE",
    "BPF_F_RDONLY",
    "BPF_F_WRONLY",
    "BPF_F_STACK_BUILD_ID",
    "BPF_F_ZERO_SEED",
    "BPF_F_RDONLY_PROG",
    "BPF_F_WRONLY_PROG",
    "BPF_F_CLONE",
    "BPF_F_MMAPABLE",
    "BPF_F_PRESERVE_ELEMS",
    "BPF_F_INNER_MAP",
)

# What can be asked for, by the name of the enum, then by platform.
ENUMS: Final = {
    "bpf_func_id": {"guest": _GUEST_HELPERS, "linux-xdp": _GUEST_HELPERS | _MORE_LINUX_HELPERS},
    "bpf_map_type": {name: frozenset(rows) for name, rows in MAP_FLAGS.items()},
}
