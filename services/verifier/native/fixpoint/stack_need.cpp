#include "services/verifier/native/fixpoint/stack_need.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace unibpf::analyser {
namespace {

// Linux gives 512 bytes (MAX_BPF_STACK) to all frames of a chain, each rounded up to 32 bytes and at least as many.
constexpr std::uint32_t linux_bytes = 512, linux_rounding = 32;

// Sum of what a copy and its callers take; callers come before those that they call.
std::vector<std::uint32_t> chains(const Cfg& cfg, std::span<const std::uint32_t> frames) {
    std::vector<std::uint32_t> result(frames.begin(), frames.end());
    for (std::uint32_t copy = 0; copy < result.size(); ++copy) {
        if (cfg.copies[copy].caller != copy) result[copy] += result[cfg.copies[copy].caller];
    }
    return result;
}

// As Linux counts: a function takes the same wherever it is called.
std::vector<std::uint32_t> linux_frames(const Cfg& cfg, std::span<const std::uint32_t> frames) {
    std::unordered_map<std::uint32_t, std::uint32_t> most;
    for (std::uint32_t copy = 0; copy < frames.size(); ++copy) {
        std::uint32_t& bytes = most[cfg.copies[copy].start];
        bytes = std::max({bytes, frames[copy], std::uint32_t{1}});
    }
    std::vector<std::uint32_t> result;
    for (const Copy& copy : cfg.copies) result.push_back((most[copy.start] + linux_rounding - 1) / linux_rounding * linux_rounding);
    return result;
}

std::optional<Finding> beyond_linux(const Cfg& cfg, std::span<const std::uint32_t> frames) {
    const auto sums = chains(cfg, linux_frames(cfg, frames));
    const auto deepest = std::max_element(sums.begin(), sums.end());
    if (deepest == sums.end() || *deepest <= linux_bytes) return std::nullopt;
    const Copy& copy = cfg.copies[static_cast<std::size_t>(deepest - sums.begin())];
    return Finding{Rule::stack_bounds, "the frames of this chain of calls take " + std::to_string(*deepest) + " bytes, Linux gives 512 to all of them", {}, {}, copy.call};
}

// What lies below a function that a tail call starts: frames of those that called the function which made it.
std::uint32_t below_targets(const Cfg& cfg, const std::vector<std::uint32_t>& sums) {
    std::uint32_t most = 0;
    for (const Block& block : cfg.blocks) {
        const Copy& copy = cfg.copies[block.copy];
        if (block.tail_calls && copy.role != Role::entry) most = std::max(most, sums[copy.caller]);
    }
    return most;
}

}  // namespace

StackNeed stack_need(const Cfg& cfg, std::span<const std::uint32_t> frames, Platform platform) {
    const auto sums = chains(cfg, frames);
    StackNeed need;
    need.bytes = *std::max_element(sums.begin(), sums.end()) + below_targets(cfg, sums);
    if (platform == Platform::linux_xdp) need.finding = beyond_linux(cfg, frames);
    return need;
}

}  // namespace unibpf::analyser
