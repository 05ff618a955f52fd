#include <doctest/doctest.h>

#include <string>

#include "guest/control/coap/server.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

constexpr std::uint8_t key_mark = 0xee;  // a body that begins with it, and a number, was begun by somebody with a key

// Resources that echo: PUT /echo gives back the body's length as text, FETCH /big gives `big` bytes.
class Echo final : public coap::Resources {
  public:
    coap::Response respond(const coap::Request& request, std::span<std::uint8_t> buffer) override {
        ++calls;
        last_body = octets(request.body);
        if (request.options->path.view() == "/big") {
            for (std::size_t i = 0; i < big; ++i) buffer[i] = static_cast<std::uint8_t>(i / 1024 + 1);
            const bool sealed = !request.body.empty() && request.body[0] == key_mark;
            return {coap::content, coap::format_cbor, Bytes{buffer}.first(big), sealed};
        }
        const std::string text = std::to_string(request.body.size());
        std::copy(text.begin(), text.end(), buffer.begin());
        return {coap::changed, coap::format_cbor, Bytes{buffer}.first(text.size())};
    }
    coap::Response refuse(const Error& error, std::span<std::uint8_t> buffer) override {
        last_rule = error.rule;
        const std::string_view rule = error.rule;
        const coap::Code code = rule == "option"       ? coap::bad_option
                                : rule == "size"       ? coap::too_large
                                : rule == "incomplete" ? coap::incomplete
                                : rule == "busy"       ? coap::unavailable
                                : rule == "proxy"      ? coap::no_proxy
                                                       : coap::bad_request;
        return {code, coap::format_problem, Bytes{buffer}.first(0)};
    }
    std::size_t body_limit(coap::Code, const coap::RequestOptions&) const override { return limit; }
    std::uint64_t voucher(coap::Code, const coap::RequestOptions&, Bytes first) const override {
        return first.size() > 1 && first[0] == key_mark ? first[1] : 0;
    }

    int calls = 0;
    std::size_t big = 3000, limit = 10'000;
    std::string last_rule;
    Octets last_body;
};

struct Ask {
    coap::Type type = coap::Type::con;
    coap::Code code = coap::put;
    std::uint16_t id = 1;
    std::string path = "echo";
    std::optional<coap::Block> block2 = {}, block1 = {};
    std::optional<std::uint32_t> size1 = {};
    Octets request_tag = {};
    Octets payload = {};
};

Octets datagram(const Ask& ask) {
    Octets out(2048);
    coap::Token token;
    token.length = 1;
    token.bytes[0] = 0x5a;
    coap::MessageWriter writer{out, coap::Header{ask.type, ask.code, ask.id, 0}, token};
    writer.option(coap::option::uri_path, octets(ask.path));
    if (ask.block2) writer.option_uint(coap::option::block2, ask.block2->encode());
    if (ask.block1) writer.option_uint(coap::option::block1, ask.block1->encode());
    if (ask.size1) writer.option_uint(coap::option::size1, *ask.size1);
    if (!ask.request_tag.empty()) writer.option(coap::option::request_tag, ask.request_tag);
    writer.payload(ask.payload);
    out.resize(writer.finish().value());
    return out;
}

struct Answer {
    bool any = false;
    coap::Type type = coap::Type::con;
    coap::Code code = 0;
    std::uint16_t id = 0;
    Octets payload;
    std::optional<coap::Block> block1, block2;
    std::optional<std::uint32_t> size1;
    Octets etag;
};

struct World {
    Echo echo;
    Octets buffer = Octets(64 * 1024);
    coap::Server server{echo, buffer, 64 * 1024};
    coap::Endpoint peer{0x0a000001, 40000};
    std::uint64_t now = second;
    std::uint16_t next_id = 100;

    Octets raw(const Octets& bytes) {
        Octets out(coap::max_datagram);
        out.resize(server.handle(peer, bytes, now, out));
        return out;
    }
    Answer ask(const Octets& bytes) {
        const Octets out = raw(bytes);
        Answer answer;
        if (out.empty()) return answer;
        const auto message = coap::parse(out);
        REQUIRE(message);
        answer.any = true;
        answer.type = message.value().type;
        answer.code = message.value().code;
        answer.id = message.value().id;
        answer.payload = octets(message.value().payload);
        for (const coap::Option& option : message.value().options) {
            if (option.number == coap::option::block1) answer.block1 = coap::read_block(option.value).value();
            if (option.number == coap::option::block2) answer.block2 = coap::read_block(option.value).value();
            if (option.number == coap::option::size1) answer.size1 = coap::read_uint(option.value);
            if (option.number == coap::option::etag) answer.etag = octets(option.value);
        }
        return answer;
    }
    Answer ask(Ask ask_) {
        ask_.id = next_id++;
        return ask(datagram(ask_));
    }
    Answer block(std::uint32_t number, bool more, std::size_t size, Octets tag = {}, std::uint8_t exponent = 6) {
        return ask(Ask{.block1 = coap::Block{number, more, exponent}, .request_tag = std::move(tag), .payload = Octets(size, static_cast<std::uint8_t>(number))});
    }
};

}  // namespace

TEST_CASE("a confirmable request gets a piggy-backed answer with its id and token") {
    World world;
    const Octets out = world.raw(datagram({.id = 0x1234, .payload = octets("hello")}));
    const auto message = coap::parse(out);
    REQUIRE(message);
    CHECK(message.value().type == coap::Type::ack);
    CHECK(message.value().id == 0x1234);
    CHECK(message.value().token.bytes[0] == 0x5a);
    CHECK(octets(message.value().payload) == octets("5"));
}

TEST_CASE("a non-confirmable request gets a non-confirmable answer") {
    World world;
    CHECK(world.ask(Ask{.type = coap::Type::non}).type == coap::Type::non);
}

TEST_CASE("a duplicate gets the stored answer and is not executed again") {
    World world;
    const Octets request = datagram({.id = 9, .payload = octets("x")});
    const Octets first = world.raw(request);
    CHECK(world.raw(request) == first);
    CHECK(world.echo.calls == 1);
    CHECK(world.server.counters().duplicates == 1);
    SUBCASE("but another client's message of the same id is") {
        world.peer.port = 40001;
        world.raw(request);
        CHECK(world.echo.calls == 2);
    }
    SUBCASE("and after EXCHANGE_LIFETIME the id is free again") {
        world.now += coap::exchange_lifetime_ns;
        world.raw(request);
        CHECK(world.echo.calls == 2);
    }
}

TEST_CASE("garbage is answered by a reset or not at all, and reaches no resource") {
    World world;
    CHECK(world.raw(from_hex("40010001ff")) == from_hex("70000001"));  // malformed CON
    CHECK(world.raw(from_hex("50010001ff")).empty());                  // malformed NON
    CHECK(world.raw(from_hex("4000beef")) == from_hex("7000beef"));    // CoAP ping (RFC 7252 4.3)
    CHECK(world.raw(from_hex("60450001")).empty());                    // an answer nobody asked for
    CHECK(world.raw(from_hex("70000001")).empty());
    CHECK(world.raw(from_hex("40450002")) == from_hex("70000002"));    // a response code in a CON
    CHECK(world.raw({}).empty());
    CHECK(world.raw(Octets(1500, 0xff)).empty());
    CHECK(world.echo.calls == 0);
}

TEST_CASE("a request through a proxy is refused with 5.05") {
    World world;
    Octets out(64);
    coap::MessageWriter writer{out, coap::Header{coap::Type::con, coap::get, 3, 0}, {}};
    writer.option(coap::option::proxy_uri, octets("coap://other/"));
    out.resize(writer.finish().value());
    CHECK(world.ask(out).code == coap::no_proxy);
}

TEST_CASE("a body comes together from its blocks") {
    World world;
    CHECK(world.block(0, true, 1024).code == coap::continue_);
    const Answer second_answer = world.block(1, true, 1024);
    CHECK(second_answer.code == coap::continue_);
    CHECK(second_answer.block1->number == 1);
    const Answer last = world.block(2, false, 100);
    CHECK(last.code == coap::changed);
    CHECK(last.block1->number == 2);
    CHECK(last.payload == octets("2148"));
    CHECK(world.echo.last_body[1024] == 1);
    CHECK(world.echo.last_body[2147] == 2);
    CHECK(world.echo.calls == 1);
}

TEST_CASE("a block out of order is 4.08 and forgets the transfer") {
    World world;
    world.block(0, true, 1024);
    SUBCASE("a gap") { CHECK(world.block(2, false, 10).code == coap::incomplete); }
    SUBCASE("a repetition under a new id") {
        world.block(1, true, 1024);
        CHECK(world.block(1, true, 1024).code == coap::incomplete);
    }
    SUBCASE("a smaller exponent whose offset does not fit") { CHECK(world.block(1, false, 10, {}, 5).code == coap::incomplete); }
    CHECK(world.block(1, false, 10).code == coap::incomplete);
    CHECK(world.echo.calls == 0);
}

TEST_CASE("a body with a tag goes on after a gap, and blocks that come again change nothing") {
    World world;
    const Octets tag{1, 2};
    world.block(0, true, 1024, tag);
    CHECK(world.block(2, true, 1024, tag).code == coap::incomplete);
    CHECK(world.block(0, true, 1024, tag).code == coap::continue_);
    CHECK(world.block(1, true, 1024, tag).code == coap::continue_);
    CHECK(world.block(1, true, 1024, tag).code == coap::continue_);
    CHECK(world.block(2, true, 1024, tag).code == coap::continue_);
    CHECK(world.block(0, true, 1024, tag).code == coap::continue_);
    CHECK(world.block(3, false, 10, tag).payload == octets("3082"));
    CHECK(world.echo.calls == 1);
}

TEST_CASE("a smaller exponent goes on where the larger ended") {
    World world;
    world.block(0, true, 1024);
    CHECK(world.block(2, false, 10, {}, 5).payload == octets("1034"));
}

TEST_CASE("a block without its beginning is 4.08") {
    World world;
    CHECK(world.block(1, true, 1024).code == coap::incomplete);
}

TEST_CASE("a block of another length than its exponent says is 4.00") {
    World world;
    CHECK(world.block(0, true, 1000).code == coap::bad_request);
    CHECK(world.block(0, false, 100, {}, 2).code == coap::bad_request);
}

TEST_CASE("a first block starts the transfer anew") {
    World world;
    world.block(0, true, 1024);
    world.block(0, true, 1024);
    CHECK(world.block(1, false, 6).payload == octets("1030"));
}

TEST_CASE("a Request-Tag keeps two transfers of one client apart") {
    World world;
    world.block(0, true, 1024, Octets{1});
    world.block(0, true, 1024, Octets{2});
    world.block(1, true, 1024, Octets{2});
    CHECK(world.block(1, false, 1, Octets{1}).payload == octets("1025"));
    CHECK(world.block(2, false, 2, Octets{2}).payload == octets("2050"));
}

TEST_CASE("a body above the limit is 4.13 with the limit as Size1") {
    World world;
    world.echo.limit = 1500;
    SUBCASE("announced") {
        const Answer answer = world.ask(Ask{.block1 = coap::Block{0, true, 6}, .size1 = 1501, .payload = Octets(1024)});
        CHECK(answer.code == coap::too_large);
        CHECK(answer.size1 == 1500);
    }
    SUBCASE("grown into") {
        CHECK(world.block(0, true, 1024).code == coap::continue_);
        CHECK(world.block(1, true, 1024).code == coap::too_large);
        CHECK(world.block(2, false, 1).code == coap::incomplete);
    }
    CHECK(world.echo.calls == 0);
}

TEST_CASE("a fifth transfer waits until one of four has been idle for ten seconds") {
    World world;
    for (std::uint8_t tag = 1; tag <= 4; ++tag) CHECK(world.block(0, true, 1024, Octets{tag}).code == coap::continue_);
    CHECK(world.block(0, true, 1024, Octets{5}).code == coap::unavailable);
    world.now += 11 * second;
    CHECK(world.block(0, true, 1024, Octets{5}).code == coap::continue_);
    CHECK(world.block(1, false, 1, Octets{1}).code == coap::incomplete);  // the idlest had to go
}

TEST_CASE("all transfers together stay within the memory given to them") {
    World world;
    world.echo.limit = 1 << 20;
    const Answer answer = world.ask(Ask{.block1 = coap::Block{0, true, 6}, .size1 = 65 * 1024, .payload = Octets(1024)});
    CHECK(answer.code == coap::unavailable);
}

namespace {

// The first block of a body that somebody with a key, or a stranger, begins from `address`.
coap::Code begin(World& world, std::uint32_t address, std::uint8_t voucher, std::optional<std::uint32_t> size1 = {}) {
    world.peer.address = address;
    Octets payload(1024);
    if (voucher != 0) payload[0] = key_mark, payload[1] = voucher;
    return world.ask(Ask{.block1 = coap::Block{0, true, 6}, .size1 = size1, .payload = payload}).code;
}

}  // namespace

TEST_CASE("strangers who hold every slot, from any number of addresses, do not keep out who has a key") {
    World world;
    std::uint32_t stranger = 100;
    const auto flood = [&] {
        for (int i = 0; i < 40; ++i) (void)begin(world, stranger++, 0);
        world.peer.address = 1;
    };
    flood();
    CHECK(begin(world, 1, 7) == coap::continue_);
    for (std::uint32_t number = 1; number < 8; ++number) {
        flood();
        CHECK(world.block(number, true, 1024).code == coap::continue_);
    }
    flood();
    CHECK(world.block(8, false, 1).payload == octets("8193"));
}

TEST_CASE("a first block that was seen and is sent again by others gets no slot by it") {
    World world;
    CHECK(begin(world, 1, 7) == coap::continue_);
    for (std::uint32_t address = 2; address <= 4; ++address) CHECK(begin(world, address, 0) == coap::continue_);
    CHECK(begin(world, 5, 7) == coap::unavailable);
    CHECK(begin(world, 6, 8) == coap::continue_);
    world.peer.address = 1;
    CHECK(world.block(1, false, 1).payload == octets("1025"));
}

TEST_CASE("the memory that strangers hold goes to who has a key") {
    World world;
    world.echo.limit = 1 << 20;
    for (std::uint32_t address = 2; address <= 4; ++address) CHECK(begin(world, address, 0, 20 * 1024) == coap::continue_);
    CHECK(begin(world, 5, 0, 20 * 1024) == coap::unavailable);
    CHECK(begin(world, 1, 7, 40 * 1024) == coap::continue_);
    CHECK(begin(world, 6, 8, 40 * 1024) == coap::unavailable);  // two with keys do not rob each other
}

TEST_CASE("strangers share: an address gives up slots until it holds no more than one above another's") {
    World world;
    for (std::uint8_t tag = 1; tag <= 4; ++tag) CHECK(world.block(0, true, 1024, Octets{tag}).code == coap::continue_);
    world.peer.address = 9;
    CHECK(world.block(0, true, 1024, Octets{1}).code == coap::continue_);
    CHECK(world.block(0, true, 1024, Octets{2}).code == coap::continue_);
    CHECK(world.block(0, true, 1024, Octets{3}).code == coap::unavailable);
}

TEST_CASE("an answer that somebody with a key is fetching is not pushed out by answers to strangers") {
    World world;
    CHECK(world.ask(Ask{.code = coap::fetch, .path = "big", .payload = {key_mark, 1}}).code == coap::content);
    const coap::Endpoint keyed = world.peer;
    for (std::uint16_t port = 1; port <= 9; ++port) {
        world.peer.port = port;
        (void)world.ask(Ask{.code = coap::fetch, .path = "big"});
    }
    world.peer = keyed;
    CHECK(world.ask(Ask{.code = coap::fetch, .path = "big", .block2 = coap::Block{1, false, 6}}).payload == Octets(1024, 2));
}

TEST_CASE("a long answer is given out block by block") {
    World world;
    const auto get = [&](std::uint32_t number, std::uint8_t exponent = 6) {
        return world.ask(Ask{.code = coap::fetch, .path = "big", .block2 = coap::Block{number, false, exponent}});
    };
    const Answer first = world.ask(Ask{.code = coap::fetch, .path = "big"});
    CHECK(first.code == coap::content);
    CHECK(first.payload.size() == 1024);
    CHECK(first.block2->more);
    const Answer second_block = get(1);
    CHECK(second_block.payload == Octets(1024, 2));
    CHECK(second_block.etag == first.etag);
    const Answer last = get(2);
    CHECK(last.payload == Octets(3000 - 2048, 3));
    CHECK_FALSE(last.block2->more);
    CHECK(world.echo.calls == 1);
    CHECK(get(3).code == coap::bad_request);
    CHECK(get(5, 5).payload == Octets(3000 - 2560, 3));  // the client may ask for smaller blocks
    SUBCASE("to that client only") {
        world.peer.port = 1;
        CHECK(get(1).code == coap::incomplete);
    }
    SUBCASE("and a new answer has another ETag") {
        CHECK(world.ask(Ask{.code = coap::fetch, .path = "big"}).etag != first.etag);
    }
}

TEST_CASE("an answer of exactly one block is not split") {
    World world;
    world.echo.big = 1024;
    const Answer answer = world.ask(Ask{.code = coap::fetch, .path = "big"});
    CHECK(answer.payload.size() == 1024);
    CHECK_FALSE(answer.block2.has_value());
}
