// Chains of calls, and the names of what calls give, as certificates number them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "services/verifier/native/certificate/recorder.hpp"
#include "services/verifier/native/certificate/writer.hpp"

namespace unibpf::analyser {

class Places {
  public:
    Places(const Cfg& cfg, const std::vector<CertificateNode>& nodes);

    void write(CborWriter& out) const;
    std::uint32_t chain_of(BlockId block) const { return chains_[cfg_.blocks[block].copy]; }
    // What the call of that site gives; 0 of no site.
    std::uint64_t label(Site site) const;
    // The function that the question asks about.
    std::uint32_t callee(BlockId question) const;
    // The questions "once more?" that are open in a block, outermost first.
    std::vector<BlockId> questions(BlockId block) const;

  private:
    static constexpr std::uint32_t none = UINT32_MAX;

    const Cfg& cfg_;
    std::vector<std::uint32_t> chains_;  // by copy
    std::vector<std::uint32_t> copies_;  // by chain
};

}  // namespace unibpf::analyser
