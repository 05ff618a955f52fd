// What the tests of decoding and validation share: instructions, bundles with one defect each, and how they are refused.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "guest/bpf/bundle/decode.hpp"
#include "guest/bpf/bundle/validate.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

namespace unibpf::test {

inline constexpr Instruction mov0 = {0xb7, 0, 0, 0, 0};
inline constexpr Instruction leave = {0x95, 0, 0, 0, 0};
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

inline void code(BundleSpec& spec, std::vector<Instruction> instructions) { spec.code = std::move(instructions); }
inline void one_map(BundleSpec& spec, MapSpec map) { spec.maps = {std::move(map)}; }

// Empty: accepted.
struct Outcome {
    std::string rule, text;
};

// Decodes and validates.
inline Outcome read(const std::vector<std::uint8_t>& bytes, const abi::Tables& tables = abi::guest_tables) {
    static BundleView view;
    static ProgramShape shape;
    Status status = decode_bundle(bytes, view, tables);
    if (status.ok()) status = validate_program(view, shape);
    if (status.ok()) return {};
    return {status.error().rule, status.error().text};
}

inline void check_refused(std::span<const Defect> defects, const abi::Tables& tables = abi::guest_tables) {
    for (const auto& defect : defects) {
        CAPTURE(defect.name);
        BundleSpec spec;
        defect.make(spec);
        const Outcome outcome = read(encode(spec), tables);
        CHECK(outcome.rule == defect.rule);
        CHECK(outcome.text == defect.text);
    }
}

}  // namespace unibpf::test
