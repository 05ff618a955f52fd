#include "guest/graph/flatten.hpp"

namespace unibpf {

namespace {

constexpr std::uint32_t no_index = ~std::uint32_t{0};

class TunnelRemover {
  public:
    TunnelRemover(std::span<const FlatElement> elements, std::span<const FlatConnection> connections, BuildContext& context)
        : elements_{elements}, connections_{connections}, context_{context},
          first_{context.scratch.array<std::uint32_t>(elements.size())},
          next_{context.scratch.array<std::uint32_t>(connections.size())},
          reached_{context.scratch.array<bool>(connections.size())} {}

    FlatGraph run() {
        if (context_.scratch.exhausted()) return {};
        index();
        for (const FlatConnection& connection : connections_)
            if (!is_tunnel(connection.from)) follow(connection, connection);
        report_unreached();
        return renumber();
    }

  private:
    bool is_tunnel(std::uint32_t element) const { return elements_[element].row == nullptr; }

    // A chain of connections for each tunnel, in the order of the text.
    void index() {
        for (std::uint32_t& first : first_) first = no_index;
        for (std::size_t i = connections_.size(); i-- > 0;) {
            std::uint32_t& first = first_[connections_[i].from];
            next_[i] = first;
            first = static_cast<std::uint32_t>(i);
        }
    }

    // `start` leads, through tunnels, to where `at` goes.
    void follow(const FlatConnection& start, const FlatConnection& at) {
        if (++steps_ > max_steps) {
            if (steps_ == max_steps + 1) context_.error(start.at, "the connections of compounds run in a circle, or are too many");
            return;
        }
        if (!is_tunnel(at.to)) {
            joined_.append(context_.scratch, {start.from, start.from_port, at.to, at.to_port, start.at});
            return;
        }
        if (depth_ > max_chain) return context_.error(start.at, "the connections of compounds run in a circle");
        ++depth_;
        bool leads_on = false;
        for (std::uint32_t i = first_[at.to]; i != no_index; i = next_[i]) {
            if (connections_[i].from_port != at.to_port) continue;
            leads_on = reached_[i] = true;
            follow(start, connections_[i]);
        }
        --depth_;
        if (!leads_on) context_.error(at.at, "port ", at.to_port, " of compound `", elements_[at.to].name, "` leads nowhere");
    }

    void report_unreached() {
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            const FlatConnection& connection = connections_[i];
            if (is_tunnel(connection.from) && !reached_[i])
                context_.error(connection.at, "nothing leads to port ", connection.from_port, " of compound `",
                               elements_[connection.from].name, "`");
        }
    }

    FlatGraph renumber() {
        List<FlatElement> kept;
        const std::span<std::uint32_t> index = context_.scratch.array<std::uint32_t>(elements_.size());
        for (std::size_t i = 0; i < elements_.size() && !index.empty(); ++i) {
            index[i] = static_cast<std::uint32_t>(kept.size());
            if (elements_[i].row) kept.append(context_.scratch, elements_[i]);
        }
        if (context_.scratch.exhausted()) return {};
        for (FlatConnection& connection : joined_) {
            connection.from = index[connection.from];
            connection.to = index[connection.to];
        }
        return {kept.to_span(context_.scratch), joined_.to_span(context_.scratch)};
    }

    static constexpr std::size_t max_steps = 4 * Flattener::max_connections;
    static constexpr unsigned max_chain = 64;  // tunnels in a row: two for each of 16 levels, and then some side by side

    std::span<const FlatElement> elements_;
    std::span<const FlatConnection> connections_;
    BuildContext& context_;
    std::span<std::uint32_t> first_;  // by tunnel: its first connection
    std::span<std::uint32_t> next_;   // by connection: the tunnel's next one
    std::span<bool> reached_;         // by connection out of a tunnel
    List<FlatConnection> joined_;
    std::size_t steps_ = 0;
    unsigned depth_ = 0;
};

}  // namespace

FlatGraph remove_tunnels(std::span<const FlatElement> elements, std::span<const FlatConnection> connections, BuildContext& context) {
    return TunnelRemover{elements, connections, context}.run();
}

}  // namespace unibpf
