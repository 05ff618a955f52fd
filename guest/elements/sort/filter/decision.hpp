// DecisionProgram: patterns over IPv4 packets as a list of tests of single words, each with the next test for yes and for no.
//
// Made from expressions (pattern.hpp) backwards, then `optimize` goes over it forwards: where what is known on the way to a test decides
// it, the way goes past it. Tests only ever lead to later ones, so a run ends; the words of the transport header are read only
// where a test of its length was passed on the way, which expressions see to.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "guest/core/heap.hpp"
#include "guest/graph/arena.hpp"
#include "guest/graph/text.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

// A 32-bit word of a packet, in host order, and what of it is compared how.
struct WordTest {
    enum class Base : std::uint8_t {
        network,
        transport,
        lengths  // offset 0: bytes from the IP header on, 4: bytes of transport
    };
    enum class Compare : std::uint8_t {
        equal,
        above
    };
    Base base = Base::network;
    Compare compare = Compare::equal;
    std::uint16_t offset = 0;
    std::uint32_t mask = 0;
    std::uint32_t value = 0;
};

class DecisionProgram {
  public:
    static constexpr std::uint16_t leaf = 0x8000;  // `leaf | n`: the packet leaves by output n
    static constexpr std::uint16_t most_tests = 0x7fff;
    static constexpr std::uint16_t nowhere = 0xffff;  // dropped

    // Backwards: what a test leads to is there before it. The index of the test, or `nowhere` when there is no room.
    std::uint16_t add(const WordTest& test, std::uint16_t yes, std::uint16_t no, Arena& scratch);
    // False: no memory.
    bool finish(std::uint16_t start);

    // The output, or `nowhere`; of a packet without a whole IPv4 header always `nowhere`.
    std::uint16_t run(Packet& packet) const;
    void print(Text& out) const;
    std::size_t size() const { return size_; }

  private:
    struct Step {
        std::uint32_t mask;   // as in memory
        std::uint32_t value;  // as in memory; for `above` in host order
        std::uint16_t offset;
        WordTest::Base base;
        WordTest::Compare compare;
        std::uint16_t yes;
        std::uint16_t no;
    };
    struct Node {
        WordTest test;
        std::uint16_t yes = nowhere;
        std::uint16_t no = nowhere;
    };
    bool optimize(std::span<Node> nodes, std::uint16_t& start) const;
    bool number(std::span<const Node> nodes, std::uint16_t start);

    List<Node> made_;
    OwnedArray<Step> steps_;
    std::size_t size_ = 0;
    std::uint16_t start_ = nowhere;
};

inline std::uint16_t DecisionProgram::run(Packet& packet) const {
    const std::span<const std::uint8_t> ip = packet.network();
    constexpr std::size_t least_header = 20;
    if (ip.size() < least_header) return nowhere;
    const std::size_t header = (ip[0] & 15u) * 4u, transport = header < ip.size() ? header : ip.size();
    const std::uint32_t lengths[2] = {__builtin_bswap32(static_cast<std::uint32_t>(ip.size())), __builtin_bswap32(static_cast<std::uint32_t>(ip.size() - transport))};
    const std::uint8_t* bases[3] = {ip.data(), ip.data() + transport, reinterpret_cast<const std::uint8_t*>(lengths)};
    std::uint16_t at = start_;
    while (at < leaf) {
        const Step& step = steps_[at];
        std::uint32_t word;
        std::memcpy(&word, bases[static_cast<unsigned>(step.base)] + step.offset, sizeof word);
        word &= step.mask;
        const bool yes = step.compare == WordTest::Compare::equal ? word == step.value : __builtin_bswap32(word) > step.value;
        // A branch, not a choice of two numbers: the CPU then reads the next test before it knows this one's outcome.
        if (yes) {
            at = step.yes;
            asm volatile("" ::"r"(at));
        } else {
            at = step.no;
            asm volatile("" ::"r"(at));
        }
    }
    return at == nowhere ? nowhere : static_cast<std::uint16_t>(at & ~leaf);
}

}  // namespace unibpf
