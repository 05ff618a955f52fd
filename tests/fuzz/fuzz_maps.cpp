// Any bytes as the body of a request at a map: as changes, to a map of each shape, and as a query. They come with a good MAC: what is
// behind it must hold whoever has the key.
//
// What must hold: nothing reads or writes outside its memory; a map never holds more than it may; a refusal changes nothing; an
// answer is CBOR to its end.
#include <array>
#include <cstdlib>

#include "guest/bpf/slot.hpp"
#include "guest/control/resources/map_access.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

using namespace unibpf;

namespace {

constexpr std::array<std::string_view, 4> names{"hash", "array", "lru", ".rodata"};

// One slot for all inputs: maps fill and empty as the fuzzer likes.
ProgramSlot& slot() {
    static ProgramSlot made{{.element = "fw", .program = "firewall", .kind = abi::Kind::rewriter}};
    if (made.active() != nullptr) return made;
    test::BundleSpec spec;
    spec.maps = {{.name = "hash", .type = 1, .key = 3, .value = 5, .entries = 5},
                 {.name = "array", .type = 2, .entries = 3},
                 {.name = "lru", .type = 9, .key = 1, .value = 1, .entries = 2},
                 {.name = ".rodata", .type = 2, .entries = 1, .flags = abi::map_flag_rdonly_prog}};
    StageReport report;
    if (!made.stage(test::encode(spec), {}, {.sequence = 1}, report) || !made.activate()) std::abort();
    return made;
}

void check(cbor::Writer& writer) {
    cbor::Reader reader{writer.written()};
    if (writer.overflow() || !reader.raw_item() || !reader.end()) std::abort();
}

void change(std::string_view name, Bytes body) {
    static std::array<std::uint8_t, 4096> room;
    cbor::Writer writer{room};
    Map& map = *map_of(slot(), name).value();
    const std::uint32_t before = map.entries();
    Steps steps;
    if (change_map(writer, slot(), map, body, steps)) {
        check(writer);
        if (map.read_only() || map.entries() > map.max_entries()) std::abort();
    } else if (map.entries() != before || writer.size() != 0) {
        std::abort();
    }
}

void query(std::string_view name, Bytes body) {
    static std::array<std::uint8_t, 4096> room;
    cbor::Writer writer{room};
    const auto asked = read_map_query(body);
    if (asked && write_map_dump(writer, *map_of(slot(), name).value(), asked.value())) check(writer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const std::string_view name : names) {
        change(name, {data, size});
        query(name, {data, size});
    }
    return 0;
}
