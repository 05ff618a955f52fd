// schemas/golden/control_bodies.txt: the guest writes and reads every body byte for byte as Python does. The status, which is of a
// running guest, is compared in tests/integration/control_channel.
#include <doctest/doctest.h>

#include "guest/bpf/slot.hpp"
#include "guest/control/resources/answers.hpp"
#include "guest/control/resources/map_access.hpp"
#include "guest/control/rules.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

Octets golden(const std::string& body) {
    static const auto vectors = read_golden("control_bodies.txt");
    return from_hex(vectors.at(body).at("item"));
}

struct World {
    ProgramSlot slot{{.element = "fw", .program = "firewall", .kind = abi::Kind::rewriter, .engine = EngineOption::interpreter}};
    UpdateReport report;
    Steps steps;
    Octets trace = Octets(25);

    World() {
        BundleSpec spec;
        spec.maps = {{.name = "hash", .type = 1, .entries = 3}, {.name = "array", .type = 2, .entries = 2}};
        StageReport staged;
        ReleaseMeta meta{.sequence = 5};
        meta.digest.fill(5);
        REQUIRE(slot.stage(encode(spec), {}, meta, staged).ok());
        REQUIRE(slot.activate().ok());
        report.already = true;
        report.slot = &slot;
        report.release.sequence = 5;
        report.release.digest.fill(5);
        report.maps.push({"hash", MapDecision::kept, 2});
        report.maps.push({"array", MapDecision::fresh, 0});
        report.swap_ns = 300;
        report.longest_gap_ns = 90'000;
        report.packets_during = 77;
        report.packets_lost = 3;
        report.engine_before = "jit";
        steps.add({"parse", 1000, 2000});
        steps.add({"swap", 70'000, 300});
        for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = static_cast<std::uint8_t>(i);
    }
    Map& map(std::string_view name) { return *map_of(slot, name).value(); }
    Octets change(const Octets& body) {
        Steps untimed;
        return encode([&](cbor::Writer& out) { CHECK(change_map(out, slot, map("hash"), body, untimed).ok()); });
    }
    Octets dump(const Octets& query) {
        return encode([&](cbor::Writer& out) { CHECK(write_map_dump(out, map("hash"), read_map_query(query).value()).ok()); });
    }
};

}  // namespace

TEST_CASE("staged and activated are the golden bodies, with a trace and without") {
    World world;
    const auto staged = [&](Bytes trace) { return encode([&](cbor::Writer& out) { write_staged(out, world.report, world.steps, trace); }); };
    const auto activated = [&](Bytes trace) { return encode([&](cbor::Writer& out) { write_activated(out, world.report, world.steps, trace); }); };
    CHECK(staged({}) == golden("staged"));
    CHECK(staged(world.trace) == golden("staged-traced"));
    CHECK(activated({}) == golden("activated"));
    CHECK(activated(world.trace) == golden("activated-traced"));
}

TEST_CASE("map queries and changes are read, and dumps and outcomes written, as the golden bodies") {
    World world;
    const MapQuery query = read_map_query(golden("map-query")).value();
    CHECK(query.cursor == 7);
    CHECK(query.most == 4096);
    CHECK(world.change(golden("map-changes")) == golden("map-changed"));  // sets key 1, finds no key 2 to delete
    CHECK(world.dump(golden("map-query-key")) == golden("map-dump"));
    const Octets set_again = encode([](cbor::Writer& out) {
        const Octets key = {1, 0, 0, 0}, value(8, 0xaa);
        out.map(1), out.uint(0), out.array(1), out.array(2), out.bytes(key), out.bytes(value);
    });
    CHECK(world.change(set_again) == golden("map-changed-all"));
}

TEST_CASE("a problem is the golden body") {
    const Error error{"sequence", "the sequence is not above the floor", 9};
    CHECK(encode([&](cbor::Writer& out) { write_problem(out, error, rule_table[rule_index("sequence")]); }) == golden("problem"));
}

TEST_CASE("a map that counts its entries refuses keys out of order and grows its head") {
    enum class Key {
        a = 0,
        b = 1
    };
    Octets room(1000);
    cbor::Writer wrong{room};
    {
        cbor::Fields<Key> fields{wrong};
        fields[Key::b].uint(1), fields[Key::a].uint(2);
    }
    CHECK(wrong.overflow());
    cbor::Writer many{room};
    {
        cbor::Items items{many};
        for (unsigned i = 0; i < 24; ++i) items.next().uint(i % 2);
    }
    CHECK_FALSE(many.overflow());
    cbor::Reader reader{many.written()};
    CHECK(reader.array().value() == 24);
    for (unsigned i = 0; i < 24; ++i) CHECK(reader.uint().value() == i % 2);
    CHECK(reader.end().ok());
    cbor::Writer tight{std::span{room}.first(25)};  // one byte short of the longer head
    {
        cbor::Items items{tight};
        for (unsigned i = 0; i < 24; ++i) items.next().uint(0);
    }
    CHECK(tight.overflow());
}
