#include "services/verifier/native/certificate/places.hpp"

#include <algorithm>

namespace unibpf::analyser {

Places::Places(const Cfg& cfg, const std::vector<CertificateNode>& nodes) : cfg_{cfg}, chains_(cfg.copies.size(), none) {
    std::vector<bool> used(cfg.copies.size(), false);
    for (const CertificateNode& node : nodes) used[cfg.blocks[node.block].copy] = true;
    for (std::size_t copy = cfg.copies.size(); copy-- > 0;) {
        if (used[copy]) used[cfg.copies[copy].caller] = true;
    }
    for (std::uint32_t copy = 0; copy < used.size(); ++copy) {
        if (!used[copy]) continue;
        chains_[copy] = static_cast<std::uint32_t>(copies_.size());
        copies_.push_back(copy);
    }
}

void Places::write(CborWriter& out) const {
    out.array(copies_.size());
    for (const std::uint32_t copy : copies_) {
        const Copy& one = cfg_.copies[copy];
        out.array(3);
        out.uint(chains_[one.caller]);
        out.uint(one.role == Role::entry ? one.start : one.call);
        out.uint(static_cast<std::uint64_t>(one.role));
    }
}

std::uint64_t Places::label(Site site) const {
    if (site == no_site) return 0;
    const auto after = std::upper_bound(cfg_.blocks.begin(), cfg_.blocks.end(), site, [](Site wanted, const Block& block) { return wanted < block.site; });
    const Block& block = *(after - 1);
    const std::uint32_t chain = chains_[block.copy];
    return chain == none ? 0 : (std::uint64_t{chain} + 1) << 32 | (block.first + (site - block.site));
}

std::uint32_t Places::callee(BlockId question) const {
    const BlockId body = cfg_.blocks[question].next;
    return body == no_block ? 0 : cfg_.blocks[body].first;
}

std::vector<BlockId> Places::questions(BlockId block) const {
    std::vector<BlockId> result;
    if (cfg_.blocks[block].asks) result.push_back(block);
    for (std::uint32_t copy = cfg_.blocks[block].copy; cfg_.copies[copy].role != Role::entry; copy = cfg_.copies[copy].caller) {
        if (cfg_.copies[copy].role != Role::callback) continue;
        const Copy& caller = cfg_.copies[cfg_.copies[copy].caller];
        for (BlockId id = caller.first; id < caller.past; ++id) {
            if (cfg_.blocks[id].asks && cfg_.blocks[id].first == cfg_.copies[copy].call) result.push_back(id);
        }
    }
    std::reverse(result.begin(), result.end());
    return result;
}

}  // namespace unibpf::analyser
