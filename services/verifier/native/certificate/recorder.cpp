#include "services/verifier/native/certificate/recorder.hpp"

namespace unibpf::analyser {

Recorder::Trail Recorder::start(std::size_t entry) {
    if (entries_.size() <= entry) entries_.resize(entry + 1, no_node);
    trails_.push_back({{outside, static_cast<std::uint32_t>(entry)}});
    return static_cast<Trail>(trails_.size() - 1);
}

Recorder::Trail Recorder::leave(Way way) {
    trails_.push_back({{static_cast<std::uint32_t>(nodes_.size() - 1), static_cast<std::uint32_t>(way)}});
    return static_cast<Trail>(trails_.size() - 1);
}

Recorder::Trail Recorder::merge(Trail a, Trail b) {
    if (a == 0 || b == 0) return a + b;
    std::vector<Edge> both = trails_[a];
    both.insert(both.end(), trails_[b].begin(), trails_[b].end());
    trails_.push_back(std::move(both));
    return static_cast<Trail>(trails_.size() - 1);
}

void Recorder::lead(Trail trail, std::uint32_t node) {
    for (const Edge& edge : trails_[trail]) {
        if (edge.node == outside) entries_[edge.slot] = node;
        else if (edge.node < nodes_.size()) nodes_[edge.node].edges[edge.slot] = node;
    }
}

void Recorder::begin(BlockId block, const State& state) {
    const auto node = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back({block});
    lead(state.trail, node);
    if (keeps_next_ || trails_[state.trail].size() > 1) {
        nodes_.back().state = state;
        nodes_.back().loops = loops_;
    }
    keeps_next_ = false;
}

}  // namespace unibpf::analyser
