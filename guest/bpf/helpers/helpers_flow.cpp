// Where a program goes on and where its packet goes.
#include "guest/bpf/helpers/helpers_list.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/maps/map_array.hpp"

namespace unibpf::helpers {

// The engine does the rest: it finds tail_target set and goes on there.
Word tail_call(Word, Word map, Word index, Word, Word, Machine& machine) {
    const std::uint32_t target = static_cast<const ArrayMap&>(map_of(map)).program(static_cast<std::uint32_t>(index));
    if (target == no_function) return failed(abi::enoent);
    if (machine.tail_calls == abi::max_tail_calls) return failed(abi::e2big);
    ++machine.tail_calls;
    machine.tail_target = target;
    return 0;
}

Word loop(Word times, Word function, Word context, Word flags, Word, Machine& machine) {
    const auto count = static_cast<std::uint32_t>(times);
    if (!abi::takes_option(abi::Helper::loop, 3, flags)) return failed(abi::einval);
    if (!abi::takes_option(abi::Helper::loop, 0, times)) return failed(abi::e2big);
    for (std::uint32_t i = 0; i < count; ++i) {
        const Word ends = machine.call_back(machine, function_start(function), i, context, 0, 0);
        if (ends != 0 || machine.stopped) return i + 1;
    }
    return count;
}

Word redirect(Word port, Word flags, Word, Word, Word, Machine& machine) {
    if (!abi::takes_option(abi::Helper::redirect, 1, flags)) return abi::xdp_aborted;
    machine.redirect_port = static_cast<std::uint32_t>(port);
    return abi::xdp_redirect;
}

// The low two bits of the flags are the action for a missing entry. Others (Linux: BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS) would need
// copies of the packet, which an element leaves to Tee. The last call counts, whatever came before.
Word redirect_map(Word map, Word key, Word flags, Word, Word, Machine& machine) {
    if (!abi::takes_option(abi::Helper::redirect_map, 2, flags)) return abi::xdp_aborted;
    const auto index = static_cast<std::uint32_t>(key);
    const std::uint8_t* device = map_of(map).lookup(reinterpret_cast<const std::uint8_t*>(&index));
    machine.redirect_port = no_port;
    if (device == nullptr) return flags;
    __builtin_memcpy(&machine.redirect_port, device, sizeof machine.redirect_port);
    return abi::xdp_redirect;
}

}  // namespace unibpf::helpers
