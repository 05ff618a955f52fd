#include "guest/bpf/maps/random.hpp"

#include <bit>
#include <cstring>

#include "guest/bpf/maps/map_bytes.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf::random {
namespace {

struct State {
    std::uint64_t key[2] = {};
    bool seeded = false;
};
State state;
UNIBPF_PROGRAM_STATE std::uint64_t counter;

struct SipHash {
    std::uint64_t v0, v1, v2, v3;

    explicit SipHash(const std::uint64_t (&key)[2])
        : v0{key[0] ^ 0x736f6d6570736575}, v1{key[1] ^ 0x646f72616e646f6d},
          v2{key[0] ^ 0x6c7967656e657261}, v3{key[1] ^ 0x7465646279746573} {}

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13);
        v1 ^= v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16);
        v3 ^= v2;
        v0 += v3;
        v3 = std::rotl(v3, 21);
        v3 ^= v0;
        v2 += v1;
        v1 = std::rotl(v1, 17);
        v1 ^= v2;
        v2 = std::rotl(v2, 32);
    }
    void word(std::uint64_t m) {
        v3 ^= m;
        round();
        v0 ^= m;
    }
    std::uint64_t finish() {
        v2 ^= 0xff;
        round();
        round();
        round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

std::uint64_t next_u64() {
    SipHash hash{state.key};
    hash.word(++counter);
    return hash.finish();
}

void fill_secrets() {
    for (std::uint64_t& word : secrets) word = next_u64();
}

void ensure_seeded() {
    if (state.seeded) return;
    std::byte bytes[16];
    if (!platform::entropy(bytes)) {
        const std::uint64_t clocks[2] = {platform::monotonic_ns(), platform::wall_clock_us()};
        std::memcpy(bytes, clocks, sizeof clocks);
    }
    std::memcpy(state.key, bytes, sizeof bytes);
    state.seeded = true;
    fill_secrets();
}

}  // namespace

constinit std::uint64_t secrets[hash_words] = {};

void seed(std::span<const std::uint8_t, 16> bytes) {
    std::memcpy(state.key, bytes.data(), bytes.size());
    state.seeded = true;
    fill_secrets();
}

std::uint32_t next_u32() {
    ensure_seeded();
    return static_cast<std::uint32_t>(next_u64());
}

void prepare() { ensure_seeded(); }

std::uint64_t hash(std::span<const std::uint8_t> key) {
    const std::uint8_t* at = key.data();
    auto bytes = static_cast<std::uint32_t>(key.size());
    std::uint64_t sum = secrets[0];
    std::size_t word = 0;
    for (; bytes >= 8; bytes -= 8, at += 8) sum += product(word++, map_bytes::load<std::uint64_t>(at));
    return bytes == 0 ? sum : sum + product(word, map_bytes::load_tail(at, bytes));
}

}  // namespace unibpf::random
