// What the last pass of the analysis did, as the nodes and edges of a certificate (schemas/certificate.cddl).
//
// A node is one run of one block. Where several ways meet, or a loop begins, the state that the run began with is kept; all other
// states follow from what came before. States carry a trail: the edges that lead to them and still lack their node.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

// Where control goes at a block's end: Block::next or Block::taken.
enum class Way : std::uint8_t {
    next = 0,
    taken = 1
};

inline constexpr std::uint32_t no_node = UINT32_MAX;

struct CertificateNode {
    BlockId block;
    std::array<std::uint32_t, 2> edges{no_node, no_node};
    std::optional<State> state{};
    std::vector<std::uint32_t> loops{};  // node of the head, parallel to the state's counters; no_node: taken round by round
    std::uint32_t loop_end = 0;          // after the last node of the loop that begins here
};

class Recorder {
  public:
    using Trail = std::uint32_t;

    // --- edges
    Trail start(std::size_t entry);            // of a program's entry, by its number
    Trail leave(Way way);                      // out of the node that runs
    Trail merge(Trail a, Trail b);
    void lead(Trail trail, std::uint32_t node);  // these edges lead there

    // --- nodes
    void begin(BlockId block, const State& state);
    struct Mark {
        std::size_t nodes;
    };
    Mark mark() const { return {nodes_.size()}; }
    void go_back(const Mark& mark) { nodes_.resize(mark.nodes); }

    // --- loops, as the analysis enters and leaves them
    void enter_loop() { loops_.push_back(no_node); }
    void leave_loop() { loops_.pop_back(); }
    // The next node is the head of the innermost loop, with its invariant.
    void begin_rounds() {
        loops_.back() = static_cast<std::uint32_t>(nodes_.size());
        keeps_next_ = true;
    }
    std::uint32_t head() const { return loops_.back(); }
    void end_rounds() {
        if (loops_.back() < nodes_.size()) nodes_[loops_.back()].loop_end = static_cast<std::uint32_t>(nodes_.size());
    }

    const std::vector<CertificateNode>& nodes() const { return nodes_; }
    std::vector<CertificateNode>& nodes() { return nodes_; }
    const std::vector<std::uint32_t>& entries() const { return entries_; }

  private:
    struct Edge {
        std::uint32_t node, slot;
    };
    static constexpr std::uint32_t outside = UINT32_MAX;  // `slot` is the number of an entry

    std::vector<CertificateNode> nodes_;
    std::vector<std::uint32_t> entries_;
    std::vector<std::vector<Edge>> trails_{1};
    std::vector<std::uint32_t> loops_;
    bool keeps_next_ = false;
};

// The certificate's bytes, if they are no more than that many.
std::optional<std::vector<std::uint8_t>> encode(const Recorder& recorder, const Cfg& cfg, std::size_t most_bytes);

}  // namespace unibpf::analyser
