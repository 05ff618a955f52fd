// Runs of packets that nothing stores: a pushed packet is carried from element to element on one stack, and so is a pull.
// Both must end: no circle without a Queue, and no longer run than the stack is made for.
#include <algorithm>

#include "guest/graph/check.hpp"

namespace unibpf {

namespace {

constexpr std::uint32_t max_run = 48;  // elements; each takes less than 1 KiB of the data path's stack, which has 64

class Runs {
  public:
    Runs(const FlatGraph& graph, std::span<const ElementPorts> ports, PortKind kind, BuildContext& context)
        : graph_{graph}, ports_{ports}, kind_{kind}, context_{context},
          first_{context.scratch.array<std::uint32_t>(graph.elements.size())},
          next_{context.scratch.array<std::uint32_t>(graph.connections.size())},
          waiting_{context.scratch.array<std::uint32_t>(graph.elements.size())},
          length_{context.scratch.array<std::uint32_t>(graph.elements.size())},
          ready_{context.scratch.array<std::uint32_t>(graph.elements.size())} {}

    void check() {
        if (context_.scratch.exhausted()) return;
        index();
        std::size_t ready = 0;
        for (std::uint32_t e = 0; e < waiting_.size(); ++e)
            if (waiting_[e] == 0) ready_[ready++] = e;
        // Kahn's topological order: an element is ready when all that lead to it are done. Circles never get ready.
        for (std::size_t done = 0; done < ready; ++done)
            for (std::uint32_t c = first_[ready_[done]]; c != no_index; c = next_[c]) {
                const std::uint32_t to = graph_.connections[c].to;
                length_[to] = std::max(length_[to], length_[ready_[done]] + 1);
                if (length_[to] == max_run && !too_long_) report_long(graph_.connections[c]);
                if (--waiting_[to] == 0) ready_[ready++] = to;
            }
        if (ready < waiting_.size()) report_circle();
    }

  private:
    static constexpr std::uint32_t no_index = ~std::uint32_t{0};

    bool counts(const FlatConnection& c) const {
        const bool defers = kind_ == PortKind::push && graph_.elements[c.from].row->defers;
        return !defers && ports_[c.from].output_kinds[c.from_port] == kind_;
    }

    void index() {
        for (std::uint32_t& first : first_) first = no_index;
        for (std::uint32_t c = 0; c < graph_.connections.size(); ++c) {
            const FlatConnection& connection = graph_.connections[c];
            if (!counts(connection)) continue;
            next_[c] = first_[connection.from];
            first_[connection.from] = c;
            ++waiting_[connection.to];
        }
    }

    void report_long(const FlatConnection& at) {
        too_long_ = true;
        context_.error(at.at, "more than ", max_run, " elements in a row, expected a `Queue` between them");
    }

    // What waits is in a circle or after one. Going back from it, always to something that waits, ends up in the circle.
    void report_circle() {
        std::uint32_t e = 0;
        while (waiting_[e] == 0) ++e;
        for (std::size_t steps = 0; steps < graph_.elements.size(); ++steps) e = graph_.connections[waited_for(e)].from;
        const FlatConnection& at = graph_.connections[waited_for(e)];
        context_.error(at.at, "packets run in a circle through `", graph_.elements[at.from].name, "` and `",
                       graph_.elements[at.to].name, "`, expected a `Queue` on the way");
    }

    // A connection that leads to `e` from something that waits too.
    std::uint32_t waited_for(std::uint32_t e) const {
        for (std::uint32_t c = 0; c < graph_.connections.size(); ++c)
            if (const FlatConnection& at = graph_.connections[c]; at.to == e && counts(at) && waiting_[at.from] > 0) return c;
        return 0;
    }

    const FlatGraph& graph_;
    std::span<const ElementPorts> ports_;
    PortKind kind_;
    BuildContext& context_;
    std::span<std::uint32_t> first_;    // by element: its first connection of that kind
    std::span<std::uint32_t> next_;     // by connection: its element's next one
    std::span<std::uint32_t> waiting_;  // by element: how many that lead to it are not done
    std::span<std::uint32_t> length_;   // by element: how many come before it on the longest run
    std::span<std::uint32_t> ready_;
    bool too_long_ = false;
};

}  // namespace

void check_runs(const FlatGraph& graph, std::span<const ElementPorts> ports, BuildContext& context) {
    for (const PortKind kind : {PortKind::push, PortKind::pull}) Runs{graph, ports, kind, context}.check();
}

}  // namespace unibpf
