// Many packets through each of a few programs that keep their maps: what both engines make of them in a virtual machine, to be
// held against the Linux kernel.
#pragma once

#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

// Reads the two items [* [bundle, [* [map, key, value]], [* [map, key]]]], [* packet]: programs with the entries that are set first
// and those asked for at the end, and the packets that each gets. Says for each program and engine, in one line: its number, the
// engine, how many runs came to their exit, a hash so far (FNV-1a, 64 bits, over r0's low half, length and bytes) after every 50th
// packet, joined by commas, and the values. Rules: shape for another form, memory.
Status run_streams(cbor::Reader& reader);

}  // namespace unibpf
