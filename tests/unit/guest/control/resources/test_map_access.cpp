// Reading and changing maps: what is refused as a whole, where a request stops, what the answers say.
#include <doctest/doctest.h>

#include <string>

#include "guest/bpf/slot.hpp"
#include "guest/control/resources/map_access.hpp"
#include "guest/control/rules.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const Octets key_1 = {1, 0, 0, 0}, key_2 = {2, 0, 0, 0}, key_9 = {9, 0, 0, 0};
const Octets value_a(8, 0xaa), value_b(8, 0xbb);

struct Set {
    Octets key;
    std::optional<Octets> value;
};

Octets changes(const std::vector<Set>& rows, std::optional<std::uint64_t> flags = {}, std::optional<Octets> release = {}) {
    return encode([&](cbor::Writer& out) {
        out.map(1 + flags.has_value() + release.has_value());
        out.uint(0), out.array(rows.size());
        for (const Set& row : rows) {
            out.array(row.value ? 2 : 1), out.bytes(row.key);
            if (row.value) out.bytes(*row.value);
        }
        if (flags) out.uint(1), out.uint(*flags);
        if (release) out.uint(2), out.bytes(*release);
    });
}

struct Outcome {
    std::string rule;  // empty: it was answered
    std::uint64_t applied = 0, entries = 0, error = 0;
};

struct World {
    ProgramSlot slot{{.element = "fw", .program = "firewall", .kind = abi::Kind::rewriter}};
    Octets room = Octets(100'000);

    World() {
        BundleSpec spec;
        spec.maps = {{.name = "hash", .type = 1, .entries = 3}, {.name = "array", .type = 2, .entries = 2}, {.name = ".rodata", .type = 2, .entries = 1, .flags = abi::map_flag_rdonly_prog}};
        StageReport report;
        ReleaseMeta meta{.sequence = 5};
        meta.digest.fill(5);
        REQUIRE(slot.stage(encode(spec), {}, meta, report).ok());
        REQUIRE(slot.activate().ok());
    }

    Outcome change(std::string_view name, const Octets& body) {
        cbor::Writer writer{room};
        Steps steps;
        auto map = map_of(slot, name);
        if (!map) return {map.error().rule};
        if (const Status status = change_map(writer, slot, *map.value(), body, steps); !status) return {status.error().rule};
        cbor::Reader reader{writer.written()};
        auto fields = cbor::MapReader::open(reader).value();
        Outcome outcome;
        while (const auto key = fields.next().value()) {
            switch (*key) {
                case 1: outcome.applied = reader.uint().value(); break;
                case 2: outcome.entries = reader.uint().value(); break;
                case 4: outcome.error = reader.uint().value(); break;
                default: (void)reader.raw_item().value();
            }
        }
        CHECK(reader.end().ok());
        return outcome;
    }
    std::optional<Octets> held(std::string_view name, const Octets& key) {
        const std::uint8_t* value = map_of(slot, name).value()->lookup(key.data());
        return value == nullptr ? std::nullopt : std::optional{Octets(value, value + 8)};
    }
    std::string query(std::string_view name, const Octets& body) {
        cbor::Writer writer{room};
        auto query = read_map_query(body);
        if (!query) return query.error().rule;
        const Status status = write_map_dump(writer, *map_of(slot, name).value(), query.value());
        return status.ok() ? "" : status.error().rule;
    }
};

Octets by_key(const Octets& key) {
    return encode([&](cbor::Writer& out) { out.map(1), out.uint(2), out.bytes(key); });
}

}  // namespace

TEST_CASE("entries are set, replaced and deleted in the order of the request") {
    World world;
    const Outcome outcome = world.change("hash", changes({{key_1, value_a}, {key_2, value_a}, {key_1, value_b}, {key_2, {}}}));
    CHECK(outcome.rule == "");
    CHECK(outcome.applied == 4);
    CHECK(outcome.entries == 1);
    CHECK(world.held("hash", key_1) == value_b);
    CHECK(world.held("hash", key_2) == std::nullopt);
    CHECK(world.change("array", changes({{key_1, value_b}})).applied == 1);
    CHECK(world.held("array", key_1) == value_b);
    CHECK(world.change("hash", changes({})).applied == 0);
}

TEST_CASE("the map's error ends the request, with its number and the count of what was done") {
    World world;
    CHECK(world.change("hash", changes({{key_1, value_a}, {key_9, {}}, {key_2, value_a}})).error == abi::enoent);
    CHECK(world.held("hash", key_1) == value_a);
    CHECK(world.held("hash", key_2) == std::nullopt);
    const Outcome again = world.change("hash", changes({{key_2, value_a}, {key_1, value_b}}, abi::update_noexist));
    CHECK(again.applied == 1);
    CHECK(again.error == abi::eexist);
    CHECK(world.held("hash", key_1) == value_a);
    CHECK(world.change("hash", changes({{key_9, value_a}}, abi::update_exist)).error == abi::enoent);
    CHECK(world.change("array", changes({{key_9, value_a}})).error == abi::e2big);
    CHECK(world.change("array", changes({{key_1, {}}})).error == abi::einval);
}

TEST_CASE("what is wrong by itself changes nothing, wherever in the request it stands") {
    World world;
    const Octets longer(9, 1), shorter(7, 1);
    CHECK(world.change("hash", changes({{key_1, value_a}, {key_2, longer}})).rule == "map-entry");
    CHECK(world.change("hash", changes({{key_1, value_a}, {key_2, shorter}})).rule == "map-entry");
    CHECK(world.change("hash", changes({{key_1, value_a}, {value_a, value_a}})).rule == "map-entry");
    CHECK(world.change("hash", changes({{key_1, value_a}, {{}, {}}})).rule == "map-entry");
    CHECK(world.change("hash", changes({{key_1, value_a}}, 3)).rule == "shape");
    CHECK(world.change("hash", changes({{key_1, value_a}}, 0, Octets(32, 6))).rule == "release");
    CHECK(world.change("hash", changes({{key_1, value_a}}, 0, Octets(31, 5))).rule == "release");
    CHECK(world.change("hash", changes(std::vector<Set>(max_map_changes + 1, Set{key_1, value_a}))).rule == "limits");
    CHECK(world.change("hash", {0xa0}).rule == "shape");
    CHECK(world.change("hash", {0xa1, 0x00, 0x81, 0x80}).rule == "shape");
    CHECK(world.change(".rodata", changes({{key_1, value_a}})).rule == "map-readonly");
    CHECK(world.change("other", changes({{key_1, value_a}})).rule == "map");
    CHECK(map_of(world.slot, "hash").value()->entries() == 0);
    CHECK(world.change("hash", changes({{key_1, value_a}}, 0, Octets(32, 5))).rule == "");
    CHECK(world.change("hash", changes(std::vector<Set>(max_map_changes, Set{key_1, value_a}))).applied == max_map_changes);
}

TEST_CASE("every prefix of a request is refused and changes nothing") {
    World world;
    const Octets whole = changes({{key_1, value_a}, {key_2, {}}}, 1, Octets(32, 5));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        CHECK(world.change("hash", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}).rule == "shape");
    }
    CHECK(map_of(world.slot, "hash").value()->entries() == 0);
}

TEST_CASE("the largest change fits under the limit of a body") {
    const Octets body = changes({{Octets(abi::max_key_bytes, 1), Octets(abi::max_value_bytes, 2)}}, 2, Octets(32, 5));
    CHECK(body.size() + 1024 <= map_changes_body);
}

TEST_CASE("a key of another length is no query, an absent one is answered") {
    World world;
    CHECK(world.query("hash", by_key(key_1)) == "");
    CHECK(world.query("array", by_key(key_9)) == "");
    CHECK(world.query("hash", by_key({})) == "map-entry");
    CHECK(world.query("hash", by_key(value_a)) == "map-entry");
    CHECK(world.query("hash", {0xa0}) == "");
    CHECK(world.query("hash", {0xa1, 0x00, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0}) == "shape");
    CHECK(world.query("hash", {0xa1, 0x03, 0x00}) == "shape");
}

TEST_CASE("a slot without a program has no maps") {
    ProgramSlot slot{{.element = "fw", .program = "firewall"}};
    CHECK(std::string{map_of(slot, "hash").error().rule} == "map");
    CHECK(rule_table[rule_index("map")].rule == "path");
}
