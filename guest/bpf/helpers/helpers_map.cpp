// Maps of every kind, as programs use them.
#include "guest/bpf/helpers/helpers_list.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/maps/map_ring.hpp"

namespace unibpf::helpers {
namespace {

RingMap& ring_of(Word handle) { return static_cast<RingMap&>(map_of(handle)); }

// One bpf_for_each_map_elem. A key outside the map's memory is copied to where programs may read it.
struct ForEach {
    Machine& machine;
    Word map, function, context;

    static bool visit(void* self, const std::uint8_t* key, std::uint8_t* value) {
        auto& [machine, map, function, context] = *static_cast<ForEach*>(self);
        if (map_of(map).array_like()) {
            __builtin_memcpy(&machine.element_key, key, sizeof machine.element_key);
            key = reinterpret_cast<const std::uint8_t*>(&machine.element_key);
        }
        const Word ends = machine.call_back(machine, function_start(function), map, reinterpret_cast<Word>(key), reinterpret_cast<Word>(value), context);
        return ends == 0 && !machine.stopped;
    }
};

}  // namespace

Word map_lookup_elem(Word map, Word key, Word, Word, Word, Machine&) { return reinterpret_cast<Word>(map_of(map).lookup(bytes_of(key))); }

Word map_update_elem(Word map, Word key, Word value, Word flags, Word, Machine&) {
    return static_cast<Word>(map_of(map).update(bytes_of(key), bytes_of(value), flags));
}

Word map_delete_elem(Word map, Word key, Word, Word, Word, Machine&) { return static_cast<Word>(map_of(map).remove(bytes_of(key))); }

Word map_lookup_percpu_elem(Word map, Word key, Word cpu, Word, Word, Machine&) {
    return static_cast<std::uint32_t>(cpu) == 0 ? reinterpret_cast<Word>(map_of(map).lookup(bytes_of(key))) : 0;
}

// Callbacks may go through another map meanwhile: the key of this one is put back for whoever called us.
Word for_each_map_elem(Word map, Word function, Word context, Word flags, Word, Machine& machine) {
    if (!machine.afford(abi::cost::entries(map_of(map).max_entries()))) return 0;
    if (!abi::takes_option(abi::Helper::for_each_map_elem, 3, flags)) return failed(abi::einval);
    const std::uint32_t outer_key = machine.element_key;
    ForEach each{machine, map, function, context};
    const std::uint32_t visited = map_of(map).visit(ForEach::visit, &each);
    machine.element_key = outer_key;
    return visited;
}

// Flags that wake somebody up mean nothing here: control polls.
//
// The one CPU's entry, index 0, is always there; those of other CPUs never. Bits 32 to 51 of the flags: as many bytes of the packet
// follow the data.
Word perf_event_output(Word, Word map, Word flags, Word data, Word size, Machine& machine) {
    constexpr Word index_mask = 0xffff'ffff, packet_mask = 0xf'ffff, this_cpu = index_mask;
    const Word index = (flags & index_mask) == this_cpu ? 0 : flags & index_mask;
    const Word packet_bytes = flags >> 32 & packet_mask;
    if (!machine.afford(abi::cost::bytes(static_cast<std::uint32_t>(size)) + abi::cost::bytes(packet_bytes))) return 0;
    if (flags >> 52 != 0) return failed(abi::einval);
    if (packet_bytes > machine.packet->length()) return failed(abi::efault);
    if (index >= map_of(map).max_entries()) return failed(abi::e2big);
    if (index != 0) return failed(abi::enoent);
    const auto record = bytes_of(data, size);
    const bool written = ring_of(map).output(record, machine.packet->bytes().first(packet_bytes)) == 0;
    return written ? 0 : failed(abi::enospc);
}

Word ringbuf_output(Word map, Word data, Word size, Word flags, Word, Machine& machine) {
    if (!machine.afford(abi::cost::bytes(static_cast<std::uint32_t>(size)))) return 0;
    if (!abi::takes_option(abi::Helper::ringbuf_output, 3, flags)) return failed(abi::einval);
    return static_cast<Word>(ring_of(map).output(bytes_of(data, size), {}));
}

Word ringbuf_reserve(Word map, Word size, Word flags, Word, Word, Machine&) {
    return !abi::takes_option(abi::Helper::ringbuf_reserve, 2, flags) ? 0 : reinterpret_cast<Word>(ring_of(map).reserve(size));
}

Word ringbuf_submit(Word record, Word, Word, Word, Word, Machine&) {
    RingMap::submit(room_of(record), false);
    return 0;
}

Word ringbuf_discard(Word record, Word, Word, Word, Word, Machine&) {
    RingMap::submit(room_of(record), true);
    return 0;
}

Word ringbuf_query(Word map, Word what, Word, Word, Word, Machine&) {
    const RingMap& ring = ring_of(map);
    switch (what) {
        case 0: return ring.produced() - ring.consumed();  // BPF_RB_AVAIL_DATA
        case 1: return ring.size();                        // BPF_RB_RING_SIZE
        case 2: return ring.consumed();                    // BPF_RB_CONS_POS
        case 3: return ring.produced();                    // BPF_RB_PROD_POS
        default: return 0;
    }
}

}  // namespace unibpf::helpers
