// How much stack the deepest chain of calls takes, and whether the platform gives as much.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/findings/finding.hpp"

namespace unibpf::analyser {

struct StackNeed {
    std::uint32_t bytes = 0;
    std::optional<Finding> finding;
};

// `frames`: bytes below r10 that each copy of a function uses, by copy.
StackNeed stack_need(const Cfg& cfg, std::span<const std::uint32_t> frames, Platform platform);

}  // namespace unibpf::analyser
