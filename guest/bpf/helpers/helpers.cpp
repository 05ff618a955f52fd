#include "guest/bpf/helpers/helpers.hpp"

#include "guest/bpf/helpers/helpers_list.hpp"
#include "guest/bpf/maps/random.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

using helpers::Word;

Word zero(Word, Word, Word, Word, Word, Machine&) { return 0; }

Word clock(Word, Word, Word, Word, Word, Machine&) { return platform::monotonic_ns(); }

Word jiffies64(Word, Word, Word, Word, Word, Machine&) { return platform::monotonic_ns() / (1'000'000'000 / abi::ticks_per_second); }

Word get_prandom_u32(Word, Word, Word, Word, Word, Machine&) { return random::next_u32(); }

struct Implementation {
    abi::Helper helper;
    HelperFunction function;
};
constexpr Implementation implementations[] = {
    {abi::Helper::map_lookup_elem, helpers::map_lookup_elem},
    {abi::Helper::map_update_elem, helpers::map_update_elem},
    {abi::Helper::map_delete_elem, helpers::map_delete_elem},
    {abi::Helper::ktime_get_ns, clock},
    {abi::Helper::trace_printk, helpers::trace_printk},
    {abi::Helper::get_prandom_u32, get_prandom_u32},
    {abi::Helper::get_smp_processor_id, zero},  // one data-path thread a guest
    {abi::Helper::tail_call, helpers::tail_call},
    {abi::Helper::redirect, helpers::redirect},
    {abi::Helper::perf_event_output, helpers::perf_event_output},
    {abi::Helper::csum_diff, helpers::csum_diff},
    {abi::Helper::get_numa_node_id, zero},
    {abi::Helper::xdp_adjust_head, helpers::xdp_adjust_head},
    {abi::Helper::redirect_map, helpers::redirect_map},
    {abi::Helper::xdp_adjust_meta, helpers::xdp_adjust_meta},
    {abi::Helper::xdp_adjust_tail, helpers::xdp_adjust_tail},
    {abi::Helper::spin_lock, zero},  // and so a lock only has to be paired, which the verifier proves
    {abi::Helper::spin_unlock, zero},
    {abi::Helper::strtol, helpers::strtol},
    {abi::Helper::strtoul, helpers::strtoul},
    {abi::Helper::jiffies64, jiffies64},
    {abi::Helper::ktime_get_boot_ns, clock},  // the guest has no suspend
    {abi::Helper::ringbuf_output, helpers::ringbuf_output},
    {abi::Helper::ringbuf_reserve, helpers::ringbuf_reserve},
    {abi::Helper::ringbuf_submit, helpers::ringbuf_submit},
    {abi::Helper::ringbuf_discard, helpers::ringbuf_discard},
    {abi::Helper::ringbuf_query, helpers::ringbuf_query},
    {abi::Helper::ktime_get_coarse_ns, clock},  // finer than it need be
    {abi::Helper::for_each_map_elem, helpers::for_each_map_elem},
    {abi::Helper::snprintf, helpers::snprintf},
    {abi::Helper::trace_vprintk, helpers::trace_vprintk},
    {abi::Helper::loop, helpers::loop},
    {abi::Helper::strncmp, helpers::strncmp},
    {abi::Helper::xdp_get_buff_len, helpers::xdp_get_buff_len},
    {abi::Helper::xdp_load_bytes, helpers::xdp_load_bytes},
    {abi::Helper::xdp_store_bytes, helpers::xdp_store_bytes},
    {abi::Helper::map_lookup_percpu_elem, helpers::map_lookup_percpu_elem},
};

// Fails to compile when abi::helpers has a row that nothing implements, or the orders differ.
constexpr std::array<HelperFunction, abi::helpers.size()> in_table_order() {
    static_assert(sizeof(implementations) / sizeof(implementations[0]) == abi::helpers.size());
    std::array<HelperFunction, abi::helpers.size()> functions{};
    for (std::size_t i = 0; i < functions.size(); ++i) {
        if (implementations[i].helper != abi::helpers[i].helper) __builtin_unreachable();
        functions[i] = implementations[i].function;
    }
    return functions;
}

}  // namespace

constinit const std::array<HelperFunction, abi::helpers.size()> helper_functions = in_table_order();

}  // namespace unibpf
