#include <doctest/doctest.h>

#include <string>

#include "guest/control/coap/message.hpp"
#include "guest/control/coap/options.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

bool parses(const std::string& hex) {
    const Octets bytes = from_hex(hex);
    return coap::parse(bytes).ok();
}

std::string option_fault(const std::string& hex) {
    const Octets bytes = from_hex(hex);
    const auto message = coap::parse(bytes);
    REQUIRE(message);
    const auto options = coap::read_options(message.value());
    return options ? "" : options.error().rule;
}

}  // namespace

TEST_CASE("RFC 7252 figure 16: a confirmable GET with a path is read") {
    const Octets bytes = from_hex("40017d34bb74656d7065726174757265");
    const auto message = coap::parse(bytes);
    REQUIRE(message);
    CHECK(message.value().type == coap::Type::con);
    CHECK(message.value().code == coap::get);
    CHECK(message.value().id == 0x7d34);
    CHECK(message.value().options[0].number == coap::option::uri_path);
    const auto options = coap::read_options(message.value());
    REQUIRE(options);
    CHECK(options.value().path.view() == "/temperature");
}

TEST_CASE("RFC 7252 figure 17: a token and a payload are read") {
    const Octets bytes = from_hex("61457d3520ff32322e332043");
    const auto message = coap::parse(bytes);
    REQUIRE(message);
    CHECK(message.value().type == coap::Type::ack);
    CHECK(message.value().token.length == 1);
    CHECK(message.value().token.bytes[0] == 0x20);
    CHECK(octets(message.value().payload) == octets("22.3 C"));
}

TEST_CASE("what the writer writes, the parser reads") {
    Octets out(64);
    coap::Token token;
    token.length = 2;
    token.bytes = {0xbe, 0xef};
    coap::MessageWriter writer{out, coap::Header{coap::Type::ack, coap::content, 77, 0}, token};
    writer.option_uint(coap::option::content_format, 60);
    writer.option_uint(coap::option::block1, 0);
    writer.option(292, Octets(20, 7));
    writer.option(65000, Octets(3, 9));
    writer.payload(octets("x"));
    const auto length = writer.finish();
    REQUIRE(length);
    const auto message = coap::parse(Bytes{out}.first(length.value()));
    REQUIRE(message);
    CHECK(message.value().options.size() == 4);
    CHECK(coap::read_uint(message.value().options[0].value) == 60);
    CHECK(message.value().options[1].value.empty());
    CHECK(message.value().options[2].number == 292);
    CHECK(message.value().options[2].value.size() == 20);
    CHECK(message.value().options[3].number == 65000);
    CHECK(octets(message.value().payload) == octets("x"));
}

TEST_CASE("an option of each length form is written and read") {
    for (const std::size_t length : {0u, 12u, 13u, 14u, 268u, 269u, 270u, 700u}) {
        Octets out(1024);
        coap::MessageWriter writer{out, coap::Header{coap::Type::con, coap::get, 1, 0}, {}};
        writer.option(2000, Octets(length, 0xaa));
        const auto written = writer.finish();
        REQUIRE(written);
        const auto message = coap::parse(Bytes{out}.first(written.value()));
        REQUIRE(message);
        CHECK(message.value().options[0].number == 2000);
        CHECK(message.value().options[0].value.size() == length);
    }
}

TEST_CASE("a writer never writes past its room") {
    Octets out(12, 0xee);
    coap::MessageWriter writer{std::span{out}.first(10), coap::Header{}, {}};
    writer.payload(Octets(7));
    CHECK_FALSE(writer.finish());
    CHECK(out[10] == 0xee);
}

TEST_CASE("messages outside the grammar are format errors") {
    CHECK_FALSE(parses("400100"));            // shorter than the header
    CHECK_FALSE(parses("80010001"));          // version 2
    CHECK_FALSE(parses("49010001"));          // token length 9
    CHECK_FALSE(parses("44010001aabb"));      // token past the end
    CHECK_FALSE(parses("40010001ff"));        // marker without payload
    CHECK_FALSE(parses("40010001f0"));        // delta nibble 15
    CHECK_FALSE(parses("400100010f"));        // length nibble 15
    CHECK_FALSE(parses("40010001b5616263"));  // option past the end
    CHECK_FALSE(parses("40010001d0"));        // delta extension missing
    CHECK_FALSE(parses("40010001e0ff"));      // half of a two-byte extension
    CHECK_FALSE(parses("40010001e0ffff"));    // number 65804
    CHECK_FALSE(parses("4000000100"));        // empty message with a byte after it
    CHECK_FALSE(parses("41000001aa"));        // empty message with a token
    CHECK_FALSE(parses("40010001" + std::string(2 * 25, '0')));  // 25 options
    CHECK(parses("40000001"));
}

TEST_CASE("an unknown critical option is refused and an elective one ignored") {
    CHECK(option_fault("400100019100") == "option");  // number 9, critical
    CHECK(option_fault("4001000120") == "");          // number 2, elective
    CHECK(option_fault("40010001d00200") != "");      // number 15, Uri-Query: this server has no queries
}

TEST_CASE("an option twice, or of a wrong length, counts as unknown") {
    CHECK(option_fault("40010001d104060106") == "option");  // Accept twice
    CHECK(option_fault("40010001d304000000") == "option");  // Accept of three bytes
    CHECK(option_fault("40010001c3000000") == "");          // Content-Format is elective
}

TEST_CASE("paths that no resource can have are refused by path") {
    CHECK(option_fault("40010001b0") == "path");            // an empty segment
    CHECK(option_fault("40010001b3612f62") == "path");      // a/b in one segment
    CHECK(option_fault("40010001b161016101610161016101610161") == "path");  // seven segments
}

TEST_CASE("block options are read as RFC 7959 has them") {
    const auto block = coap::read_block(Octets{0x12, 0x3e});
    REQUIRE(block);
    CHECK(block.value().number == 0x123);
    CHECK(block.value().more);
    CHECK(block.value().size() == 1024);
    CHECK(block.value().offset() == 0x123 * 1024);
    CHECK(block.value().encode() == 0x123e);
    CHECK_FALSE(coap::read_block(Octets{0x07}));
}
