#include <doctest/doctest.h>

#include <string>

#include "guest/control/trust/mac.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const auto golden = read_golden("control_mac.txt");

MacKeys golden_keys() {
    const Octets seed = from_hex(golden.at("keys").at("seed"));
    return derive_mac_keys(std::span<const std::uint8_t, 32>{seed.data(), 32});
}

const MacKeys keys = golden_keys();

struct Vector {
    explicit Vector(const std::string& name)
        : section{golden.at(name)}, guest{golden.at("keys").at("guest")}, path{section.at("path")}, request{from_hex(section.at("request"))},
          context{&keys, guest, static_cast<std::uint8_t>(std::stoul(section.at("method"))), path} {}
    Section section;
    std::string guest, path;
    Octets request;
    MacContext context;
};

std::string rule_of(Bytes message, const MacContext& context) {
    const auto opened = open_request(message, context);
    return opened ? "" : opened.error().rule;
}

}  // namespace

TEST_CASE("keys and nonce come from the seed as the golden vector says") {
    CHECK(octets(Bytes{keys.nonce}) == from_hex(golden.at("keys").at("nonce")));
    CHECK(octets(Bytes{keys.to_guest}) == from_hex(golden.at("keys").at("to_guest")));
    CHECK(octets(Bytes{keys.from_guest}) == from_hex(golden.at("keys").at("from_guest")));
}

TEST_CASE("every golden request opens and its answer is made byte for byte") {
    int seen = 0;
    for (const auto& [name, section] : golden) {
        if (!section.contains("request")) continue;
        ++seen;
        CAPTURE(name);
        const Vector vector{name};
        const auto opened = open_request(vector.request, vector.context);
        REQUIRE(opened);
        CHECK(octets(opened.value().body) == from_hex(section.at("body")));
        CHECK(octets(Bytes{opened.value().tag}) == from_hex(section.at("request_tag")));
        CHECK(opened.value().counter == std::stoull(section.at("counter")));

        Octets prefix(max_answer_prefix);
        const Octets body = from_hex(section.at("answer_body"));
        const auto length = seal_answer(vector.context, opened.value(), static_cast<std::uint8_t>(std::stoul(section.at("answer_code"))), body, prefix);
        REQUIRE(length);
        prefix.resize(length.value());
        prefix.insert(prefix.end(), body.begin(), body.end());
        CHECK(prefix == from_hex(section.at("answer")));
    }
    CHECK(seen >= 3);
}

TEST_CASE("a request changed in any single bit is refused") {
    const Vector vector{"activate"};
    for (std::size_t at = 0; at < vector.request.size() * 8; ++at) {
        Octets changed = vector.request;
        changed[at / 8] ^= static_cast<std::uint8_t>(1u << at % 8);
        CAPTURE(at);
        REQUIRE(rule_of(changed, vector.context) != "");
    }
}

TEST_CASE("a request moved to another method, path, guest or boot is refused by mac") {
    const Vector vector{"activate"};
    MacContext context = vector.context;
    SUBCASE("method") { context.method = 3; }
    SUBCASE("path") { context.path = "/elements/fw/rollback"; }
    SUBCASE("guest") { context.guest = "fw2"; }
    MacKeys other = keys;
    SUBCASE("boot") {
        other.nonce[0] ^= 1;
        context.keys = &other;
    }
    SUBCASE("key") {
        other.to_guest[0] ^= 1;
        context.keys = &other;
    }
    CHECK(rule_of(vector.request, context) == "mac");
}

TEST_CASE("an answer reflected as a request is refused") {
    const Vector vector{"activate"};
    CHECK(rule_of(from_hex(vector.section.at("answer")), vector.context) == "mac");
}

TEST_CASE("an authenticated request is told from a signed bundle by its first bytes") {
    const Signer signer;
    CHECK(is_authenticated(Vector{"stage"}.request));
    CHECK_FALSE(is_authenticated(signer.message({}, octets("bundle"))));
    CHECK_FALSE(is_authenticated({}));
    CHECK_FALSE(is_authenticated(octets("garbage")));
}

TEST_CASE("a counter passes once, and only above the highest one") {
    CounterGate gate;
    CHECK(gate.pass(10, 0));
    CHECK_FALSE(gate.pass(10, 0));
    CHECK_FALSE(gate.pass(9, 0));
    CHECK(gate.pass(9, 0).error().value == 10);
    CHECK(gate.pass(11, 0));
    CHECK(gate.highest() == 11);
}

TEST_CASE("no counter uses up all those above it") {
    constexpr std::uint64_t now = 1'700'000'000'000'000, step = CounterGate::longest_step;
    CounterGate gate;
    CHECK(gate.pass(UINT64_MAX, now).error().rule == "counter");
    CHECK_FALSE(gate.pass(now + step + 1, now));
    CHECK(gate.highest() == 0);
    CHECK(gate.pass(now + step, now));
    CHECK(gate.pass(now + step + 1, now));  // whoever goes on from the highest
    CHECK(gate.pass(now + 2 * step + 1, now));
    CHECK_FALSE(gate.pass(UINT64_MAX, now));
}

TEST_CASE("who began a request is known from its beginning, whatever the body will be") {
    const Vector vector{"activate"};
    const std::uint64_t counter = std::stoull(vector.section.at("counter"));
    const std::size_t body = from_hex(vector.section.at("body")).size();
    const Octets beginning{vector.request.begin(), vector.request.end() - static_cast<std::ptrdiff_t>(body)};
    CHECK(vouched_counter(vector.request, vector.context) == counter);
    CHECK(vouched_counter(beginning, vector.context) == counter);

    Octets changed = beginning;
    changed[changed.size() / 2] ^= 1;
    CHECK(vouched_counter(changed, vector.context) == 0);
    CHECK(vouched_counter(Bytes{beginning}.first(beginning.size() / 2), vector.context) == 0);
    CHECK(vouched_counter({}, vector.context) == 0);
    MacContext elsewhere = vector.context;
    elsewhere.path = "/elements/fw/rollback";
    CHECK(vouched_counter(vector.request, elsewhere) == 0);
}
