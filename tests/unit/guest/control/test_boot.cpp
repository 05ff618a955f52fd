#include <doctest/doctest.h>

#include <sstream>
#include <string>

#include "guest/control/boot.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const auto golden = read_golden("boot_image.txt");

std::string fault(Bytes bytes) {
    BootImage image;
    const Status status = parse_boot_image(bytes, image);
    if (status) return "";
    CHECK(std::string{status.error().rule} == "boot");
    return status.error().text;
}

Octets image_bytes(const std::string& name) { return from_hex(golden.at(name).at("image")); }

// A boot image whose fields a test may replace, in deterministic CBOR.
struct Fields {
    std::map<unsigned, std::function<void(cbor::Writer&)>> write;
    Fields() {
        write[0] = [](cbor::Writer& w) { w.uint(1); };
        write[1] = [](cbor::Writer& w) { w.text("fw1"); };
        write[2] = [](cbor::Writer& w) { w.text("edge"); };
        write[3] = [](cbor::Writer& w) { w.bytes(Octets(32)); };
        write[4] = [](cbor::Writer& w) { w.array(1), w.array(3), w.bytes(Octets(8)), w.nint(-8), w.bytes(Octets(32)); };
        write[5] = [](cbor::Writer& w) { w.array(2), w.bytes({}), w.bytes({}); };
        write[6] = write[7] = write[9] = [](cbor::Writer& w) { w.array(0); };
        write[8] = [](cbor::Writer& w) { w.array(3), w.bytes(Octets{10, 0, 0, 1}), w.uint(24), w.uint(5683); };
        write[10] = [](cbor::Writer& w) { w.uint(1); };
        write[11] = [](cbor::Writer& w) { w.map(0); };
    }
    Octets bytes() const {
        return encode([&](cbor::Writer& w) {
            w.map(write.size());
            for (const auto& [key, field] : write) w.uint(key), field(w);
        });
    }
};

}  // namespace

TEST_CASE("the golden boot images are read field by field") {
    const auto& section = golden.at("full");
    const Octets bytes = image_bytes("full");
    BootImage image;
    REQUIRE(parse_boot_image(bytes, image));
    CHECK(image.guest == section.at("guest"));
    CHECK(image.audience == section.at("audience"));
    CHECK(octets(Bytes{image.seed}) == from_hex(section.at("seed")));
    CHECK(image.keys.size() == 2);
    CHECK(image.keys[1].algorithm == Algorithm::es256);
    CHECK(octets(image.graph) == from_hex(section.at("graph")));
    CHECK(octets(image.graph_envelope) == from_hex(section.at("graph_envelope")));
    CHECK(image.programs[0].element == "a");
    CHECK(image.floor("") == 3);
    CHECK(image.floor("a") == 9223372036854775807);
    CHECK(image.floor("b") == 0);
    CHECK(image.management.address == 0xc0a80709);
    CHECK(image.management.prefix == 16);
    CHECK(image.management.port == 65535);
    CHECK(image.management.gateway == 0xc0a80001);
    CHECK(image.nic("mgmt")->mac == std::array<std::uint8_t, 6>{0x52, 0x54, 0, 0, 0, 1});
    CHECK(image.nic("eth9") == nullptr);
    CHECK(image.wall_clock_us == 1700000000000001);
    CHECK(image.limits.instruction_budget == 100000);
    CHECK(image.limits.probation_ns == 0);
    CHECK(image.limits.control_slice_ns == 200'000);
}

TEST_CASE("limits that the image does not name have their defaults") {
    const Octets bytes = image_bytes("small");
    BootImage image;
    REQUIRE(parse_boot_image(bytes, image));
    CHECK(image.limits.instruction_budget == 1'000'000);
    CHECK(image.limits.probation_ns == 2'000'000'000);
    CHECK_FALSE(image.management.gateway.has_value());
}

TEST_CASE("a boot image cut at any byte is refused") {
    for (const char* name : {"small", "full"}) {
        const Octets bytes = image_bytes(name);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            REQUIRE(fault(Bytes{bytes}.first(length)) != "");
        }
    }
}

TEST_CASE("a boot image outside its form is refused") {
    Fields fields;
    REQUIRE(fault(fields.bytes()) == "");
    SUBCASE("another version") {
        fields.write[0] = [](cbor::Writer& w) { w.uint(2); };
    }
    SUBCASE("a guest id with a capital") {
        fields.write[1] = [](cbor::Writer& w) { w.text("Fw1"); };
    }
    SUBCASE("an empty guest id") {
        fields.write[1] = [](cbor::Writer& w) { w.text(""); };
    }
    SUBCASE("a short seed") {
        fields.write[3] = [](cbor::Writer& w) { w.bytes(Octets(31)); };
    }
    SUBCASE("no signer key") {
        fields.write[4] = [](cbor::Writer& w) { w.array(0); };
    }
    SUBCASE("an unknown algorithm") {
        fields.write[4] = [](cbor::Writer& w) { w.array(1), w.array(3), w.bytes(Octets(8)), w.nint(-35), w.bytes(Octets(32)); };
    }
    SUBCASE("a P-256 key of an Ed25519 key's length") {
        fields.write[4] = [](cbor::Writer& w) { w.array(1), w.array(3), w.bytes(Octets(8)), w.nint(-7), w.bytes(Octets(32)); };
    }
    SUBCASE("a prefix of 33") {
        fields.write[8] = [](cbor::Writer& w) { w.array(3), w.bytes(Octets(4)), w.uint(33), w.uint(5683); };
    }
    SUBCASE("port zero") {
        fields.write[8] = [](cbor::Writer& w) { w.array(3), w.bytes(Octets(4)), w.uint(24), w.uint(0); };
    }
    SUBCASE("two NICs of one address") {
        fields.write[9] = [](cbor::Writer& w) {
            w.array(2), w.array(2), w.text("a"), w.bytes(Octets(6)), w.array(2), w.text("b"), w.bytes(Octets(6));
        };
    }
    SUBCASE("more NICs than a guest can have") {
        fields.write[9] = [](cbor::Writer& w) {
            w.array(18);
            for (std::uint8_t i = 0; i < 18; ++i) w.array(2), w.text(std::string(1, static_cast<char>('a' + i))), w.bytes(Octets(6, i));
        };
    }
    SUBCASE("an element with two floors") {
        fields.write[7] = [](cbor::Writer& w) { w.array(2), w.array(2), w.text(""), w.uint(1), w.array(2), w.text(""), w.uint(2); };
    }
    SUBCASE("an unknown limit") {
        fields.write[11] = [](cbor::Writer& w) { w.map(1), w.uint(3), w.uint(0); };
    }
    SUBCASE("a probation that overflows") {
        fields.write[11] = [](cbor::Writer& w) { w.map(1), w.uint(1), w.uint(UINT64_MAX); };
    }
    SUBCASE("an unknown key") {
        fields.write[12] = [](cbor::Writer& w) { w.uint(0); };
    }
    SUBCASE("a missing key") { fields.write.erase(10); }
    CHECK(fault(fields.bytes()) != "");
}

TEST_CASE("a boot graph passes when it is signed for this class of guests, and else not") {
    const Signer signer;
    const Octets text = octets("control :: Control;");
    ReleaseFields release{.kind = 3, .sequence = 9, .program = "edge-graph"};
    BootImage image;
    image.keys.push(signer.pinned());
    image.audience = "edge";
    image.graph = text;
    std::string rule;
    SUBCASE("signed") {}
    SUBCASE("the graph that ran before a reboot") { image.floors.push({"", 9}); }
    SUBCASE("an older graph than ran before") { image.floors.push({"", 10}), rule = "sequence"; }
    SUBCASE("another class") { release.audience = "core", rule = "audience"; }
    SUBCASE("a program, not a graph") { release.kind = 0, rule = "kind"; }
    SUBCASE("another text") { release.digest = Octets(32), rule = "bundle-digest"; }
    const Octets envelope = signer.envelope(release.encoded(text));
    image.graph_envelope = envelope;
    const auto graph = verify_boot_graph(image, 1);
    CHECK((graph ? "" : std::string{graph.error().rule}) == rule);
    if (graph) {
        CHECK(graph.value().text == "control :: Control;");
        CHECK(graph.value().name == "edge-graph");
        CHECK(graph.value().sequence == 9);
        CHECK(graph.value().digest == crypto::sha256(envelope));
    }
}
