"""CO-RE relocations (Linux Documentation/bpf/llvm_reloc.rst): which of them are settled without a kernel.

Such a relocation says: the place of this field is the running kernel's. For types that every kernel, and the network, lays
out the same way there is nothing to adjust: the instruction already has what the object's own types say, and a loader would
write the same. These types are listed with their sizes; an object whose type of that name has another size (a partial
definition, a flavour) means another layout and is refused like all others. What the access may do the analyser proves.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from services.verifier.frontend.btf import Btf, CoreRecord, Kind

# enum bpf_core_relo_kind: places, sizes and signs of fields; whether a type exists and how large it is; values of enumerators.
_FIELD_BYTE_OFFSET, _FIELD_RSHIFT = 0, 5
_TYPE_EXISTS, _TYPE_SIZE, _TYPE_MATCHES = 8, 9, 12
_ENUM_EXISTS, _ENUM_VALUE = 10, 11
_OF_TYPES: Final = {*range(_FIELD_BYTE_OFFSET, _FIELD_RSHIFT + 1), _TYPE_EXISTS, _TYPE_SIZE, _TYPE_MATCHES}
_OF_ENUMS: Final = {_ENUM_EXISTS, _ENUM_VALUE}

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
STABLE_ENUMS: Final = frozenset({"xdp_action"})


class Unsettled(Struct, frozen=True):
    """At byte `offset` of its section an instruction depends on what the kernel has of `type`."""

    offset: int
    type: str


def unsettled(btf: Btf, records: list[CoreRecord], start: int, end: int) -> Iterator[Unsettled]:
    """Yield the relocations in [start, end) that only a kernel can settle."""
    for record in records:
        if start <= record.offset < end and not _settled(btf, record):
            yield Unsettled(record.offset, btf.string(btf.resolve(record.type).name) or "?")


def _settled(btf: Btf, record: CoreRecord) -> bool:
    found = btf.resolve(record.type)
    name = btf.string(found.name)
    if found.kind is Kind.STRUCT and record.kind in _OF_TYPES:
        return STABLE.get(name) == found.argument
    return found.kind is Kind.ENUM and record.kind in _OF_ENUMS and name in STABLE_ENUMS
