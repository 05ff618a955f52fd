// What Linux offers to XDP programs besides, or other than, what guests offer (bpf-helpers(7), bpf(2), Documentation/bpf/map_*.rst;
// Linux 6.1). A row here replaces the guest's row of its number.
#pragma once

#include <array>

#include "guest/bpf/bundle/abi.hpp"

namespace unibpf::abi::linux_xdp {

using A = Argument;

inline constexpr std::uint32_t flag_numa_node = 1U << 2, flag_rdonly = 1U << 3, flag_wronly = 1U << 4, flag_zero_seed = 1U << 6,
                               flag_wronly_prog = 1U << 8, flag_preserve_elems = 1U << 11;
inline constexpr std::uint32_t common_flags = flag_numa_node | flag_rdonly | flag_wronly | map_flag_rdonly_prog | flag_wronly_prog;
inline constexpr std::uint32_t hash_flags = common_flags | map_flag_no_prealloc | flag_zero_seed;
inline constexpr SizeRange device_value{4, 8}, prefix_key{5, 260};
// What a map may take is the kernel's memory there: numbers of 32 bits, and sizes as its allocators take them.
inline constexpr SizeRange large_value{1, INT32_MAX};
inline constexpr std::uint32_t most_entries = UINT32_MAX;
inline constexpr std::uint64_t most_map_bytes = std::uint64_t{1} << 40;

inline constexpr std::array more_map_types = {
    MapTypeRow{MapType::hash, "hash", Index::hash, Holds::values, false, hash_flags, any_key, large_value},
    MapTypeRow{MapType::array, "array", Index::array, Holds::values, false, common_flags | map_flag_mmapable | map_flag_inner_map, u32_bytes, large_value},
    MapTypeRow{MapType::prog_array, "prog_array", Index::array, Holds::programs, false, common_flags, u32_bytes, u32_bytes},
    MapTypeRow{MapType::perf_event_array, "perf_event_array", Index::array, Holds::events, false, common_flags | flag_preserve_elems, u32_bytes, u32_bytes},
    MapTypeRow{MapType::percpu_hash, "percpu_hash", Index::hash, Holds::values, false, hash_flags, any_key, large_value},
    MapTypeRow{MapType::percpu_array, "percpu_array", Index::array, Holds::values, false, common_flags, u32_bytes, large_value},
    MapTypeRow{MapType::lru_hash, "lru_hash", Index::hash, Holds::values, true, (hash_flags & ~map_flag_no_prealloc) | map_flag_no_common_lru, any_key, large_value},
    MapTypeRow{MapType::lru_percpu_hash, "lru_percpu_hash", Index::hash, Holds::values, true, (hash_flags & ~map_flag_no_prealloc) | map_flag_no_common_lru, any_key, large_value},
    MapTypeRow{MapType::lpm_trie, "lpm_trie", Index::prefix, Holds::values, false, common_flags | map_flag_no_prealloc, prefix_key, large_value},
    MapTypeRow{MapType::array_of_maps, "array_of_maps", Index::array, Holds::maps, false, common_flags, u32_bytes, u32_bytes},
    MapTypeRow{MapType::hash_of_maps, "hash_of_maps", Index::hash, Holds::maps, false, hash_flags, any_key, u32_bytes},
    MapTypeRow{MapType::devmap, "devmap", Index::array, Holds::devices, false, common_flags, u32_bytes, device_value},
    MapTypeRow{MapType::cpumap, "cpumap", Index::array, Holds::devices, false, flag_numa_node, u32_bytes, device_value},
    MapTypeRow{MapType::xskmap, "xskmap", Index::array, Holds::devices, false, common_flags, u32_bytes, u32_bytes},
    MapTypeRow{MapType::queue, "queue", Index::none, Holds::items, false, common_flags, no_bytes, large_value},
    MapTypeRow{MapType::stack, "stack", Index::none, Holds::items, false, common_flags, no_bytes, large_value},
    MapTypeRow{MapType::devmap_hash, "devmap_hash", Index::hash, Holds::devices, false, common_flags, u32_bytes, device_value},
    MapTypeRow{MapType::ringbuf, "ringbuf", Index::none, Holds::records, false, flag_numa_node, no_bytes, no_bytes},
    MapTypeRow{MapType::bloom_filter, "bloom_filter", Index::none, Holds::items, false, common_flags | flag_zero_seed, no_bytes, large_value},
};

inline constexpr HoldsSet records = holding(Holds::records), events = holding(Holds::events), devices = holding(Holds::devices),
                          programs = holding(Holds::programs), items = holding(Holds::items);

inline constexpr std::array more_helpers = {
    HelperRow{Helper::tail_call, "bpf_tail_call", {A::context, A::map, A::number}, Return::nothing, every_kind, tail_calls, programs},
    HelperRow{Helper::redirect, "bpf_redirect", {A::number, A::number}, Return::number, every_kind},
    HelperRow{Helper::redirect_map, "bpf_redirect_map", {A::map, A::number, A::number}, Return::number, every_kind, pure, devices},
    HelperRow{Helper::fib_lookup, "bpf_fib_lookup", {A::context, A::memory_update, A::size, A::number}, Return::number, every_kind},
    HelperRow{Helper::sk_lookup_tcp, "bpf_sk_lookup_tcp", {A::context, A::memory_read, A::size, A::number, A::number}, Return::socket_or_null, every_kind},
    HelperRow{Helper::sk_lookup_udp, "bpf_sk_lookup_udp", {A::context, A::memory_read, A::size, A::number, A::number}, Return::socket_or_null, every_kind},
    HelperRow{Helper::sk_release, "bpf_sk_release", {A::socket}, Return::number, every_kind, releases},
    HelperRow{Helper::map_push_elem, "bpf_map_push_elem", {A::map, A::map_value, A::number}, Return::number, every_kind, writes_map, items},
    HelperRow{Helper::map_pop_elem, "bpf_map_pop_elem", {A::map, A::map_value_write}, Return::number, every_kind, writes_map, items},
    HelperRow{Helper::map_peek_elem, "bpf_map_peek_elem", {A::map, A::map_value_write}, Return::number, every_kind, pure, items},
    HelperRow{Helper::spin_lock, "bpf_spin_lock", {A::lock}, Return::nothing, every_kind, locks},
    HelperRow{Helper::spin_unlock, "bpf_spin_unlock", {A::lock}, Return::nothing, every_kind, unlocks},
    HelperRow{Helper::skc_lookup_tcp, "bpf_skc_lookup_tcp", {A::context, A::memory_read, A::size, A::number, A::number}, Return::socket_or_null, every_kind},
    HelperRow{Helper::tcp_check_syncookie, "bpf_tcp_check_syncookie", {A::socket, A::memory_read, A::size, A::memory_read, A::size}, Return::number, every_kind},
    HelperRow{Helper::tcp_gen_syncookie, "bpf_tcp_gen_syncookie", {A::socket, A::memory_read, A::size, A::memory_read, A::size}, Return::number, every_kind},
    HelperRow{Helper::ringbuf_submit, "bpf_ringbuf_submit", {A::record, A::number}, Return::nothing, every_kind, releases},
    HelperRow{Helper::ringbuf_discard, "bpf_ringbuf_discard", {A::record, A::number}, Return::nothing, every_kind, releases},
    HelperRow{Helper::check_mtu, "bpf_check_mtu", {A::context, A::number, A::u32_update, A::number, A::number}, Return::number, every_kind},
    HelperRow{Helper::tcp_raw_gen_syncookie_ipv4, "bpf_tcp_raw_gen_syncookie_ipv4", {A::ipv4_header, A::memory_read, A::size}, Return::number, every_kind},
    HelperRow{Helper::tcp_raw_gen_syncookie_ipv6, "bpf_tcp_raw_gen_syncookie_ipv6", {A::ipv6_header, A::memory_read, A::size}, Return::number, every_kind},
    HelperRow{Helper::tcp_raw_check_syncookie_ipv4, "bpf_tcp_raw_check_syncookie_ipv4", {A::ipv4_header, A::tcp_header}, Return::number, every_kind},
    HelperRow{Helper::tcp_raw_check_syncookie_ipv6, "bpf_tcp_raw_check_syncookie_ipv6", {A::ipv6_header, A::tcp_header}, Return::number, every_kind},
    HelperRow{Helper::ktime_get_tai_ns, "bpf_ktime_get_tai_ns", {}, Return::number, every_kind},
};

}  // namespace unibpf::abi::linux_xdp
