// The report: the verdict, why, and what was measured on the way; printed as one line of JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/fixpoint/invariants.hpp"
#include "services/verifier/native/program/program.hpp"

namespace unibpf::analyser {

inline constexpr const char* analyser_version = "0.1.0";

enum class Verdict : std::uint8_t {
    safe,
    unsafe,
    unsupported,
    gave_up
};

struct LoopFact {
    std::uint32_t instruction;
    std::optional<std::uint64_t> bound;
};

struct Report {
    Verdict verdict = Verdict::gave_up;
    std::vector<Finding> findings;
    std::vector<LoopFact> loops;
    std::optional<std::uint64_t> instruction_bound;
    std::uint32_t stack_bytes = 0;
    std::size_t instructions = 0;
    std::set<std::uint32_t> helpers;
    std::vector<std::string> maps;
    std::optional<Invariants> invariants;  // if asked for
    std::string graph;                     // likewise, in DOT
    std::optional<std::vector<std::uint8_t>> certificate;  // likewise, of what is safe (schemas/certificate.cddl)
};

// Decodes, analyses and judges; throws nothing but std::bad_alloc, which whoever limits memory turns into `gave_up`.
Report examine(std::span<const std::uint8_t> bundle, const Options& options);
Report examine(const Program& program, const Options& options);
Report refuse(Verdict verdict, Finding finding);

std::string_view name_of(Verdict verdict);
// Resources are those of the process.
std::string to_json(const Report& report);

}  // namespace unibpf::analyser
