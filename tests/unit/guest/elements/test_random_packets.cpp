#include <doctest/doctest.h>

#include <random>

#include "tests/support/native/packet_sink.hpp"

namespace unibpf::test {
namespace {

void store16(Frame& frame, std::size_t at, unsigned value) {
    if (at + 2 > frame.size()) return;
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

// Random bytes of any length, most of them dressed up as ARP or IP so that they get far.
Frame random_frame(std::mt19937& random) {
    Frame frame(random() % 120);
    for (auto& byte : frame) byte = static_cast<std::uint8_t>(random());
    const unsigned dress = random() % 4;
    if (dress == 1) {
        store16(frame, 12, 0x0806);
        store16(frame, 14, 1), store16(frame, 16, 0x0800), store16(frame, 18, 0x0604), store16(frame, 20, 1);
        store16(frame, 38, 0x0a00);
    } else if (dress > 1) {
        store16(frame, 12, 0x0800);
        store16(frame, 14, dress == 2 ? 0x4500 : 0x4000 + (random() & 0x2f00));
        store16(frame, 16, random() % 110);
        store16(frame, 20, 0);
        store16(frame, 22, 0x4001);
        store16(frame, 34, 0x0800);
    }
    return frame;
}

}  // namespace

TEST_CASE("every random packet is sent or counted as a drop, and no slot is lost") {
    const std::size_t slots = PacketPool::system().available();
    {
        PacketSink sink;
        REQUIRE(sink.fault() == "");
        std::mt19937 random{1};  // the same packets each time
        for (int i = 0; i < 20'000; ++i) sink.put(random_frame(random));
        CHECK(sink.adds_up());
        CHECK(sink.sent() > 1000);
    }
    CHECK(PacketPool::system().available() == slots);
}

}  // namespace unibpf::test
