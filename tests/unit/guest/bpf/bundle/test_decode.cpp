// Every rule of bundle decoding, by a bundle with that one defect.
#include <doctest/doctest.h>

#include <vector>

#include "guest/bpf/bundle/decode.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_defects.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

// A platform with the map types that have rules of their own, whatever guests offer.
using abi::MapType;
constexpr abi::MapTypeRow map_types[] = {
    {MapType::hash, "hash", abi::Index::hash, abi::Holds::values, false, 0, abi::any_key, abi::any_value},
    {MapType::array, "array", abi::Index::array, abi::Holds::values, false, abi::map_flag_inner_map, abi::u32_bytes, abi::any_value},
    {MapType::prog_array, "prog_array", abi::Index::array, abi::Holds::programs, false, 0, abi::u32_bytes, abi::u32_bytes},
    {MapType::array_of_maps, "array_of_maps", abi::Index::array, abi::Holds::maps, false, 0, abi::u32_bytes, abi::u32_bytes},
    {MapType::hash_of_maps, "hash_of_maps", abi::Index::hash, abi::Holds::maps, false, 0, abi::any_key, abi::u32_bytes},
    {MapType::queue, "queue", abi::Index::none, abi::Holds::items, false, 0, abi::no_bytes, abi::any_value},
    {MapType::ringbuf, "ringbuf", abi::Index::none, abi::Holds::records, false, 0, abi::no_bytes, abi::no_bytes},
};
constexpr abi::Tables wide_tables{map_types, abi::helpers};

}  // namespace

TEST_CASE("a sound bundle is accepted and its views show what was written") {
    BundleSpec spec;
    spec.maps = {{.name = "hits", .layout = "u64"}, {.name = ".rodata", .type = 2, .value = 3, .entries = 1, .flags = 128, .data = {{1, 2, 3}}}};
    spec.helpers = {5};
    code(spec, {helper(5), load64(5, 0), second(), load64(6, 1), second(2), leave});
    const auto bytes = encode(spec);
    static BundleView view;
    static ProgramShape shape;
    REQUIRE(decode_bundle(bytes, view).ok());
    REQUIRE(validate_program(view, shape).ok());
    CHECK(view.name == "firewall");
    CHECK(view.kind == abi::Kind::rewriter);
    CHECK(view.size() == 6);
    CHECK(view.map_count == 2);
    CHECK(view.maps[0].layout == "u64");
    CHECK_FALSE(view.maps[0].has_data);
    CHECK(view.maps[1].data[2] == 3);
    CHECK(view.imm64(3) == (std::uint64_t{2} << 32 | 1));
    CHECK(shape.count == 1);
}

TEST_CASE("a bundle with a defect of form is refused by its rule") {
    const Defect defects[] = {
        {"format 2", [](auto& s) { s.format = 2; }, "abi", "bundle format version is not 1"},
        {"interface 2", [](auto& s) { s.abi = 2; }, "abi", "program interface version is not 1"},
        {"empty name", [](auto& s) { s.name = ""; }, "abi", "program name must match [a-z0-9][a-z0-9_-]{0,47}"},
        {"capital in name", [](auto& s) { s.name = "Firewall"; }, "abi", "program name must match [a-z0-9][a-z0-9_-]{0,47}"},
        {"name of 49", [](auto& s) { s.name = std::string(49, 'a'); }, "abi", "program name must match [a-z0-9][a-z0-9_-]{0,47}"},
        {"graph kind", [](auto& s) { s.kind = 3; }, "abi", "program kind is unknown"},
        {"no code", [](auto& s) { s.code.clear(); }, "abi", "instructions must be a positive multiple of 8 bytes"},
        {"too much code", [](auto& s) { s.code.assign(100'001, mov0); }, "limits", "too many instructions"},
        {"no outputs", [](auto& s) { s.outputs = 0; }, "limits", "number of outputs is out of range"},
        {"257 outputs", [](auto& s) { s.outputs = 257; }, "limits", "number of outputs is out of range"},
        {"deep stack", [](auto& s) { s.stack = 4097; }, "limits", "stack need is out of range"},
        {"helpers unsorted", [](auto& s) { s.helpers = {5, 1}; }, "abi", "helpers are not ascending"},
        {"helper twice", [](auto& s) { s.helpers = {5, 5}; }, "abi", "helpers are not ascending"},
        {"65 helpers", [](auto& s) { s.helpers.assign(65, 1); }, "limits", "too many helpers"},
        {"lines unsorted", [](auto& s) { s.lines = {{1, 0, 1, 0}, {0, 0, 2, 0}}; }, "abi", "line rows are not ascending"},
        {"line without file", [](auto& s) { s.lines = {{0, 1, 1, 0}}; }, "abi", "line row names no file"},
        {"65 maps", [](auto& s) { for (int i = 0; i < 65; ++i) s.maps.push_back({.name = "m" + std::to_string(i)}); }, "limits", "too many maps"},
        {"map twice", [](auto& s) { s.maps = {{}, {}}; }, "abi", "two maps have the same name"},
        {"map name with space", [](auto& s) { one_map(s, {.name = "a b"}); }, "abi", "map name must match [A-Za-z0-9_.]{1,63}"},
        {"map of type 99", [](auto& s) { one_map(s, {.type = 99}); }, "abi", "map type is not offered"},
        {"map flag", [](auto& s) { one_map(s, {.flags = 2}); }, "abi", "map flags are not offered for this map type"},
        {"key of 0", [](auto& s) { one_map(s, {.key = 0}); }, "limits", "map key size is out of range"},
        {"key of 513", [](auto& s) { one_map(s, {.key = 513}); }, "limits", "map key size is out of range"},
        {"array key of 8", [](auto& s) { one_map(s, {.type = 2, .key = 8}); }, "limits", "map key size is out of range"},
        {"value of 0", [](auto& s) { one_map(s, {.value = 0}); }, "limits", "map value size is out of range"},
        {"no entries", [](auto& s) { one_map(s, {.entries = 0}); }, "limits", "map entries are out of range"},
        {"2^20 + 1 entries", [](auto& s) { one_map(s, {.entries = (1 << 20) + 1}); }, "limits", "map entries are out of range"},
        {"map of 64 GiB", [](auto& s) { one_map(s, {.value = 65536, .entries = 1 << 20}); }, "limits", "map takes too much memory"},
        {"33-bit size", [](auto& s) { one_map(s, {.value = 1ULL << 32}); }, "abi", "map field exceeds 32 bits"},
        {"data in a hash", [](auto& s) { one_map(s, {.value = 1, .entries = 1, .data = {{1}}}); }, "abi", "initial data must fill the only value of an array"},
        {"data too short", [](auto& s) { one_map(s, {.type = 2, .entries = 1, .data = {{1}}}); }, "abi", "initial data must fill the only value of an array"},
        {".bss of two", [](auto& s) { one_map(s, {.name = ".bss", .type = 2, .entries = 2}); }, "abi", "global data must be an array of one entry"},
    };
    check_refused(defects);
}

TEST_CASE("initial entries are read in order") {
    BundleSpec spec;
    spec.maps = {{.name = "jumps", .type = 3, .value = 4, .entries = 8, .initial = {{{1, 0}, {7, 1}}}}};
    code(spec, {leave, leave});
    const auto bytes = encode(spec);
    static BundleView view;
    REQUIRE(decode_bundle(bytes, view, wide_tables).ok());
    std::vector<std::uint32_t> seen;
    REQUIRE(each_entry(view.maps[0], [&](const InitialEntry& entry) -> Status {
                seen.insert(seen.end(), {entry.index, entry.target});
                return done();
            }).ok());
    CHECK(seen == std::vector<std::uint32_t>{1, 0, 7, 1});
}

TEST_CASE("a map that says wrongly what it holds is refused by its rule") {
    using Entries = std::vector<std::vector<std::uint64_t>>;
    const auto tails = [](BundleSpec& s, Entries entries) { one_map(s, {.type = 3, .value = 4, .initial = std::move(entries)}); };
    const auto nested = [](BundleSpec& s, Entries entries, std::vector<std::uint64_t> inner, MapSpec held = {}) {
        s.maps = {std::move(held), {.name = "outer", .type = 12, .value = 4, .initial = std::move(entries), .inner = std::move(inner)}};
    };
    const Defect defects[] = {
        {"empty entries", [&](auto& s) { tails(s, {}); }, "abi", "an empty list of initial entries must be left out"},
        {"entry of one", [&](auto& s) { tails(s, {{0}}); }, "abi", "an initial entry must have two fields"},
        {"entry of three", [&](auto& s) { tails(s, {{0, 0, 0}}); }, "abi", "an initial entry must have two fields"},
        {"33-bit index", [&](auto& s) { tails(s, {{1ULL << 32, 0}}); }, "abi", "index of an initial entry exceeds 32 bits"},
        {"33-bit target", [&](auto& s) { tails(s, {{0, 1ULL << 32}}); }, "abi", "target of an initial entry exceeds 32 bits"},
        {"entries unsorted", [&](auto& s) { tails(s, {{1, 0}, {0, 0}}); }, "abi", "initial entries are not ascending"},
        {"entry twice", [&](auto& s) { tails(s, {{1, 0}, {1, 0}}); }, "abi", "initial entries are not ascending"},
        {"entries of a hash", [](auto& s) { one_map(s, {.initial = Entries{{0, 0}}}); }, "abi", "only maps of programs and maps have initial entries"},
        {"array with inner maps", [](auto& s) { one_map(s, {.type = 2, .inner = {{1, 4, 8, 4, 0}}}); }, "abi", "maps of maps, and no others, say what their maps are"},
        {"map of unknown maps", [](auto& s) { one_map(s, {.type = 13, .value = 4}); }, "abi", "maps of maps, and no others, say what their maps are"},
        {"inner map of four", [&](auto& s) { nested(s, {{0, 0}}, {1, 4, 8, 4}); }, "abi", "an inner map must have five fields"},
        {"33-bit inner size", [&](auto& s) { nested(s, {{0, 0}}, {1, 4, 1ULL << 32, 4, 0}); }, "abi", "map field exceeds 32 bits"},
        {"inner map of no type", [&](auto& s) { nested(s, {{0, 0}}, {99, 4, 8, 4, 0}); }, "abi", "type of the inner map is not offered"},
        {"inner map of programs", [&](auto& s) { nested(s, {{0, 0}}, {3, 4, 4, 4, 0}); }, "abi", "inner maps must hold values"},
        {"inner map of maps", [&](auto& s) { nested(s, {{0, 0}}, {12, 4, 4, 4, 0}); }, "abi", "inner maps must hold values"},
        {"inner map flag", [&](auto& s) { nested(s, {{0, 0}}, {1, 4, 8, 4, 2}); }, "abi", "inner map flags are not offered for this map type"},
        {"inner key of 0", [&](auto& s) { nested(s, {{0, 0}}, {1, 0, 8, 4, 0}); }, "limits", "map key size is out of range"},
        {"inner map without entries", [&](auto& s) { nested(s, {{0, 0}}, {1, 4, 8, 0, 0}); }, "limits", "map entries are out of range"},
        {"entry that names no map", [&](auto& s) { nested(s, {{0, 2}}, {1, 4, 8, 4, 0}); }, "abi", "initial entry names no map"},
        {"map outside the outer map", [&](auto& s) { nested(s, {{4, 0}}, {1, 4, 8, 4, 0}); }, "abi", "initial entry lies outside its map"},
        {"outer map in itself", [&](auto& s) { nested(s, {{0, 1}}, {1, 4, 8, 4, 0}); }, "abi", "a map does not fit into the map of maps that names it"},
        {"map of another type", [&](auto& s) { nested(s, {{0, 0}}, {2, 4, 8, 4, 0}); }, "abi", "a map does not fit into the map of maps that names it"},
        {"map of another value size", [&](auto& s) { nested(s, {{0, 0}}, {1, 4, 16, 4, 0}); }, "abi", "a map does not fit into the map of maps that names it"},
        {"array of another length", [&](auto& s) { nested(s, {{0, 0}}, {2, 4, 8, 5, 0}, {.type = 2}); }, "abi", "a map does not fit into the map of maps that names it"},
        {"lock in programs", [](auto& s) { one_map(s, {.type = 3, .value = 4, .lock = 0}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"crooked lock", [](auto& s) { one_map(s, {.lock = 2}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"lock past the value", [](auto& s) { one_map(s, {.lock = 8}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"lock at the end of 32 bits", [](auto& s) { one_map(s, {.lock = 0xffff'fffc}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"queue with keys", [](auto& s) { one_map(s, {.type = 22}); }, "limits", "map key size is out of range"},
        {"ring with values", [](auto& s) { one_map(s, {.type = 27, .key = 0, .entries = 4096}); }, "limits", "map value size is out of range"},
        {"ring of three pages", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 12288}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of half a page", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 2048}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of nothing", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 0}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of 128 MiB", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 128 << 20}); }, "limits", "map takes too much memory"},
    };
    check_refused(defects, wide_tables);
}

TEST_CASE("maps that hold programs, maps, records or a lock are accepted where they say what they hold") {
    const std::vector<MapSpec> sound[] = {
        {{.type = 3, .value = 4}},
        {{.type = 3, .value = 4, .initial = {{{0, 0}, {3, 0}}}}},
        {{.type = 13, .key = 8, .value = 4, .inner = {{1, 4, 8, 4, 0}}}},
        {{}, {.name = "outer", .type = 12, .value = 4, .initial = {{{3, 0}}}, .inner = {{1, 4, 8, 4, 0}}}},
        {{.entries = 9}, {.name = "outer", .type = 12, .value = 4, .initial = {{{0, 0}}}, .inner = {{1, 4, 8, 4, 0}}}},  // a longer hash
        {{.type = 2, .entries = 9, .flags = 4096}, {.name = "outer", .type = 12, .value = 4, .initial = {{{0, 0}}}, .inner = {{2, 4, 8, 4, 4096}}}},
        {{.type = 27, .key = 0, .value = 0, .entries = 4096}},
        {{.type = 22, .key = 0}},
        {{.lock = 4}},
    };
    for (const auto& maps : sound) {
        CAPTURE(&maps - sound);
        BundleSpec spec;
        spec.maps = maps;
        CHECK(read(encode(spec), wide_tables).text == "");
    }
}

TEST_CASE("no bundle that is cut, extended or changed in one byte crashes or is taken for the original") {
    BundleSpec spec;
    spec.maps = {{.name = "hits", .layout = "u64"}};
    spec.helpers = {5};
    code(spec, {helper(5), load64(5, 0), second(), leave});
    const auto good = encode(spec);
    CHECK(read(good).rule == "");
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(read({good.begin(), good.begin() + static_cast<long>(size)}).rule != "");
    auto longer = good;
    longer.push_back(0);
    CHECK(read(longer).text == "CBOR has bytes past its end");
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto changed = good;
        for (int bit = 0; bit < 8; ++bit) {
            changed[i] = good[i] ^ static_cast<std::uint8_t>(1 << bit);
            (void)read(changed);
        }
    }
    CHECK(read(std::vector<std::uint8_t>((1 << 20) + 1)).text == "bundle is larger than 1 MiB");
}
