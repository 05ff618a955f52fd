// The one belief about where things lie: which offsets from the start of an object can never give the address 0.
//
// A null pointer is the machine word 0, so a test against null decides only about addresses of which 0 is none. Every test, join
// and comparison that uses this asks `nonzero_offsets`; what has no row here is never taken for "not null".
#pragma once

#include "services/verifier/native/domains/scalar.hpp"
#include "services/verifier/native/state/value.hpp"

namespace unibpf::analyser {

// Offsets at which an object of that kind, wherever it lies, has neither address 0 nor one on the other side of it (so offsets
// compare as addresses do). Empty: none is known.
constexpr Interval<std::int64_t> nonzero_offsets(const Value& pointer) {
    constexpr Interval<std::int64_t> none{1, 0}, only_first_byte{0, 0};
    // No platform has memory of programs in the first 64 KiB (guest: the image lies at 1 MiB and above, Linux: the upper half).
    constexpr std::int64_t least = -0xffff;
    // Guests: objects end below 4 GiB. Linux: packets, values, keys and records are in the direct map, vmalloc or per-CPU
    // areas, all below 2^64 - 2^40; a stack may be that of the idle task, which is part of the kernel's image
    // (0xffffffff80000000 to 0xffffffffc0000000, Documentation/arch/x86/x86_64/mm.rst).
    constexpr std::int64_t data = std::int64_t{1} << 40, image = std::int64_t{1} << 30;
    switch (pointer.kind) {
        case Kind::uninitialised:
        case Kind::mixed:
        case Kind::complement:
        case Kind::number: return none;
        case Kind::packet:
        case Kind::map_value:
        case Kind::map_key:
        case Kind::record: return {least, data};
        case Kind::packet_address: return pointer.is_half() ? none : Interval<std::int64_t>{least, data};
        case Kind::context:
        case Kind::stack: return {least, image};
        // No arithmetic is allowed on these. Guests: handles are addresses of objects, a function's value is one more than the
        // number of its first instruction (guest/bpf/program.hpp).
        case Kind::map_handle:
        case Kind::inner_map:
        case Kind::socket:
        case Kind::function: return only_first_byte;
    }
    __builtin_unreachable();
}

}  // namespace unibpf::analyser
