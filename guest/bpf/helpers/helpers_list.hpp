// The helpers' functions, by the file that they are in. bpf-helpers(7) says what each does; here stands what it leaves open.
#pragma once

#include <cstdint>

#include "guest/bpf/maps/map.hpp"

namespace unibpf {

struct Machine;

namespace helpers {

using Word = std::uint64_t;

constexpr Word failed(int error) { return static_cast<Word>(-static_cast<std::int64_t>(error)); }
// Sound: the argument was proved to hold a map handle or a pointer of the size that the helper reads or writes.
inline Map& map_of(Word handle) { return *reinterpret_cast<Map*>(handle); }
inline const std::uint8_t* bytes_of(Word address) { return reinterpret_cast<const std::uint8_t*>(address); }
inline std::uint8_t* room_of(Word address) { return reinterpret_cast<std::uint8_t*>(address); }
inline std::span<const std::uint8_t> bytes_of(Word address, Word size) { return {bytes_of(address), static_cast<std::uint32_t>(size)}; }

#define UNIBPF_HELPER(name) Word name(Word r1, Word r2, Word r3, Word r4, Word r5, Machine& machine)

// helpers_map.cpp
UNIBPF_HELPER(map_lookup_elem);
UNIBPF_HELPER(map_update_elem);
UNIBPF_HELPER(map_delete_elem);
UNIBPF_HELPER(map_lookup_percpu_elem);
UNIBPF_HELPER(for_each_map_elem);
UNIBPF_HELPER(perf_event_output);
UNIBPF_HELPER(ringbuf_output);
UNIBPF_HELPER(ringbuf_reserve);
UNIBPF_HELPER(ringbuf_submit);
UNIBPF_HELPER(ringbuf_discard);
UNIBPF_HELPER(ringbuf_query);

// helpers_control.cpp
UNIBPF_HELPER(tail_call);
UNIBPF_HELPER(loop);
UNIBPF_HELPER(redirect);
UNIBPF_HELPER(redirect_map);

// helpers_packet.cpp
UNIBPF_HELPER(csum_diff);
UNIBPF_HELPER(xdp_adjust_head);
UNIBPF_HELPER(xdp_adjust_meta);
UNIBPF_HELPER(xdp_adjust_tail);
UNIBPF_HELPER(xdp_get_buff_len);
UNIBPF_HELPER(xdp_load_bytes);
UNIBPF_HELPER(xdp_store_bytes);

// helpers_text.cpp
UNIBPF_HELPER(strncmp);
UNIBPF_HELPER(strtol);
UNIBPF_HELPER(strtoul);
UNIBPF_HELPER(snprintf);
UNIBPF_HELPER(trace_printk);
UNIBPF_HELPER(trace_vprintk);

}  // namespace helpers
}  // namespace unibpf
