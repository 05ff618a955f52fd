// Program interface, version 1 (design section 7): what a program may name, as tables that guest, analyser and docs share.
//
// Numbers are Linux's (include/uapi/linux/bpf.h) and so are meanings. A row exists when the guest implements it: what has no
// row is refused by name, never half-offered. Limits hold for every bundle, whatever its verdict says.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
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
inline constexpr std::size_t largest_packet = 16384;  // bytes from data to data_end at most: slots are smaller (machine.hpp)
inline constexpr unsigned max_frames = 8;             // call depth, the entry program included
inline constexpr std::size_t max_stack_bytes = frame_bytes * max_frames;
inline constexpr unsigned max_outputs = 256;
inline constexpr std::uint32_t max_key_bytes = 512;   // as in Linux (MAX_BPF_STACK)
inline constexpr std::uint32_t max_value_bytes = 1 << 16;
inline constexpr std::uint32_t max_entries = 1 << 20;
inline constexpr std::uint64_t max_map_bytes = 64 << 20;  // memory of one map
inline constexpr std::size_t max_line_rows = 100'000;
inline constexpr std::size_t max_line_files = 1'000;
inline constexpr unsigned max_tail_calls = 33;        // of one run, as in Linux (MAX_TAIL_CALL_CNT)
inline constexpr std::uint32_t ring_page_bytes = 4096;  // a ring buffer's size is a power of two and a multiple of this
inline constexpr std::uint32_t perf_ring_bytes = 1 << 16;  // the ring behind a perf_event_array
inline constexpr std::uint32_t max_record_bytes = max_value_bytes;  // of a ring: what one answer of the control channel holds
inline constexpr std::uint64_t max_loops = 1 << 23;   // of one bpf_loop, as in Linux (BPF_MAX_LOOPS)
inline constexpr std::size_t max_format_values = 12;  // of bpf_snprintf and bpf_trace_vprintk, as in Linux
inline constexpr std::uint64_t ticks_per_second = 250;  // HZ: what bpf_jiffies64 counts
inline constexpr std::uint64_t default_budget = 1'000'000;  // instructions per packet, schemas/boot.cddl

// --- kinds ------------------------------------------------------------------------------------------------------------
enum class Kind : std::uint8_t {
    filter = 0,
    classifier = 1,
    rewriter = 2
};
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
enum XdpAction : std::uint32_t {
    xdp_aborted = 0,
    xdp_drop = 1,
    xdp_pass = 2,
    xdp_tx = 3,
    xdp_redirect = 4
};
inline constexpr std::array<std::string_view, 5> xdp_action_names = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};

// r1 at entry. Read-only to programs; every field is a 4-byte load at its own offset.
struct XdpMd {
    std::uint32_t data;             // address of the first byte of the packet: packet memory is below 4 GiB
    std::uint32_t data_end;         // one past the last byte
    std::uint32_t data_meta;        // address of the metadata before the packet; = data when it has none
    std::uint32_t ingress_ifindex;  // number of the NIC the packet came in by
    std::uint32_t rx_queue_index;   // 0
    std::uint32_t egress_ifindex;   // 0
};
static_assert(sizeof(XdpMd) == 24 && offsetof(XdpMd, data_end) == 4 && offsetof(XdpMd, egress_ifindex) == 20);

enum class ContextField : std::uint8_t {
    packet,
    packet_end,
    packet_meta,
    number
};
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
inline constexpr std::uint32_t max_metadata_bytes = 252;  // a multiple of 4 that fits 8 bits, as in Linux since 6.6 (before: 32)

// --- maps -------------------------------------------------------------------------------------------------------------
// The types that XDP programs use (enum bpf_map_type). A guest offers those that have a row in `map_types`.
enum class MapType : std::uint32_t {
    hash = 1,
    array = 2,
    prog_array = 3,
    perf_event_array = 4,
    percpu_hash = 5,
    percpu_array = 6,
    lru_hash = 9,
    lru_percpu_hash = 10,
    lpm_trie = 11,
    array_of_maps = 12,
    hash_of_maps = 13,
    devmap = 14,
    cpumap = 16,
    xskmap = 17,
    queue = 22,
    stack = 23,
    devmap_hash = 25,
    ringbuf = 27,
    bloom_filter = 30,
};

inline constexpr std::uint32_t map_flag_no_prealloc = 1U << 0;  // accepted, ignored: every map is preallocated
inline constexpr std::uint32_t map_flag_no_common_lru = 1U << 1;  // accepted, ignored: with one CPU every LRU list is its own
inline constexpr std::uint32_t map_flag_rdonly_prog = 1U << 7;  // programs may not write values
inline constexpr std::uint32_t map_flag_mmapable = 1U << 10;    // accepted, ignored: clang's loaders set it on global data
inline constexpr std::uint32_t map_flag_inner_map = 1U << 12;   // a map of maps may hold arrays of other lengths

// How a key finds its entry.
enum class Index : std::uint8_t {
    array,    // a u32 below max_entries; entries always exist and cannot be deleted
    hash,     // any bytes
    prefix,   // u32 number of bits, then the bits: the longest prefix that matches
    none,     // no keys
};
// What a map's entries are; a helper's row says which it takes.
enum class Holds : std::uint8_t {
    values,    // bytes that programs reach through pointers
    programs,  // for bpf_tail_call
    devices,   // for bpf_redirect_map
    maps,      // a look-up gives another map
    records,   // ring buffer
    events,    // perf ring
    items,     // queue, stack, Bloom filter: no keys
};
using HoldsSet = std::uint8_t;  // bit per Holds
template <typename... T>
constexpr HoldsSet holding(T... what) { return static_cast<HoldsSet>((0U | ... | (1U << static_cast<unsigned>(what)))); }

struct SizeRange {
    std::uint32_t least, most;
    constexpr bool holds(std::uint32_t bytes) const { return bytes >= least && bytes <= most; }
};
inline constexpr SizeRange any_key{1, max_key_bytes}, any_value{1, max_value_bytes}, u32_bytes{4, 4}, no_bytes{0, 0};
inline constexpr SizeRange prefix_key{5, 260};   // the number of bits, then 1 to 256 bytes
inline constexpr SizeRange device_value{4, 8};   // the output port, then a program that must be 0

struct MapTypeRow {
    MapType type;
    std::string_view name;
    Index index;
    Holds holds;
    bool evicts;                    // a full map drops its least recently used entry instead of refusing
    std::uint32_t allowed_flags;
    SizeRange key, value;           // bytes

    // Its entries always exist, at places that a key's number gives.
    constexpr bool array_like() const { return index == Index::array && holds == Holds::values; }
};
// One guest has one data-path thread, so the per-CPU forms are their plain forms with one slot.
inline constexpr std::array<MapTypeRow, 14> map_types = {{
    {MapType::hash, "hash", Index::hash, Holds::values, false, map_flag_no_prealloc | map_flag_rdonly_prog, any_key, any_value},
    {MapType::array, "array", Index::array, Holds::values, false, map_flag_rdonly_prog | map_flag_mmapable | map_flag_inner_map, u32_bytes, any_value},
    {MapType::prog_array, "prog_array", Index::array, Holds::programs, false, 0, u32_bytes, u32_bytes},
    {MapType::perf_event_array, "perf_event_array", Index::array, Holds::events, false, 0, u32_bytes, u32_bytes},
    {MapType::percpu_hash, "percpu_hash", Index::hash, Holds::values, false, map_flag_no_prealloc | map_flag_rdonly_prog, any_key, any_value},
    {MapType::percpu_array, "percpu_array", Index::array, Holds::values, false, map_flag_rdonly_prog, u32_bytes, any_value},
    {MapType::lru_hash, "lru_hash", Index::hash, Holds::values, true, map_flag_no_common_lru | map_flag_rdonly_prog, any_key, any_value},
    {MapType::lru_percpu_hash, "lru_percpu_hash", Index::hash, Holds::values, true, map_flag_no_common_lru | map_flag_rdonly_prog, any_key, any_value},
    {MapType::lpm_trie, "lpm_trie", Index::prefix, Holds::values, false, map_flag_no_prealloc | map_flag_rdonly_prog, prefix_key, any_value},
    {MapType::array_of_maps, "array_of_maps", Index::array, Holds::maps, false, 0, u32_bytes, u32_bytes},
    {MapType::hash_of_maps, "hash_of_maps", Index::hash, Holds::maps, false, map_flag_no_prealloc, any_key, u32_bytes},
    {MapType::devmap, "devmap", Index::array, Holds::devices, false, map_flag_rdonly_prog, u32_bytes, device_value},
    {MapType::devmap_hash, "devmap_hash", Index::hash, Holds::devices, false, map_flag_rdonly_prog, u32_bytes, device_value},
    {MapType::ringbuf, "ringbuf", Index::none, Holds::records, false, 0, no_bytes, no_bytes},
}};

// Flags of bpf_map_update_elem, and the error numbers that helpers return negated.
inline constexpr std::uint64_t update_any = 0, update_noexist = 1, update_exist = 2, update_lock = 4;
inline constexpr int enoent = 2, e2big = 7, eagain = 11, enomem = 12, eacces = 13, efault = 14, eexist = 17, einval = 22, enospc = 28,
                     erange = 34;

// --- helpers ----------------------------------------------------------------------------------------------------------
// Those that XDP programs call (enum bpf_func_id). A guest offers those that have a row in `helpers`.
enum class Helper : std::uint32_t {
    map_lookup_elem = 1,
    map_update_elem = 2,
    map_delete_elem = 3,
    ktime_get_ns = 5,
    trace_printk = 6,
    get_prandom_u32 = 7,
    get_smp_processor_id = 8,
    tail_call = 12,
    redirect = 23,
    perf_event_output = 25,
    csum_diff = 28,
    get_numa_node_id = 42,
    xdp_adjust_head = 44,
    redirect_map = 51,
    xdp_adjust_meta = 54,
    xdp_adjust_tail = 65,
    fib_lookup = 69,
    sk_lookup_tcp = 84,
    sk_lookup_udp = 85,
    sk_release = 86,
    map_push_elem = 87,
    map_pop_elem = 88,
    map_peek_elem = 89,
    spin_lock = 93,
    spin_unlock = 94,
    skc_lookup_tcp = 99,
    tcp_check_syncookie = 100,
    strtol = 105,
    strtoul = 106,
    tcp_gen_syncookie = 110,
    jiffies64 = 118,
    ktime_get_boot_ns = 125,
    ringbuf_output = 130,
    ringbuf_reserve = 131,
    ringbuf_submit = 132,
    ringbuf_discard = 133,
    ringbuf_query = 134,
    ktime_get_coarse_ns = 160,
    check_mtu = 163,
    for_each_map_elem = 164,
    snprintf = 165,
    trace_vprintk = 177,
    loop = 181,
    strncmp = 182,
    xdp_get_buff_len = 188,
    xdp_load_bytes = 189,
    xdp_store_bytes = 190,
    map_lookup_percpu_elem = 195,
    tcp_raw_gen_syncookie_ipv4 = 204,
    tcp_raw_gen_syncookie_ipv6 = 205,
    tcp_raw_check_syncookie_ipv4 = 206,
    tcp_raw_check_syncookie_ipv6 = 207,
    ktime_get_tai_ns = 208,
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
    map_value_write,   // writable, value-size bytes, initialised by the helper
    memory_read,       // readable, as many bytes as the next argument says; size > 0
    memory_read_or_null,  // the same; null allowed where the size is 0
    memory_write,      // writable, as many bytes as the next argument says; initialised by the helper
    memory_write_or_null,
    memory_update,     // readable and writable, as many bytes as the next argument says
    size,              // of the memory argument before it, > 0
    size_or_zero,
    constant_size,     // a number > 0 that is known: the size of the record that is returned
    record,            // what ringbuf_reserve gave, with all its bytes; the program's no more
    socket,            // what a socket look-up gave
    long_write,        // 8 writable bytes, aligned or not; initialised by the helper
    u32_update,        // 4 readable and writable bytes
    string,            // NUL-terminated text inside read-only global data, at a known place
    function,          // what a 64-bit load with src 4 gave
    callback_context,  // any pointer into the stack or a map value, or 0: handed to the callback
    lock,              // the bpf_spin_lock of a map value
    ipv4_header,
    ipv6_header,
    tcp_header,  // readable, 20, 40 and 20 bytes
};
enum class Return : std::uint8_t {
    number,
    nothing,            // r0 must not be read (Linux: RET_VOID)
    map_value_or_null,  // of a map that holds maps: that map, or null
    record_or_null,     // a record of `constant_size` bytes that must be released
    socket_or_null,     // must be released
};

// What a call does besides; a row's effects are a set of these.
using Effects = std::uint8_t;
inline constexpr Effects pure = 0;
inline constexpr Effects moves_packet = 1U << 0;  // every packet pointer from before the call is dead after it
inline constexpr Effects writes_map = 1U << 1;    // refused for a map with map_flag_rdonly_prog
inline constexpr Effects releases = 1U << 2;      // the record or socket among its arguments
inline constexpr Effects tail_calls = 1U << 3;    // on success the program goes on in another function and does not return
inline constexpr Effects calls_back = 1U << 4;    // calls its `function` argument any number of times
inline constexpr Effects locks = 1U << 5, unlocks = 1U << 6;

struct HelperRow {
    Helper helper;
    std::string_view name;
    std::array<Argument, 5> arguments;
    Return returns;
    KindSet kinds;
    Effects effects = pure;
    HoldsSet maps = holding(Holds::values);  // what its map argument may hold

    constexpr bool has(Effects effect) const { return (effects & effect) != 0; }
    friend constexpr bool operator==(const HelperRow&, const HelperRow&) = default;
};
inline constexpr HoldsSet looked_up = holding(Holds::values, Holds::devices, Holds::maps);
inline constexpr KindSet returns_action = only(Kind::filter) | only(Kind::rewriter);  // XDP_REDIRECT is no port of a classifier
// No row and so refused: bpf_fib_lookup, because a guest has no routing table of its own: the graph routes (LookupIPRoute).
inline constexpr std::array<HelperRow, 37> helpers = {{
    {Helper::map_lookup_elem, "bpf_map_lookup_elem", {Argument::map, Argument::map_key}, Return::map_value_or_null, every_kind, pure, looked_up},
    {Helper::map_update_elem, "bpf_map_update_elem", {Argument::map, Argument::map_key, Argument::map_value, Argument::number}, Return::number, every_kind, writes_map},
    {Helper::map_delete_elem, "bpf_map_delete_elem", {Argument::map, Argument::map_key}, Return::number, every_kind, writes_map},
    {Helper::ktime_get_ns, "bpf_ktime_get_ns", {}, Return::number, every_kind},
    {Helper::trace_printk, "bpf_trace_printk", {Argument::memory_read, Argument::size, Argument::any, Argument::any, Argument::any}, Return::number, every_kind},
    {Helper::get_prandom_u32, "bpf_get_prandom_u32", {}, Return::number, every_kind},
    {Helper::get_smp_processor_id, "bpf_get_smp_processor_id", {}, Return::number, every_kind},
    {Helper::tail_call, "bpf_tail_call", {Argument::context, Argument::map, Argument::number}, Return::number, every_kind, tail_calls, holding(Holds::programs)},
    {Helper::redirect, "bpf_redirect", {Argument::number, Argument::number}, Return::number, returns_action},
    {Helper::perf_event_output, "bpf_perf_event_output", {Argument::context, Argument::map, Argument::number, Argument::memory_read, Argument::size_or_zero}, Return::number, every_kind, pure, holding(Holds::events)},
    {Helper::csum_diff, "bpf_csum_diff", {Argument::memory_read_or_null, Argument::size_or_zero, Argument::memory_read_or_null, Argument::size_or_zero, Argument::number}, Return::number, every_kind},
    {Helper::get_numa_node_id, "bpf_get_numa_node_id", {}, Return::number, every_kind},
    {Helper::xdp_adjust_head, "bpf_xdp_adjust_head", {Argument::context, Argument::number}, Return::number, only(Kind::rewriter), moves_packet},
    {Helper::redirect_map, "bpf_redirect_map", {Argument::map, Argument::number, Argument::number}, Return::number, returns_action, pure, holding(Holds::devices)},
    {Helper::xdp_adjust_meta, "bpf_xdp_adjust_meta", {Argument::context, Argument::number}, Return::number, only(Kind::rewriter), moves_packet},
    {Helper::xdp_adjust_tail, "bpf_xdp_adjust_tail", {Argument::context, Argument::number}, Return::number, only(Kind::rewriter), moves_packet},
    {Helper::spin_lock, "bpf_spin_lock", {Argument::lock}, Return::number, every_kind, locks},
    {Helper::spin_unlock, "bpf_spin_unlock", {Argument::lock}, Return::number, every_kind, unlocks},
    {Helper::strtol, "bpf_strtol", {Argument::memory_read, Argument::size, Argument::number, Argument::long_write}, Return::number, every_kind},
    {Helper::strtoul, "bpf_strtoul", {Argument::memory_read, Argument::size, Argument::number, Argument::long_write}, Return::number, every_kind},
    {Helper::jiffies64, "bpf_jiffies64", {}, Return::number, every_kind},
    {Helper::ktime_get_boot_ns, "bpf_ktime_get_boot_ns", {}, Return::number, every_kind},
    {Helper::ringbuf_output, "bpf_ringbuf_output", {Argument::map, Argument::memory_read, Argument::size_or_zero, Argument::number}, Return::number, every_kind, pure, holding(Holds::records)},
    {Helper::ringbuf_reserve, "bpf_ringbuf_reserve", {Argument::map, Argument::constant_size, Argument::number}, Return::record_or_null, every_kind, pure, holding(Holds::records)},
    {Helper::ringbuf_submit, "bpf_ringbuf_submit", {Argument::record, Argument::number}, Return::number, every_kind, releases},
    {Helper::ringbuf_discard, "bpf_ringbuf_discard", {Argument::record, Argument::number}, Return::number, every_kind, releases},
    {Helper::ringbuf_query, "bpf_ringbuf_query", {Argument::map, Argument::number}, Return::number, every_kind, pure, holding(Holds::records)},
    {Helper::ktime_get_coarse_ns, "bpf_ktime_get_coarse_ns", {}, Return::number, every_kind},
    {Helper::for_each_map_elem, "bpf_for_each_map_elem", {Argument::map, Argument::function, Argument::callback_context, Argument::number}, Return::number, every_kind, calls_back},
    {Helper::snprintf, "bpf_snprintf", {Argument::memory_write_or_null, Argument::size_or_zero, Argument::string, Argument::memory_read_or_null, Argument::size_or_zero}, Return::number, every_kind},
    {Helper::trace_vprintk, "bpf_trace_vprintk", {Argument::memory_read, Argument::size, Argument::memory_read_or_null, Argument::size_or_zero}, Return::number, every_kind},
    {Helper::loop, "bpf_loop", {Argument::number, Argument::function, Argument::callback_context, Argument::number}, Return::number, every_kind, calls_back},
    {Helper::strncmp, "bpf_strncmp", {Argument::memory_read, Argument::size, Argument::string}, Return::number, every_kind},
    {Helper::xdp_get_buff_len, "bpf_xdp_get_buff_len", {Argument::context}, Return::number, every_kind},
    {Helper::xdp_load_bytes, "bpf_xdp_load_bytes", {Argument::context, Argument::number, Argument::memory_write, Argument::size}, Return::number, every_kind},
    {Helper::xdp_store_bytes, "bpf_xdp_store_bytes", {Argument::context, Argument::number, Argument::memory_read, Argument::size}, Return::number, only(Kind::rewriter)},
    {Helper::map_lookup_percpu_elem, "bpf_map_lookup_percpu_elem", {Argument::map, Argument::map_key, Argument::number}, Return::map_value_or_null, every_kind},
}};

// --- options ----------------------------------------------------------------------------------------------------------
// What flags and sizes a guest's helper takes: where a row says no, it fails whatever else the call says. The guest tests by these
// rows when a program runs; the analyser refuses what it knows before.
struct OptionRow {
    Helper helper;
    std::uint8_t argument;  // 0 is r1
    bool (*takes)(std::uint64_t value);
    std::string_view expected;
    std::string_view hint;
};
namespace options {
constexpr bool nothing(std::uint64_t value) { return value == 0; }
constexpr bool update(std::uint64_t value) { return (value & ~update_lock) <= update_exist; }  // the last bit where the map has locks
constexpr bool action(std::uint64_t value) { return value <= xdp_tx; }  // for a missing entry, in the low two bits
constexpr bool wakeup(std::uint64_t value) { return value <= 3; }       // BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP
constexpr bool base(std::uint64_t value) { return value == 0 || value == 8 || value == 10 || value == 16; }
constexpr bool format_values(std::uint64_t value) { return value % 8 == 0 && value <= max_format_values * 8; }
// The index of the one CPU, or BPF_F_CURRENT_CPU; above it 20 bits, how much of the packet follows.
constexpr bool event(std::uint64_t value) { return value >> 52 == 0 && ((value & UINT32_MAX) == 0 || (value & UINT32_MAX) == UINT32_MAX); }
constexpr bool head(std::uint64_t value) { return static_cast<std::int32_t>(value) >= -static_cast<std::int32_t>(packet_headroom); }
constexpr bool metadata(std::uint64_t value) {
    const auto delta = static_cast<std::int32_t>(value);
    return delta % 4 == 0 && delta >= -static_cast<std::int32_t>(max_metadata_bytes) && delta <= static_cast<std::int32_t>(max_metadata_bytes);
}
constexpr std::string_view no_copies = "a guest's program sends one packet to one port: let the graph copy it, `Tee`";
}  // namespace options
inline constexpr std::array<OptionRow, 15> option_rows = {{
    {Helper::map_update_elem, 3, options::update, "BPF_ANY, BPF_NOEXIST or BPF_EXIST, and BPF_F_LOCK where values have locks", ""},
    {Helper::redirect, 1, options::nothing, "no flags", ""},
    {Helper::perf_event_output, 2, options::event, "BPF_F_CURRENT_CPU, and bytes of the packet in bits 32 to 51", "a guest has one CPU"},
    {Helper::redirect_map, 2, options::action, "an action for a missing entry, up to XDP_TX", options::no_copies},
    {Helper::xdp_adjust_head, 1, options::head, "at least -256, the headroom", ""},
    {Helper::xdp_adjust_meta, 1, options::metadata, "a multiple of 4, from -252 to 252", ""},
    {Helper::strtol, 2, options::base, "base 0, 8, 10 or 16", ""},
    {Helper::strtoul, 2, options::base, "base 0, 8, 10 or 16", ""},
    {Helper::ringbuf_output, 3, options::wakeup, "BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP or 0", ""},
    {Helper::ringbuf_reserve, 2, options::nothing, "no flags", ""},
    {Helper::for_each_map_elem, 3, options::nothing, "no flags", ""},
    {Helper::snprintf, 4, options::format_values, "a multiple of 8, at most 96", ""},
    {Helper::trace_vprintk, 3, options::format_values, "a multiple of 8, at most 96", ""},
    {Helper::loop, 3, options::nothing, "no flags", ""},
    {Helper::loop, 0, [](std::uint64_t rounds) { return static_cast<std::uint32_t>(rounds) <= max_loops; }, "at most 8388608 rounds", ""},
}};
constexpr const OptionRow* find_option(Helper helper, std::uint8_t argument) {
    for (const auto& row : option_rows) {
        if (row.helper == helper && row.argument == argument) return &row;
    }
    return nullptr;
}
// Of a row that there is.
constexpr bool takes_option(Helper helper, std::uint8_t argument, std::uint64_t value) { return find_option(helper, argument)->takes(value); }

// --- the tables of one platform ----------------------------------------------------------------------------------------
// What a bundle is decoded and validated against. The guest's are those above; the analyser has more for other platforms
// (services/verifier/native/program/platform.hpp).
struct Tables {
    std::span<const MapTypeRow> map_types;
    std::span<const HelperRow> helpers;
    std::uint32_t most_entries = abi::max_entries;     // of one map
    std::uint64_t most_map_bytes = abi::max_map_bytes;

    constexpr const MapTypeRow* find_map_type(std::uint32_t number) const {
        for (const auto& row : map_types) {
            if (static_cast<std::uint32_t>(row.type) == number) return &row;
        }
        return nullptr;
    }
    constexpr const HelperRow* find_helper(std::uint32_t number) const {
        for (const auto& row : helpers) {
            if (static_cast<std::uint32_t>(row.helper) == number) return &row;
        }
        return nullptr;
    }
};
inline constexpr Tables guest_tables{map_types, helpers};
constexpr const MapTypeRow* find_map_type(std::uint32_t number) { return guest_tables.find_map_type(number); }
constexpr const HelperRow* find_helper(std::uint32_t number) { return guest_tables.find_helper(number); }
// Position of a helper in `helpers`, which loaded call instructions carry in imm. The number must be known.
constexpr std::size_t helper_index(std::uint32_t number) { return static_cast<std::size_t>(find_helper(number) - helpers.data()); }

}  // namespace unibpf::abi
