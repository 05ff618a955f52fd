#include "guest/graph/check.hpp"

#include <algorithm>

#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

struct Range {
    std::uint32_t least = 0;
    std::uint32_t most = 0;
};

// "1", "1-2", "1-" or "-" of a class row's port code.
Range parse_range(std::string_view code) {
    auto digits = [&code](std::uint32_t otherwise) {
        std::uint32_t value = 0;
        bool any = false;
        for (; !code.empty() && code[0] >= '0' && code[0] <= '9'; code.remove_prefix(1), any = true)
            value = value * 10 + static_cast<std::uint32_t>(code[0] - '0');
        return any ? value : otherwise;
    };
    Range range;
    range.least = digits(0);
    if (code.empty()) return {range.least, range.least};
    code.remove_prefix(1);
    range.most = digits(max_ports);
    return range;
}

// A code such as "1/1-2" or "a/ah": what is left and right of the slash.
std::string_view side(std::string_view code, bool output) {
    const std::size_t slash = code.find('/');
    return output ? slice(code, slash + 1) : slice(code, 0, slash);
}

class Checker {
  public:
    Checker(const FlatGraph& graph, BuildContext& context)
        : graph_{graph}, context_{context}, ports_{context.scratch.array<ElementPorts>(graph.elements.size())},
          groups_{context.scratch.array<std::uint32_t>(first_element + graph.elements.size())} {}

    std::span<ElementPorts> run() {
        if (context_.scratch.exhausted()) return {};
        count();
        for (std::uint32_t i = 0; i < groups_.size(); ++i) groups_[i] = i;
        for (const FlatConnection& connection : graph_.connections) join(connection);
        for (std::uint32_t e = 0; e < ports_.size(); ++e) settle(e);
        if (!context_.scratch.exhausted()) check_uses();
        return ports_;
    }

  private:
    // Groups of ports that must be of one kind: all pushing ports, all pulling ports, the agnostic ports of each element.
    static constexpr std::uint32_t push_group = 0;
    static constexpr std::uint32_t pull_group = 1;
    static constexpr std::uint32_t first_element = 2;

    const FlatElement& element(std::uint32_t e) const { return graph_.elements[e]; }

    void count() {
        for (const FlatConnection& connection : graph_.connections) {
            use_port(connection.from, connection.from_port, true, connection.at);
            use_port(connection.to, connection.to_port, false, connection.at);
        }
        for (std::uint32_t e = 0; e < ports_.size(); ++e) {
            ports_[e].inputs = std::max(ports_[e].inputs, parse_range(side(element(e).row->ports, false)).least);
            ports_[e].outputs = std::max(ports_[e].outputs, parse_range(side(element(e).row->ports, true)).least);
        }
    }

    void use_port(std::uint32_t e, std::uint32_t port, bool output, const char* at) {
        const Range range = parse_range(side(element(e).row->ports, output));
        if (port >= range.most)
            context_.error(at, "`", element(e).name, "` has no ", name(output), " ", port, ": a ", element(e).row->name, " has ",
                           range.most);
        std::uint32_t& count = output ? ports_[e].outputs : ports_[e].inputs;
        count = std::max(count, port + 1);
    }

    std::uint32_t group(std::uint32_t e, std::uint32_t port, bool output) const {
        const std::string_view code = side(element(e).row->processing, output);
        if (code.empty()) return push_group;  // a port that the class does not have: already reported
        const char kind = code[std::min<std::size_t>(port, code.size() - 1)];
        return kind == 'h'   ? push_group
               : kind == 'l' ? pull_group
                             : first_element + e;
    }

    // Halves the path as it goes, so that long chains stay cheap.
    std::uint32_t find(std::uint32_t i) {
        while (groups_[i] != i) i = groups_[i] = groups_[groups_[i]];
        return i;
    }

    void join(const FlatConnection& connection) {
        const std::uint32_t from = find(group(connection.from, connection.from_port, true));
        const std::uint32_t to = find(group(connection.to, connection.to_port, false));
        if (from == to) return;
        if (from < first_element && to < first_element) {
            context_.error(connection.at, "output ", connection.from_port, " of `", element(connection.from).name, "` ",
                           from == push_group ? "pushes" : "is pulled", " but input ", connection.to_port, " of `",
                           element(connection.to).name, "` ", to == push_group ? "is pushed to" : "pulls", ", expected ",
                           from == push_group ? "a `Queue`" : "an `Unqueue`", " between them");
            return;
        }
        groups_[std::max(from, to)] = std::min(from, to);  // push and pull stay roots
    }

    PortKind kind(std::uint32_t e, std::uint32_t port, bool output) {
        return find(group(e, port, output)) == pull_group ? PortKind::pull : PortKind::push;
    }

    void settle(std::uint32_t e) {
        ElementPorts& ports = ports_[e];
        ports.input_kinds = context_.scratch.array<PortKind>(ports.inputs);
        ports.output_kinds = context_.scratch.array<PortKind>(ports.outputs);
        for (std::uint32_t i = 0; i < ports.input_kinds.size(); ++i) ports.input_kinds[i] = kind(e, i, false);
        for (std::uint32_t i = 0; i < ports.output_kinds.size(); ++i) ports.output_kinds[i] = kind(e, i, true);
    }

    void check_uses() {
        std::span<std::span<std::uint16_t>> uses[2];
        for (int output = 0; output < 2; ++output) {
            uses[output] = context_.scratch.array<std::span<std::uint16_t>>(ports_.size());
            for (std::size_t e = 0; e < uses[output].size(); ++e)
                uses[output][e] = context_.scratch.array<std::uint16_t>(output ? ports_[e].outputs : ports_[e].inputs);
        }
        if (context_.scratch.exhausted()) return;
        for (const FlatConnection& connection : graph_.connections) {
            const bool pushes = ports_[connection.from].output_kinds[connection.from_port] == PortKind::push;
            const bool pulls = ports_[connection.to].input_kinds[connection.to_port] == PortKind::pull;
            if (++uses[1][connection.from][connection.from_port] == 2 && pushes) twice(connection.from, connection.from_port, true, connection.at);
            if (++uses[0][connection.to][connection.to_port] == 2 && pulls) twice(connection.to, connection.to_port, false, connection.at);
        }
        for (std::uint32_t e = 0; e < ports_.size(); ++e) {
            report_unused(e, uses[0][e], false);
            report_unused(e, uses[1][e], true);
        }
    }

    void twice(std::uint32_t e, std::uint32_t port, bool output, const char* at) {
        context_.error(at, output ? "push output " : "pull input ", port, " of `", element(e).name, "` is connected twice");
    }

    void report_unused(std::uint32_t e, std::span<const std::uint16_t> uses, bool output) {
        const Range range = parse_range(side(element(e).row->ports, output));
        for (std::uint32_t port = 0; port < uses.size(); ++port) {
            const bool may_be_free = output && element(e).row->sparse_outputs && port >= range.least;
            if (uses[port] == 0 && !may_be_free)
                context_.error(element(e).at, name(output), " ", port, " of `", element(e).name, "` is not connected");
        }
    }

    static std::string_view name(bool output) { return output ? "output" : "input"; }

    const FlatGraph& graph_;
    BuildContext& context_;
    std::span<ElementPorts> ports_;
    std::span<std::uint32_t> groups_;
};

}  // namespace

std::span<ElementPorts> check_ports(const FlatGraph& graph, BuildContext& context) { return Checker{graph, context}.run(); }

}  // namespace unibpf
