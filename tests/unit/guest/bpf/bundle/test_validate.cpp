// Every rule of program validation, by a program with that one defect; where functions begin.
#include <doctest/doctest.h>

#include <vector>

#include "guest/bpf/bundle/validate.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_defects.hpp"

using namespace unibpf;
using namespace unibpf::test;

TEST_CASE("subprograms are found where calls go") {
    BundleSpec spec;
    code(spec, {call(3), call(1), leave, leave, mov0, leave});
    const auto bytes = encode(spec);
    static BundleView view;
    static ProgramShape shape;
    REQUIRE(decode_bundle(bytes, view).ok());
    REQUIRE(validate_program(view, shape).ok());
    REQUIRE(shape.count == 3);
    CHECK(shape.starts[1] == 3);
    CHECK(shape.starts[2] == 4);
}

TEST_CASE("functions begin where 64-bit loads of src 4 and entries of program arrays say") {
    BundleSpec spec;
    spec.maps = {{.name = "jumps", .type = 3, .value = 4, .entries = 3, .initial = {{{0, 3}, {2, 4}}}}};
    code(spec, {load64(4, 4), second(), leave, leave, leave, leave});
    const auto bytes = encode(spec);
    static BundleView view;
    static ProgramShape shape;
    REQUIRE(decode_bundle(bytes, view).ok());
    REQUIRE(validate_program(view, shape).ok());
    REQUIRE(shape.count == 4);
    CHECK(shape.starts[1] == 3);
    CHECK(shape.starts[2] == 4);
    CHECK(shape.starts[3] == 5);
}

TEST_CASE("a program that must not be loaded is refused by its rule") {
    const auto tails = [](BundleSpec& s, std::vector<std::vector<std::uint64_t>> entries) {
        one_map(s, {.type = 3, .value = 4, .initial = std::move(entries)});
    };
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
        {"function past the end", [](auto& s) { code(s, {load64(4, 2), second(), leave}); }, "instruction", "function begins at no instruction"},
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
        {"entry outside its array", [&](auto& s) { tails(s, {{4, 0}}); }, "abi", "initial entry lies outside its map"},
        {"program past the end", [&](auto& s) { tails(s, {{0, 2}}); }, "abi", "initial entry names no instruction"},
        {"program that the one before runs into", [&](auto& s) { tails(s, {{0, 1}}); }, "instruction", "function can run past its end"},
    };
    check_refused(defects);
}

TEST_CASE("257 subprograms are one too many") {
    BundleSpec spec;
    spec.code.clear();
    for (int i = 0; i < 256; ++i) spec.code.push_back(call(256));  // entry calls 256 others: 257 functions with itself
    spec.code.push_back(leave);
    for (int i = 0; i < 256; ++i) spec.code.push_back(leave);
    CHECK(read(encode(spec)).text == "too many subprograms");
}
