// Circles of pushes: as in Click's own router, where an ICMP error goes back to the routing table. A walk from the graph's
// sources, depth first: a connection to an element that the walk has not left yet closes a circle.
#include "guest/core/format.hpp"
#include "guest/graph/check.hpp"

namespace unibpf {

namespace {

class CircleSearch {
  public:
    CircleSearch(const FlatGraph& graph, std::span<const ElementPorts> ports, BuildContext& context)
        : graph_{graph}, ports_{ports}, states_{context.scratch.array<State>(graph.elements.size())},
          next_{context.scratch.array<std::uint32_t>(graph.elements.size())}, path_{context.scratch.array<std::uint32_t>(graph.elements.size())},
          first_{context.scratch.array<std::uint32_t>(graph.elements.size() + 1)}, sorted_{context.scratch.array<std::uint32_t>(graph.connections.size())},
          cut_{context.scratch.array<bool>(graph.connections.size())} {}

    // By connection: whether it closes a circle.
    std::span<const bool> run() {
        sort();
        for (const bool sources : {true, false})
            for (std::uint32_t e = 0; e < states_.size(); ++e)
                if (states_[e] == State::fresh && (!sources || ports_[e].inputs == 0)) walk(e);
        return cut_;
    }

  private:
    enum class State : std::uint8_t {
        fresh,
        on_path,
        left
    };

    bool pushes(const FlatConnection& c) const {
        return ports_[c.from].output_kinds[c.from_port] == PortKind::push && !graph_.elements[c.from].row->defers;
    }

    // Connections by the element that they come from.
    void sort() {
        for (const FlatConnection& c : graph_.connections) ++first_[c.from + 1];
        for (std::size_t e = 1; e < first_.size(); ++e) first_[e] += first_[e - 1];
        for (std::size_t e = 0; e < next_.size(); ++e) next_[e] = first_[e];
        for (std::uint32_t c = 0; c < graph_.connections.size(); ++c) sorted_[next_[graph_.connections[c].from]++] = c;
        for (std::size_t e = 0; e < next_.size(); ++e) next_[e] = first_[e];
    }

    void walk(std::uint32_t start) {
        std::size_t depth = 0;
        path_[depth++] = start;
        states_[start] = State::on_path;
        while (depth > 0) {
            const std::uint32_t e = path_[depth - 1];
            if (next_[e] == first_[e + 1]) {
                states_[e] = State::left;
                --depth;
                continue;
            }
            const std::uint32_t c = sorted_[next_[e]++];
            const FlatConnection& connection = graph_.connections[c];
            if (!pushes(connection)) continue;
            cut_[c] = states_[connection.to] == State::on_path;
            if (states_[connection.to] != State::fresh) continue;
            states_[connection.to] = State::on_path;
            path_[depth++] = connection.to;
        }
    }

    const FlatGraph& graph_;
    std::span<const ElementPorts> ports_;
    std::span<State> states_;
    std::span<std::uint32_t> next_;   // by element: its next connection in `sorted_`
    std::span<std::uint32_t> path_;
    std::span<std::uint32_t> first_;  // by element: its first connection in `sorted_`
    std::span<std::uint32_t> sorted_;
    std::span<bool> cut_;
};

std::string_view detour_name(std::size_t number, Arena& arena) {
    TextBuffer<32> name;
    name.text("Detour@@").number(number);
    return arena.copy(name.view());
}

}  // namespace

bool cut_circles(FlatGraph& graph, std::span<const ElementPorts> ports, const ElementClass& detour, BuildContext& context) {
    const std::span<const bool> cut = CircleSearch{graph, ports, context}.run();
    if (context.scratch.exhausted()) return false;
    std::size_t count = 0;
    for (const bool closes : cut) count += closes;
    if (count == 0) return false;
    const std::size_t elements = graph.elements.size(), connections = graph.connections.size();
    FlatGraph longer{context.scratch.array<FlatElement>(elements + count), context.scratch.array<FlatConnection>(connections + count)};
    if (context.scratch.exhausted()) return false;
    for (std::size_t e = 0; e < elements; ++e) longer.elements[e] = graph.elements[e];
    std::size_t made = 0;
    for (std::size_t c = 0; c < connections; ++c) {
        FlatConnection connection = graph.connections[c];
        if (cut[c]) {
            const auto e = static_cast<std::uint32_t>(elements + made);
            longer.elements[e] = {detour_name(made + 1, context.lasting), &detour, {}, connection.at, connection.at};
            longer.connections[connections + made++] = {e, 0, connection.to, connection.to_port, connection.at};
            connection.to = e;
            connection.to_port = 0;
        }
        longer.connections[c] = connection;
    }
    graph = longer;
    return true;
}

}  // namespace unibpf
