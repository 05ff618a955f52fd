// RFC 8949 4.2.1: what is deterministic is read and written back alike; everything else is refused, by its own name.
#include <doctest/doctest.h>

#include <array>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "guest/core/cbor.hpp"

using namespace unibpf;
using cbor::Reader;

namespace {

using Input = std::vector<std::uint8_t>;

// The error text of skipping `input` as one item with nothing after it; empty when it is accepted.
std::string_view refusal(const Input& input) {
    Reader in{input};
    const auto item = in.raw_item();
    if (!item.ok()) return item.error().text;
    const auto end = in.end();
    return end.ok() ? "" : end.error().text;
}

Input nested(std::size_t depth) {
    Input input(depth, 0x81);
    input.push_back(0x00);
    return input;
}

}  // namespace

TEST_CASE("numbers at every width of head are written minimally and read back") {
    for (const std::uint64_t value : {0ULL, 23ULL, 24ULL, 255ULL, 256ULL, 65535ULL, 65536ULL, 0xffffffffULL, 0x100000000ULL, ~0ULL}) {
        std::array<std::uint8_t, 16> buffer{};
        cbor::Writer out{buffer};
        out.uint(value);
        const std::size_t expected = value < 24            ? 1
                                     : value < 256         ? 2
                                     : value < 65536       ? 3
                                     : value <= 0xffffffff ? 5
                                                           : 9;
        CHECK(out.size() == expected);
        Reader in{out.written()};
        CHECK(in.uint().value() == value);
        CHECK(in.end().ok());
    }
}

TEST_CASE("the writer's bytes are those of RFC 8949 appendix A") {
    std::array<std::uint8_t, 64> buffer{};
    cbor::Writer out{buffer};
    out.tag(18);
    out.array(4);
    out.nint(-8);
    out.text("a");
    out.bytes(std::array<std::uint8_t, 2>{1, 2});
    out.map(1);
    out.uint(1);
    out.uint(1000);
    const Input expected = {0xd2, 0x84, 0x27, 0x61, 'a', 0x42, 1, 2, 0xa1, 0x01, 0x19, 0x03, 0xe8};
    CHECK(Input(out.written().begin(), out.written().end()) == expected);
    CHECK(refusal(expected) == "");
}

TEST_CASE("a writer that overflows says so and stops") {
    std::array<std::uint8_t, 2> buffer{};
    cbor::Writer out{buffer};
    out.uint(1);
    out.uint(1000);
    CHECK(out.overflow());
    out.uint(2);
    CHECK(out.size() == 1);
}

TEST_CASE("what is not deterministic is refused") {
    const struct {
        const char* defect;
        Input input;
        std::string_view text;
    } cases[] = {
        {"nothing", {}, "CBOR ends where an item is expected"},
        {"one-byte head for a number below 24", {0x18, 0x17}, "CBOR number is not in its shortest form"},
        {"two-byte head for 255", {0x19, 0x00, 0xff}, "CBOR number is not in its shortest form"},
        {"four-byte head for 65535", {0x1a, 0, 0, 0xff, 0xff}, "CBOR number is not in its shortest form"},
        {"eight-byte head for 2^32 - 1", {0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, "CBOR number is not in its shortest form"},
        {"long length of a short string", {0x58, 0x01, 0x00}, "CBOR number is not in its shortest form"},
        {"indefinite array", {0x9f, 0x00, 0xff}, "CBOR length is indefinite or reserved"},
        {"indefinite string", {0x5f, 0x41, 0x00, 0xff}, "CBOR length is indefinite or reserved"},
        {"reserved head", {0x1c}, "CBOR length is indefinite or reserved"},
        {"cut head", {0x19, 0x01}, "CBOR ends inside an item"},
        {"cut string", {0x43, 1, 2}, "CBOR string ends past the input"},
        {"string of 2^64 - 1 bytes", {0x5b, 255, 255, 255, 255, 255, 255, 255, 255}, "CBOR string ends past the input"},
        {"array of 2^64 - 1 items", {0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, "CBOR count exceeds the input"},
        {"map of half a pair", {0xa1, 0x00}, "CBOR count exceeds the input"},
        {"array without its item", {0x81}, "CBOR count exceeds the input"},
        {"tag without its item", {0xd2}, "CBOR ends where an item is expected"},
        {"bytes past the end", {0x00, 0x00}, "CBOR has bytes past its end"},
        {"float", {0xf9, 0x3c, 0x00}, "CBOR floats and simple values are not used"},
        {"true", {0xf5}, "CBOR floats and simple values are not used"},
        {"continuation byte in front", {0x61, 0x80}, "CBOR text is not UTF-8"},
        {"overlong slash", {0x62, 0xc0, 0xaf}, "CBOR text is not UTF-8"},
        {"surrogate", {0x63, 0xed, 0xa0, 0x80}, "CBOR text is not UTF-8"},
        {"above U+10FFFF", {0x64, 0xf4, 0x90, 0x80, 0x80}, "CBOR text is not UTF-8"},
        {"cut character", {0x61, 0xc3}, "CBOR text is not UTF-8"},
        {"nested nine deep", nested(9), "CBOR is nested too deep"},
    };
    for (const auto& c : cases) {
        CAPTURE(c.defect);
        CHECK(refusal(c.input) == c.text);
    }
}

TEST_CASE("nesting up to the cap and all of UTF-8 are accepted") {
    CHECK(refusal(nested(8)) == "");
    CHECK(refusal({0x69, 0xc3, 0xbc, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80}) == "");
}

TEST_CASE("an item of another type is named, and the reader stays where it was") {
    const Input input = {0x41, 0x07};
    Reader in{input, "payload"};
    const auto number = in.uint();
    CHECK(std::string_view{number.error().text} == "CBOR item is not an unsigned integer");
    CHECK(std::string_view{number.error().rule} == "payload");
    CHECK(in.bytes().value()[0] == 7);
}

TEST_CASE("the most negative number fits, the next does not") {
    const Input lowest = {0x3b, 0x7f, 255, 255, 255, 255, 255, 255, 255};
    const Input below = {0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0};
    CHECK(Reader{lowest}.nint().value() == INT64_MIN);
    CHECK_FALSE(Reader{below}.nint().ok());
}

TEST_CASE("map keys rise, are small and complete") {
    const auto walk = [](const Input& input, std::uint32_t required) -> std::string_view {
        Reader in{input};
        auto map = cbor::MapReader::open(in);
        if (!map.ok()) return map.error().text;
        while (true) {
            const auto key = map.value().next();
            if (!key.ok()) return key.error().text;
            if (!key.value()) break;
            if (const auto value = in.uint(); !value.ok()) return value.error().text;
        }
        const auto complete = map.value().require(required);
        return complete.ok() ? "" : complete.error().text;
    };
    CHECK(walk({0xa2, 0, 9, 1, 9}, 0b11) == "");
    CHECK(walk({0xa2, 0, 9, 1, 9}, 0b101) == "CBOR map lacks a key");
    CHECK(walk({0xa2, 1, 9, 0, 9}, 0) == "CBOR map keys are not ascending");
    CHECK(walk({0xa2, 1, 9, 1, 9}, 0) == "CBOR map keys are not ascending");
    CHECK(walk({0xa1, 0x18, 24, 9}, 0) == "CBOR map key is not within 0..23");
    CHECK(walk({0xa1, 0x61, 'a'}, 0) == "CBOR item is not an unsigned integer");
}
