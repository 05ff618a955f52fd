// Many programs, a packet for each: what both engines make of them in a virtual machine, for the conformance cases.
#pragma once

#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

// Reads [* [bundle, packet, [* [map, key]]]]. Says for each, and each engine, in one line: its number, the engine, how the run
// ended, r0, the packet afterwards and the values asked for (`none`: no entry), all hex. A bundle that does not load says why.
// Rules: shape for another form, memory.
Status run_cases(cbor::Reader& reader);

}  // namespace unibpf
