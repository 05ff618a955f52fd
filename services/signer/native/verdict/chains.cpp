#include "services/signer/native/verdict/chains.hpp"

#include "guest/bpf/bundle/abi.hpp"
#include "services/signer/native/input/cbor.hpp"

namespace unibpf::certificate {

void Chains::read(Cbor& in) {
    for (std::size_t left = in.array(); left > 0; --left) {
        if (in.array() != 3) malformed("a chain has other than three fields");
        const auto own = static_cast<std::uint32_t>(chains_.size());
        Chain chain{static_cast<std::uint32_t>(in.uint(own)), static_cast<std::uint32_t>(in.uint(abi::max_instructions)), static_cast<Role>(in.uint(2))};
        if ((chain.parent == own) != (chain.role == Role::start)) malformed("a chain begins with no start, or a start has a caller");
        if (chain.role == Role::start) {
            chain.start = own;
        } else {
            const Chain& parent = chains_[chain.parent];
            chain.depth = parent.depth + 1;
            chain.start = parent.start;
            chain.in_callback = parent.in_callback || chain.role == Role::callback;
        }
        if (chain.depth >= abi::max_frames) unproved("calls nest deeper than 8 functions");
        const std::uint32_t key = chain.role == Role::start ? UINT32_MAX : chain.parent;
        if (!places_.emplace(std::tuple{key, chain.at, chain.role}, own).second) malformed("a chain is given twice");
        chains_.push_back(chain);
    }
}

std::optional<std::uint32_t> Chains::find(std::uint32_t parent, std::uint32_t at, Role role) const {
    const auto found = places_.find(std::tuple{role == Role::start ? UINT32_MAX : parent, at, role});
    return found == places_.end() ? std::nullopt : std::optional{found->second};
}

}  // namespace unibpf::certificate
