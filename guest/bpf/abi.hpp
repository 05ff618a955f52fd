// Program interface, version 1 (design section 7): what a program may name, as tables that guest, analyser and docs share.
//
// Numbers are Linux's (include/uapi/linux/bpf.h) and so are meanings. A row exists when the guest implements it: what has no
// row is refused by name, never half-offered. Limits hold for every bundle, whatever its verdict says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unibpf::abi {

inline constexpr unsigned version = 1;

// --- limits -----------------------------------------------------------------------------------------------------------
inline constexpr std::size_t max_bundle_bytes = 1 << 20;
inline constexpr std::size_t max_instructions = 100'000;
inline constexpr std::size_t max_subprograms = 256;   // as in Linux (BPF_MAX_SUBPROGS)
inline constexpr std::size_t max_maps = 64;
inline constexpr std::size_t max_helpers = 64;        // distinct helpers that one program calls
inline constexpr std::size_t frame_bytes = 512;       // stack of one function
inline constexpr unsigned max_frames = 8;             // call depth, the entry program included
inline constexpr std::size_t max_stack_bytes = frame_bytes * max_frames;
inline constexpr unsigned max_outputs = 256;
inline constexpr std::uint32_t max_key_bytes = 512;   // as in Linux (MAX_BPF_STACK)
inline constexpr std::uint32_t max_value_bytes = 1 << 16;
inline constexpr std::uint32_t max_entries = 1 << 20;
inline constexpr std::uint64_t max_map_bytes = 64 << 20;  // memory of one map
inline constexpr std::size_t max_line_rows = 100'000;
inline constexpr std::size_t max_line_files = 1'000;
inline constexpr std::uint64_t default_budget = 1'000'000;  // instructions per packet, schemas/boot.cddl

// --- kinds ------------------------------------------------------------------------------------------------------------
enum class Kind : std::uint8_t { filter = 0, classifier = 1, rewriter = 2 };
inline constexpr std::size_t kind_count = 3;

using KindSet = std::uint8_t;  // bit per Kind
constexpr KindSet only(Kind kind) { return static_cast<KindSet>(1U << static_cast<unsigned>(kind)); }
inline constexpr KindSet every_kind = 0b111;

struct KindRow {
    Kind kind;
    std::string_view name;
    std::string_view section;   // of the ELF object; `xdp` is a filter too
    bool writes_packet;         // may change bytes, move head and tail
    bool returns_port;          // r0 is an output port, not an XDP action
};
inline constexpr std::array<KindRow, kind_count> kinds = {{
    {Kind::filter, "filter", "unibpf/filter", false, false},
    {Kind::classifier, "classifier", "unibpf/classifier", false, true},
    {Kind::rewriter, "rewriter", "unibpf/rewriter", true, false},
}};
constexpr const KindRow& describe(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }

// --- XDP: return codes and context (linux/bpf.h enum xdp_action, struct xdp_md) ------------------------------------------
enum XdpAction : std::uint32_t { xdp_aborted = 0, xdp_drop = 1, xdp_pass = 2, xdp_tx = 3, xdp_redirect = 4 };
inline constexpr std::array<std::string_view, 5> xdp_action_names = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};

// r1 at entry. Read-only to programs; every field is a 4-byte load at its own offset.
struct XdpMd {
    std::uint32_t data;             // address of the first byte of the packet: packet memory is below 4 GiB
    std::uint32_t data_end;         // one past the last byte
    std::uint32_t data_meta;        // = data: no metadata area in ABI 1
    std::uint32_t ingress_ifindex;  // number of the NIC the packet came in by
    std::uint32_t rx_queue_index;   // 0
    std::uint32_t egress_ifindex;   // 0
};
static_assert(sizeof(XdpMd) == 24 && offsetof(XdpMd, data_end) == 4 && offsetof(XdpMd, egress_ifindex) == 20);

enum class ContextField : std::uint8_t { packet, packet_end, packet_meta, number };
struct ContextRow {
    std::uint16_t offset;
    std::uint8_t bytes;
    ContextField field;
    std::string_view name;
};
inline constexpr std::array<ContextRow, 6> context_fields = {{
    {0, 4, ContextField::packet, "data"},
    {4, 4, ContextField::packet_end, "data_end"},
    {8, 4, ContextField::packet_meta, "data_meta"},
    {12, 4, ContextField::number, "ingress_ifindex"},
    {16, 4, ContextField::number, "rx_queue_index"},
    {20, 4, ContextField::number, "egress_ifindex"},
}};

inline constexpr std::uint32_t packet_headroom = 256;  // adjust_head may grow into it
inline constexpr std::uint32_t min_packet_bytes = 14;  // an Ethernet header: adjust_* never goes below (Linux: ETH_HLEN)

// --- maps -------------------------------------------------------------------------------------------------------------
enum class MapType : std::uint32_t { hash = 1, array = 2, percpu_hash = 5, percpu_array = 6, lru_hash = 9, lru_percpu_hash = 10 };

inline constexpr std::uint32_t map_flag_no_prealloc = 1U << 0;  // accepted, ignored: every map is preallocated
inline constexpr std::uint32_t map_flag_no_common_lru = 1U << 1;  // accepted, ignored: with one CPU every LRU list is its own
inline constexpr std::uint32_t map_flag_rdonly_prog = 1U << 7;  // programs may not write values
inline constexpr std::uint32_t map_flag_mmapable = 1U << 10;    // accepted, ignored: clang's loaders set it on global data

struct MapTypeRow {
    MapType type;
    std::string_view name;
    bool array_like;                // key is a u32 index, entries always exist and cannot be deleted
    bool evicts;                    // a full map drops its least recently used entry instead of refusing
    std::uint32_t allowed_flags;
    std::uint32_t key_bytes;        // 0: any in 1..max_key_bytes
};
// One guest has one data-path thread, so the per-CPU forms are their plain forms with one slot.
inline constexpr std::array<MapTypeRow, 6> map_types = {{
    {MapType::hash, "hash", false, false, map_flag_no_prealloc | map_flag_rdonly_prog, 0},
    {MapType::array, "array", true, false, map_flag_rdonly_prog | map_flag_mmapable, 4},
    {MapType::percpu_hash, "percpu_hash", false, false, map_flag_no_prealloc | map_flag_rdonly_prog, 0},
    {MapType::percpu_array, "percpu_array", true, false, map_flag_rdonly_prog, 4},
    {MapType::lru_hash, "lru_hash", false, true, map_flag_no_common_lru | map_flag_rdonly_prog, 0},
    {MapType::lru_percpu_hash, "lru_percpu_hash", false, true, map_flag_no_common_lru | map_flag_rdonly_prog, 0},
}};
constexpr const MapTypeRow* find_map_type(std::uint32_t number) {
    for (const auto& row : map_types) {
        if (static_cast<std::uint32_t>(row.type) == number) return &row;
    }
    return nullptr;
}

// Flags of bpf_map_update_elem, and the error numbers that helpers return negated.
inline constexpr std::uint64_t update_any = 0, update_noexist = 1, update_exist = 2;
inline constexpr int enoent = 2, e2big = 7, enomem = 12, efault = 14, eexist = 17, einval = 22;

// --- helpers ----------------------------------------------------------------------------------------------------------
enum class Helper : std::uint32_t {
    map_lookup_elem = 1, map_update_elem = 2, map_delete_elem = 3, ktime_get_ns = 5, trace_printk = 6, get_prandom_u32 = 7,
    get_smp_processor_id = 8, csum_diff = 28, xdp_adjust_head = 44, xdp_adjust_tail = 65, ktime_get_boot_ns = 125,
};

// What an argument register must hold. `memory_*` is followed by its size argument; map keys and values take theirs from the map
// that an earlier `map` argument names.
enum class Argument : std::uint8_t {
    none,
    any,               // initialised number or pointer: not looked at
    number,
    context,           // r1 of the entry program, unchanged
    map,               // map handle
    map_key,           // readable, key-size bytes
    map_value,         // readable, value-size bytes
    memory_read,       // readable, as many bytes as the next argument says; size > 0
    memory_read_or_null,  // the same; null allowed where the size is 0
    size,              // of the memory argument before it, > 0
    size_or_zero,
};
enum class Return : std::uint8_t { number, map_value_or_null };

struct HelperRow {
    Helper helper;
    std::string_view name;
    std::array<Argument, 5> arguments;
    Return returns;
    KindSet kinds;
    bool moves_packet;   // every packet pointer from before the call is dead after it
    bool writes_map;     // refused for a map with map_flag_rdonly_prog
};
inline constexpr std::array<HelperRow, 11> helpers = {{
    {Helper::map_lookup_elem, "bpf_map_lookup_elem", {Argument::map, Argument::map_key}, Return::map_value_or_null, every_kind, false, false},
    {Helper::map_update_elem, "bpf_map_update_elem", {Argument::map, Argument::map_key, Argument::map_value, Argument::number}, Return::number, every_kind, false, true},
    {Helper::map_delete_elem, "bpf_map_delete_elem", {Argument::map, Argument::map_key}, Return::number, every_kind, false, true},
    {Helper::ktime_get_ns, "bpf_ktime_get_ns", {}, Return::number, every_kind, false, false},
    {Helper::trace_printk, "bpf_trace_printk", {Argument::memory_read, Argument::size, Argument::any, Argument::any, Argument::any}, Return::number, every_kind, false, false},
    {Helper::get_prandom_u32, "bpf_get_prandom_u32", {}, Return::number, every_kind, false, false},
    {Helper::get_smp_processor_id, "bpf_get_smp_processor_id", {}, Return::number, every_kind, false, false},
    {Helper::csum_diff, "bpf_csum_diff", {Argument::memory_read_or_null, Argument::size_or_zero, Argument::memory_read_or_null, Argument::size_or_zero, Argument::number}, Return::number, every_kind, false, false},
    {Helper::xdp_adjust_head, "bpf_xdp_adjust_head", {Argument::context, Argument::number}, Return::number, only(Kind::rewriter), true, false},
    {Helper::xdp_adjust_tail, "bpf_xdp_adjust_tail", {Argument::context, Argument::number}, Return::number, only(Kind::rewriter), true, false},
    {Helper::ktime_get_boot_ns, "bpf_ktime_get_boot_ns", {}, Return::number, every_kind, false, false},
}};
constexpr const HelperRow* find_helper(std::uint32_t number) {
    for (const auto& row : helpers) {
        if (static_cast<std::uint32_t>(row.helper) == number) return &row;
    }
    return nullptr;
}

}  // namespace unibpf::abi
