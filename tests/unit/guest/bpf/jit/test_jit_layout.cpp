// Layout: jumps in the shortest form that reaches, at every distance around the limits.
#include "guest/bpf/jit/layout.hpp"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "guest/bpf/jit/emitter.hpp"

using namespace unibpf;
using jit::Emitter;
using jit::Flag;
using jit::Layout;

namespace {

// A draft with room for 1 KiB, written by `emit`, laid out to hex; labels are numbers below 8.
struct Laid {
    std::array<std::byte, 1024> bytes{};
    std::array<jit::Fixup, 16> fixups{};
    std::array<jit::Mark, 8> marks{};
    std::array<std::byte, 1024> out{};
    std::size_t size = 0;
    bool reached = false;

    template <typename Emit>
    explicit Laid(Emit emit, std::size_t pages = 1024) {
        const jit::Draft draft{bytes, fixups, marks};
        Emitter emitter{draft};
        emit(emitter);
        REQUIRE(emitter.fits());
        const Layout layout{draft, emitter.size(), emitter.fixups()};
        size = layout.size();
        reached = layout.write(std::span{out}.first(pages == 0 ? size : pages));
    }
    std::string hex() const {
        std::string text;
        char digits[3];
        for (std::size_t i = 0; i < size; ++i) {
            std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(out[i]));
            text += digits;
        }
        return text;
    }
};

void returns(Emitter& e, unsigned count) {
    for (unsigned i = 0; i < count; ++i) e.ret();
}

}  // namespace

TEST_CASE("jumps land where they were aimed, over nothing and over each other") {
    const auto laid = Laid([](Emitter& e) {
        e.mark(0);
        e.jump(1);
        e.mark(1);
        e.jump_if(Flag::sign, 0);
        e.call(1);
        e.ret();
    });
    CHECK(laid.reached);
    CHECK(laid.hex() ==
          "eb00"
          "78fc"
          "e8f9ffffff"
          "c3");
}

TEST_CASE("a jump is short while its distance fits a byte") {
    for (const unsigned between : {126U, 127U, 128U, 129U}) {
        const auto forward = Laid([&](Emitter& e) { e.jump(0), returns(e, between), e.mark(0), e.ret(); });
        CHECK(forward.reached);
        CHECK(forward.size == between + 1 + (between <= 127 ? 2 : 5));
        const auto back = Laid([&](Emitter& e) { e.mark(0), returns(e, between), e.jump_if(Flag::equal, 0); });
        CHECK(back.reached);
        CHECK(back.size == between + (between <= 126 ? 2 : 6));
    }
    CHECK(Laid([](Emitter& e) { e.jump(0), returns(e, 128), e.mark(0), e.ret(); }).hex().starts_with("e980000000c3"));
    CHECK(Laid([](Emitter& e) { e.mark(0), returns(e, 128), e.jump_if(Flag::sign, 0); }).hex().ends_with("c30f887affffff"));
}

TEST_CASE("what is aligned begins at a multiple, and no gap is left where it does already") {
    for (unsigned before = 0; before <= 2 * jit::loop_alignment; ++before) {
        const auto laid = Laid([&](Emitter& e) { returns(e, before), e.align(), e.mark(0), e.ret(), e.jump(0); });
        const std::size_t aligned = (before + jit::loop_alignment - 1) / jit::loop_alignment * jit::loop_alignment;
        CHECK(laid.size == aligned + 3);
        CHECK(laid.hex().ends_with("c3ebfd"));
    }
}

TEST_CASE("pieces are copied whole up to the last byte of the pages") {
    for (unsigned between = 0; between < 40; ++between) {
        const auto emit = [&](Emitter& e) { e.mark(0), returns(e, between), e.jump(0), returns(e, between), e.call(0); };
        const Laid exact{emit, 0}, roomy{emit};
        CHECK(exact.reached);
        CHECK(exact.hex() == roomy.hex());
        for (std::size_t i = exact.size; i < exact.out.size(); ++i) REQUIRE(exact.out[i] == std::byte{0});
    }
}
