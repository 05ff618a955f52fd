#include "services/signer/native/verdict/length.hpp"

#include <algorithm>

namespace unibpf::certificate {
namespace {

class Longest {
  public:
    using Own = std::uint64_t (*)(const NodeLength&);
    Longest(const std::vector<NodeLength>& lengths, const std::vector<Node>& nodes, Own own) : lengths_{lengths}, nodes_{nodes}, own_{own}, arrival_(nodes.size(), 0) {}

    std::uint64_t all() { return within(0, static_cast<std::uint32_t>(nodes_.size()), false); }

  private:
    // The longest way that stays in [first, end), wherever it begins; ways back are left out. `arrival_` is 0 there before.
    std::uint64_t within(std::uint32_t first, std::uint32_t end, bool is_loop) {
        std::uint64_t most = 0;
        for (std::uint32_t at = first; at < end;) {
            const bool begins = nodes_[at].loop_end != 0 && !(is_loop && at == first);
            const std::uint32_t past = begins ? nodes_[at].loop_end : at + 1;
            const std::uint64_t done = std::min(endless, entered(at, past) + (begins ? loop(at, past) : own_(lengths_[at])));
            most = std::max(most, done);
            for (std::uint32_t node = at; node < past; ++node) {
                for (const std::uint32_t to : nodes_[node].edges) {
                    if (to != no_node && to >= past) arrival_[to] = std::max(arrival_[to], done);
                }
            }
            at = past;
        }
        return most;
    }

    std::uint64_t entered(std::uint32_t first, std::uint32_t end) const { return *std::max_element(arrival_.begin() + first, arrival_.begin() + end); }

    std::uint64_t loop(std::uint32_t first, std::uint32_t end) {
        std::vector<std::uint64_t> before(arrival_.begin() + first, arrival_.begin() + end);
        std::fill(arrival_.begin() + first, arrival_.begin() + end, 0);
        const std::uint64_t round = within(first, end, true);
        std::copy(before.begin(), before.end(), arrival_.begin() + first);
        const std::uint64_t times = lengths_[first].rounds + 1;
        return times >= endless / std::max<std::uint64_t>(round, 1) ? endless : times * round;
    }

    const std::vector<NodeLength>& lengths_;
    const std::vector<Node>& nodes_;
    const Own own_;
    std::vector<std::uint64_t> arrival_;
};

}  // namespace

Length longest(const std::vector<NodeLength>& lengths, const std::vector<Node>& nodes) {
    const auto of = [&](Longest::Own own) { return Longest{lengths, nodes, own}.all(); };
    const std::uint64_t instructions = of([](const NodeLength& one) { return one.instructions; });
    const std::uint64_t each = of([](const NodeLength& one) { return one.instructions + one.work; });
    const std::uint64_t control = of([](const NodeLength& one) { return one.charged + one.work; });
    return {instructions, std::max(each, control)};
}

}  // namespace unibpf::certificate
