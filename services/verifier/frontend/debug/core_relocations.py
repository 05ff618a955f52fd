"""CO-RE relocations (Linux Documentation/bpf/llvm_reloc.rst): what each of them becomes, without a kernel to ask.

Such a relocation asks a loader about the kernel that will run the program: where a field lies, whether a type or a value of
an enum exists. What every kernel and the network lay out alike needs no kernel: the instruction has what the object's own
types say, and a loader would write the same. These types are listed with their sizes; another definition of that name (a part,
a flavour) means another layout. Of all other types the answers are:

    what is asked                       of a listed type        of the object's own (guest)    of another (linux-xdp)
    where a field lies, its size, sign  as the object says      as the object says             only a kernel knows
    whether type, field, value exist    as the object says      0: no kernel has it            0, as libbpf of a kernel without
    the size of a type                  as the object says      0                              0
    the value of an enumerator          as the object says      as the object says             only a kernel knows
    the id of a type in the object      as the object says, always
    the id of a type in the kernel      only a kernel knows; 0 of what it does not have

A guest has no types but the program's: whatever memory an access reaches there, the object laid it out, and what the access
may do the analyser proves. Enumerators of `enum bpf_func_id` and `enum bpf_map_type` exist where the platform offers them.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from services.verifier.frontend import offers
from services.verifier.frontend.debug.btf import Btf, CoreRecord, Kind, Type

Platform = Literal["guest", "linux-xdp"]

# enum bpf_core_relo_kind
_FIELD_BYTE_OFFSET, _FIELD_BYTE_SIZE, _FIELD_EXISTS, _FIELD_SIGNED, _FIELD_LSHIFT, _FIELD_RSHIFT = range(6)
_TYPE_ID_LOCAL, _TYPE_ID_TARGET, _TYPE_EXISTS, _TYPE_SIZE = range(6, 10)
_ENUM_EXISTS, _ENUM_VALUE, _TYPE_MATCHES = range(10, 13)
_PLACES: Final = {_FIELD_BYTE_OFFSET, _FIELD_BYTE_SIZE, _FIELD_SIGNED, _FIELD_LSHIFT, _FIELD_RSHIFT}
_ABSENT: Final = {_FIELD_EXISTS, _TYPE_EXISTS, _TYPE_SIZE, _TYPE_MATCHES, _ENUM_EXISTS, _TYPE_ID_TARGET}  # 0 of nothing
_ENUMS: Final = {Kind.ENUM, Kind.ENUM64}
_FLAVOUR: Final = "___"  # `struct sk_buff___old` is a `struct sk_buff` to a loader
_INSN_BYTES: Final = 8
_VALUE: Final = struct.Struct("<Ii")
_VALUE64: Final = struct.Struct("<III")

# Bytes of what goes over the wire (the RFCs; include/uapi/linux/if_ether.h, ip.h, tcp.h, ...) and of what programs
# exchange with the kernel (include/uapi/linux/bpf.h).
STABLE: Final = {
    "ethhdr": 14,
    "vlan_hdr": 4,
    "vlan_ethhdr": 18,
    "arphdr": 8,
    "iphdr": 20,
    "ipv6hdr": 40,
    "ipv6_opt_hdr": 2,
    "ipv6_rt_hdr": 4,
    "frag_hdr": 8,
    "ip_auth_hdr": 12,
    "ip_esp_hdr": 8,
    "in_addr": 4,
    "in6_addr": 16,
    "tcphdr": 20,
    "udphdr": 8,
    "sctphdr": 12,
    "icmphdr": 8,
    "icmp6hdr": 8,
    "igmphdr": 8,
    "gre_base_hdr": 4,
    "vxlanhdr": 8,
    "mpls_label": 4,
    "xdp_md": 24,
    "bpf_spin_lock": 4,
    "bpf_devmap_val": 8,
    "bpf_cpumap_val": 8,
    "bpf_fib_lookup": 64,
    "bpf_sock_tuple": 36,
}
# Enums of include/uapi/linux: their values never change.
STABLE_ENUMS: Final = frozenset(
    {
        "xdp_action",
        "bpf_func_id",
        "bpf_map_type",
        "bpf_prog_type",
        "bpf_attach_type",
        "bpf_cmd",
        "bpf_ret_code",
        "bpf_adj_room_mode",
        "bpf_hdr_start_off",
        "bpf_check_mtu_flags",
        "bpf_check_mtu_ret",
        "bpf_perf_event_type",
        "ip_conntrack_info",
        "ip_conntrack_status",
        "ip_conntrack_dir",
        "nf_inet_hooks",
    }
)


class Settled(Struct, frozen=True):
    """What the relocations of one section are, by the instruction's byte: numbers to write, and types only a kernel knows."""

    numbers: Mapping[int, int] = {}
    unsettled: Mapping[int, str] = {}


def settle(btf: Btf, records: Sequence[CoreRecord], platform: Platform) -> Settled:
    """Answer the relocations of one section; those that stay as the object has them are in neither."""
    numbers: dict[int, int] = {}
    unsettled: dict[int, str] = {}
    for record in records:
        found = btf.resolve(record.type)
        name = btf.string(found.name)
        answer = _answer(btf, record, found, name, platform)
        inside = record.offset % _INSN_BYTES  # of an instruction: of none
        if isinstance(answer, int) and not inside:
            numbers[record.offset] = answer
        elif isinstance(answer, int) or answer == "unsettled":
            unsettled[record.offset - inside] = name or "?"
    return Settled(numbers, unsettled)


def _answer(
    btf: Btf, record: CoreRecord, found: Type, name: str, platform: Platform
) -> int | Literal["as it is", "unsettled"]:
    if record.kind == _TYPE_ID_LOCAL:
        return "as it is"
    if found.kind in _ENUMS:
        return _of_enum(btf, record, found, name, platform)
    whole = name.partition(_FLAVOUR)[0]
    if whole in STABLE:
        same = STABLE[whole] == found.argument and record.kind != _TYPE_ID_TARGET
        exists = record.kind == _TYPE_EXISTS  # of a flavour too
        return "as it is" if same or exists else "unsettled"
    if record.kind in _ABSENT:
        return 0
    own = platform == "guest" and record.kind in _PLACES and _FLAVOUR not in name
    return "as it is" if own else "unsettled"


def _of_enum(
    btf: Btf, record: CoreRecord, found: Type, name: str, platform: Platform
) -> int | Literal["as it is", "unsettled"]:
    whole = name.partition(_FLAVOUR)[0]
    if record.kind == _ENUM_EXISTS and whole in offers.ENUMS:
        return int(_enumerator(btf, record, found) in offers.ENUMS[whole][platform])
    if whole in STABLE_ENUMS:
        return "unsettled" if record.kind == _TYPE_ID_TARGET else "as it is"
    if record.kind in _ABSENT:
        return 0
    own = platform == "guest" and record.kind == _ENUM_VALUE and _FLAVOUR not in name
    return "as it is" if own else "unsettled"


def _enumerator(btf: Btf, record: CoreRecord, found: Type) -> int | None:
    """The value that the object gives the enumerator; its index is the record's access string."""
    text = btf.string(record.access)
    row = _VALUE64 if found.kind is Kind.ENUM64 else _VALUE
    if not text.isdecimal() or (int(text) + 1) * row.size > len(found.tail):
        return None
    value: tuple[int, ...] = row.unpack_from(found.tail, int(text) * row.size)
    return value[1] | value[2] << 32 if found.kind is Kind.ENUM64 else value[1]
