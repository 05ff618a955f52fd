#include <doctest/doctest.h>

#include "guest/core/format.hpp"

TEST_CASE("numbers come out as people write them") {
    unibpf::TextBuffer<64> text;
    text.number(0).text(" ").number(18446744073709551615ull).text(" ").hex(0).text(" ").hex(0xbeef).text(" ").hex(0x1f, 8);
    CHECK(text.view() == "0 18446744073709551615 0 beef 0000001f");
    CHECK_FALSE(text.cut());
}

TEST_CASE("what does not fit is cut and said to be") {
    unibpf::TextBuffer<4> text;
    text.text("abcdef");
    CHECK(text.view() == "abcd");
    CHECK(text.cut());
}
