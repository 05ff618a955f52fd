#include "services/verifier/native/certificate/places.hpp"
#include "services/verifier/native/certificate/recorder.hpp"
#include "services/verifier/native/certificate/stored_state.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::uint64_t format_version = 1;

class Encoder {
  public:
    Encoder(const Recorder& recorder, const Cfg& cfg) : nodes_{recorder.nodes()}, entries_{recorder.entries()}, cfg_{cfg}, places_{cfg, nodes_} {}

    std::optional<std::vector<std::uint8_t>> run(std::size_t most_bytes) {
        find_returns();
        out_.array(4);
        out_.uint(format_version);
        places_.write(out_);
        out_.array(entries_.size());
        for (const std::uint32_t node : entries_) out_.uint(node);
        out_.array(nodes_.size());
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
            if (!write(i) || out_.size() > most_bytes) return std::nullopt;
        }
        return out_.take();
    }

  private:
    void find_returns() {
        ways_.resize(nodes_.size());
        returns_.resize(nodes_.size());
        for (const std::uint32_t node : entries_) {
            if (node != no_node) ++ways_[node];
        }
        for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
            for (const std::uint32_t to : nodes_[i].edges) {
                if (to == no_node) continue;
                ++ways_[to];
                if (to <= i) returns_[to] = true;
            }
        }
    }

    bool write(std::uint32_t id) {
        const CertificateNode& node = nodes_[id];
        const bool stores = node.state && (ways_[id] > 1 || returns_[id] || ways_[id] == 0);
        const bool plain = node.edges[0] == id + 1 && node.edges[1] == no_node;
        const bool loop = returns_[id] && node.loop_end != 0;
        out_.map(std::size_t{!plain} + (stores ? 2 : 0) + std::size_t{loop});
        if (!plain) {
            out_.uint(0);
            edges(id, node);
        }
        bool speakable = true;
        if (stores) {
            out_.uint(1);
            out_.array(3);
            const Block& block = cfg_.blocks[node.block];
            out_.uint(places_.chain_of(node.block));
            out_.uint(block.first);
            out_.uint(block.asks);
            out_.uint(2);
            speakable = write_state(out_, *node.state, counted(node), node.block, places_);
        }
        if (loop) {
            out_.uint(3);
            out_.uint(node.loop_end - id);
        }
        return speakable;
    }

    void edges(std::uint32_t id, const CertificateNode& node) {
        const std::size_t count = node.edges[1] != no_node   ? 2
                                  : node.edges[0] != no_node ? 1
                                                             : 0;
        out_.array(count);
        for (std::size_t slot = 0; slot < count; ++slot) {
            if (node.edges[slot] == no_node) out_.null();
            else out_.integer(std::int64_t{node.edges[slot]} - id);
        }
    }

    // Loops of callbacks are counted with their calls, loops that were unrolled or never go round are none.
    std::vector<std::size_t> counted(const CertificateNode& node) const {
        std::vector<std::size_t> result;
        for (std::size_t i = 0; i < node.loops.size() && i < node.state->counters.size(); ++i) {
            const std::uint32_t head = node.loops[i];
            if (head != no_node && returns_[head] && !cfg_.blocks[nodes_[head].block].asks) result.push_back(i);
        }
        return result;
    }

    const std::vector<CertificateNode>& nodes_;
    const std::vector<std::uint32_t>& entries_;
    const Cfg& cfg_;
    const Places places_;
    CborWriter out_;
    std::vector<std::uint32_t> ways_;
    std::vector<bool> returns_;
};

}  // namespace

std::optional<std::vector<std::uint8_t>> encode(const Recorder& recorder, const Cfg& cfg, std::size_t most_bytes) { return Encoder{recorder, cfg}.run(most_bytes); }

}  // namespace unibpf::analyser
