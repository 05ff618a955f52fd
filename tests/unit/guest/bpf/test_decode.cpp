// Every rule of bundle decoding and instruction validation, by a bundle with that one defect.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "guest/bpf/decode.hpp"
#include "tests/unit/guest/bpf/bundle_builder.hpp"

using namespace unibpf;
using test::BundleSpec;
using test::MapSpec;

namespace {

struct Outcome {
    std::string rule, text;
    std::uint64_t value = 0;
};

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

Outcome read(const std::vector<std::uint8_t>& bytes, const abi::Tables& tables = abi::guest_tables) {
    static BundleView view;
    static ProgramShape shape;
    Status status = decode_bundle(bytes, view, tables);
    if (status.ok()) status = validate_program(view, shape);
    if (status.ok()) return {};
    return {status.error().rule, status.error().text, status.error().value};
}

constexpr Instruction mov0 = {0xb7, 0, 0, 0, 0};
constexpr Instruction leave = {0x95, 0, 0, 0, 0};
constexpr Instruction helper(std::int32_t number) { return {0x85, 0, 0, 0, number}; }
constexpr Instruction call(std::int32_t distance) { return {0x85, 0, 1, 0, distance}; }
constexpr Instruction jump(std::int16_t distance) { return {0x05, 0, 0, distance, 0}; }
constexpr Instruction load64(std::uint8_t src, std::int32_t imm) { return {0x18, 1, src, 0, imm}; }
constexpr Instruction second(std::int32_t imm = 0) { return {0, 0, 0, 0, imm}; }

struct Defect {
    const char* name;
    std::function<void(BundleSpec&)> make;
    const char* rule;
    const char* text;
};

void code(BundleSpec& spec, std::vector<Instruction> instructions) { spec.code = std::move(instructions); }
void one_map(BundleSpec& spec, MapSpec map) { spec.maps = {std::move(map)}; }

}  // namespace

TEST_CASE("a sound bundle is accepted and its views show what was written") {
    BundleSpec spec;
    spec.maps = {{.name = "hits", .layout = "u64"}, {.name = ".rodata", .type = 2, .value = 3, .entries = 1, .flags = 128, .data = {{1, 2, 3}}}};
    spec.helpers = {5};
    code(spec, {helper(5), load64(5, 0), second(), load64(6, 1), second(2), leave});
    const auto bytes = test::encode(spec);
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

TEST_CASE("subprograms are found where calls go") {
    BundleSpec spec;
    code(spec, {call(3), call(1), leave, leave, mov0, leave});
    const auto bytes = test::encode(spec);
    static BundleView view;
    static ProgramShape shape;
    REQUIRE(decode_bundle(bytes, view).ok());
    REQUIRE(validate_program(view, shape).ok());
    REQUIRE(shape.count == 3);
    CHECK(shape.starts[1] == 3);
    CHECK(shape.starts[2] == 4);
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
    for (const auto& defect : defects) {
        CAPTURE(defect.name);
        BundleSpec spec;
        defect.make(spec);
        const Outcome outcome = read(test::encode(spec));
        CHECK(outcome.rule == defect.rule);
        CHECK(outcome.text == defect.text);
    }
}

TEST_CASE("a program that must not be loaded is refused by its rule") {
    const Defect defects[] = {
        {"opcode that does not exist", [](auto& s) { code(s, {{0xff, 0, 0, 0, 0}, leave}); }, "instruction", "instruction is not in the table of RFC 9669"},
        {"unused field set", [](auto& s) { code(s, {{0xb7, 0, 0, 4, 0}, leave}); }, "instruction", "instruction is not in the table of RFC 9669"},
        {"legacy packet load", [](auto& s) { code(s, {{0x20, 0, 0, 0, 0}, leave}); }, "instruction", "instruction is not in the table of RFC 9669"},
        {"Linux' map fd", [](auto& s) { one_map(s, {}); code(s, {load64(1, 0), second(), leave}); }, "instruction", "instruction is not in the table of RFC 9669"},
        {"register 11", [](auto& s) { code(s, {{0xb7, 11, 0, 0, 0}, leave}); }, "instruction", "instruction names a register above r10"},
        {"source register 11", [](auto& s) { code(s, {{0xbf, 0, 11, 0, 0}, leave}); }, "instruction", "instruction names a register above r10"},
        {"write to r10", [](auto& s) { code(s, {{0xb7, 10, 0, 0, 0}, leave}); }, "instruction", "instruction writes r10"},
        {"load into r10", [](auto& s) { code(s, {{0x61, 10, 1, 0, 0}, leave}); }, "instruction", "instruction writes r10"},
        {"fetch into r10", [](auto& s) { code(s, {{0xdb, 1, 10, 0, 0x01}, leave}); }, "instruction", "instruction writes r10"},
        {"cut 64-bit load", [](auto& s) { code(s, {leave, load64(0, 1)}); }, "instruction", "64-bit load lacks its second slot"},
        {"second slot with opcode", [](auto& s) { code(s, {load64(0, 1), leave}); }, "instruction", "second slot of a 64-bit load has fields that must be zero"},
        {"map 1 of 1", [](auto& s) { one_map(s, {}); code(s, {load64(5, 1), second(), leave}); }, "instruction", "64-bit load names no map"},
        {"map handle with offset", [](auto& s) { one_map(s, {}); code(s, {load64(5, 0), second(4), leave}); }, "instruction", "map handle has an offset"},
        {"value address of a hash", [](auto& s) { one_map(s, {}); code(s, {load64(6, 0), second(), leave}); }, "instruction", "map value address needs an array of one entry"},
        {"value address past the end", [](auto& s) { one_map(s, {.type = 2, .entries = 1}); code(s, {load64(6, 0), second(8), leave}); }, "instruction", "map value address lies outside the value"},
        {"function behind the end", [](auto& s) { code(s, {load64(4, 2), second(), leave}); }, "instruction", "function begins at no instruction"},
        {"function before the start", [](auto& s) { code(s, {load64(4, -2), second(), leave}); }, "instruction", "function begins at no instruction"},
        {"function inside a 64-bit load", [](auto& s) { code(s, {load64(4, 0), second(), leave}); }, "instruction", "function begins at no instruction"},
        {"function with offset", [](auto& s) { code(s, {load64(4, 2), second(8), leave, leave}); }, "instruction", "function address has an offset"},
        {"entry runs into a callback", [](auto& s) { code(s, {load64(4, 1), second(), leave}); }, "instruction", "function can run past its end"},
        {"jump into a callback", [](auto& s) { code(s, {load64(4, 2), second(), jump(0), leave}); }, "instruction", "jump leaves its function"},
        {"jump before the start", [](auto& s) { code(s, {jump(-2), leave}); }, "instruction", "jump leaves its function"},
        {"jump past the end", [](auto& s) { code(s, {jump(1), leave}); }, "instruction", "jump leaves its function"},
        {"jump into a subprogram", [](auto& s) { code(s, {call(2), jump(1), leave, leave}); }, "instruction", "jump leaves its function"},
        {"jump into a 64-bit load", [](auto& s) { code(s, {jump(1), load64(0, 1), second(), leave}); }, "instruction", "jump goes into the middle of a 64-bit load"},
        {"call past the end", [](auto& s) { code(s, {call(1), leave}); }, "instruction", "function begins at no instruction"},
        {"call into a 64-bit load", [](auto& s) { code(s, {call(2), leave, load64(0, 1), second(), leave}); }, "instruction", "function begins at no instruction"},
        {"no exit", [](auto& s) { code(s, {mov0}); }, "instruction", "function can run past its end"},
        {"entry runs into a subprogram", [](auto& s) { code(s, {call(0), mov0, leave}); }, "instruction", "function can run past its end"},
        {"branch at the end", [](auto& s) { code(s, {leave, {0x15, 0, 0, -2, 0}}); }, "instruction", "function can run past its end"},
        {"unknown helper", [](auto& s) { s.helpers = {9999}; code(s, {helper(9999), leave}); }, "helper", "helper is not offered"},
        {"undeclared helper", [](auto& s) { code(s, {helper(5), leave}); }, "helper", "called helper is not declared"},
        {"declared, never called", [](auto& s) { s.helpers = {5, 7}; code(s, {helper(5), leave}); }, "helper", "a declared helper is never called"},
        {"adjust_head in a filter", [](auto& s) { s.kind = 0; s.helpers = {44}; code(s, {helper(44), leave}); }, "helper", "helper is not allowed for this kind of program"},
    };
    for (const auto& defect : defects) {
        CAPTURE(defect.name);
        BundleSpec spec;
        defect.make(spec);
        const Outcome outcome = read(test::encode(spec));
        CHECK(outcome.rule == defect.rule);
        CHECK(outcome.text == defect.text);
    }
}

TEST_CASE("functions begin where 64-bit loads of src 4 and entries of program arrays say") {
    BundleSpec spec;
    spec.maps = {{.name = "jumps", .type = 3, .value = 4, .entries = 3, .initial = {{{0, 3}, {2, 4}}}}};
    code(spec, {load64(4, 4), second(), leave, leave, leave, leave});
    const auto bytes = test::encode(spec);
    static BundleView view;
    static ProgramShape shape;
    REQUIRE(decode_bundle(bytes, view, wide_tables).ok());
    REQUIRE(validate_program(view, shape).ok());
    REQUIRE(shape.count == 4);
    CHECK(shape.starts[1] == 3);
    CHECK(shape.starts[2] == 4);
    CHECK(shape.starts[3] == 5);
}

TEST_CASE("initial entries are read in order") {
    BundleSpec spec;
    spec.maps = {{.name = "jumps", .type = 3, .value = 4, .entries = 8, .initial = {{{1, 0}, {7, 1}}}}};
    code(spec, {leave, leave});
    const auto bytes = test::encode(spec);
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
        {"entry outside its array", [&](auto& s) { tails(s, {{4, 0}}); }, "abi", "initial entry lies outside its map"},
        {"program behind the end", [&](auto& s) { tails(s, {{0, 2}}); }, "abi", "initial entry names no instruction"},
        {"program that the one before runs into", [&](auto& s) { tails(s, {{0, 1}}); }, "instruction", "function can run past its end"},
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
        {"lock behind the value", [](auto& s) { one_map(s, {.lock = 8}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"lock at the end of 32 bits", [](auto& s) { one_map(s, {.lock = 0xffff'fffc}); }, "abi", "a lock must be 4 aligned bytes inside the value"},
        {"queue with keys", [](auto& s) { one_map(s, {.type = 22}); }, "limits", "map key size is out of range"},
        {"ring with values", [](auto& s) { one_map(s, {.type = 27, .key = 0, .entries = 4096}); }, "limits", "map value size is out of range"},
        {"ring of three pages", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 12288}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of half a page", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 2048}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of nothing", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 0}); }, "abi", "a ring buffer's size must be a power of two and a multiple of 4096"},
        {"ring of 128 MiB", [](auto& s) { one_map(s, {.type = 27, .key = 0, .value = 0, .entries = 128 << 20}); }, "limits", "map takes too much memory"},
    };
    for (const auto& defect : defects) {
        CAPTURE(defect.name);
        BundleSpec spec;
        defect.make(spec);
        const Outcome outcome = read(test::encode(spec), wide_tables);
        CHECK(outcome.rule == defect.rule);
        CHECK(outcome.text == defect.text);
    }
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
        CHECK(read(test::encode(spec), wide_tables).text == "");
    }
}

TEST_CASE("257 subprograms are one too many") {
    BundleSpec spec;
    spec.code.clear();
    for (int i = 0; i < 256; ++i) spec.code.push_back(call(256));  // entry calls 256 others: 257 functions with itself
    spec.code.push_back(leave);
    for (int i = 0; i < 256; ++i) spec.code.push_back(leave);
    CHECK(read(test::encode(spec)).text == "too many subprograms");
}

TEST_CASE("no bundle that is cut, extended or changed in one byte crashes or is taken for the original") {
    BundleSpec spec;
    spec.maps = {{.name = "hits", .layout = "u64"}};
    spec.helpers = {5};
    code(spec, {helper(5), load64(5, 0), second(), leave});
    const auto good = test::encode(spec);
    CHECK(read(good).rule == "");
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(read({good.begin(), good.begin() + static_cast<long>(size)}).rule != "");
    auto longer = good;
    longer.push_back(0);
    CHECK(read(longer).text == "CBOR has bytes behind its end");
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto changed = good;
        for (int bit = 0; bit < 8; ++bit) {
            changed[i] = good[i] ^ static_cast<std::uint8_t>(1 << bit);
            (void)read(changed);
        }
    }
    CHECK(read(std::vector<std::uint8_t>((1 << 20) + 1)).text == "bundle is larger than 1 MiB");
}
