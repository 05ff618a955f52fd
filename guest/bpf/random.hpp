// Randomness for maps and bpf_get_prandom_u32: one generator, seeded once a boot.
//
// Not for keys: it only has to be unknown to whoever sends packets. SipHash (Aumasson, Bernstein 2012) with one and three
// rounds, as other kernels use it for tables; the stream is SipHash over a counter.
#pragma once

#include <cstdint>
#include <span>

namespace unibpf::random {

// From the boot seed (HKDF output). Without a call the platform's entropy and clock are used. Call before maps are made:
// what is hashed under the old key would not be found under the new one.
void seed(std::span<const std::uint8_t, 16> bytes);

std::uint32_t next_u32();
std::uint64_t keyed_hash(std::span<const std::uint8_t> bytes);

}  // namespace unibpf::random
