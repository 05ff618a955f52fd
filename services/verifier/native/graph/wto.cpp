#include "services/verifier/native/graph/wto.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

class Decomposer {
  public:
    explicit Decomposer(const Cfg& cfg) : cfg_{cfg}, region_(cfg.blocks.size(), 0), number_(cfg.blocks.size(), 0), low_(cfg.blocks.size(), 0), on_stack_(cfg.blocks.size(), false) {}

    Wto run() {
        result_.loops_of.resize(cfg_.blocks.size());
        std::vector<BlockId> loops;
        result_.components = decompose(cfg_.entries, 0, no_block, loops);
        return std::move(result_);
    }

  private:
    // Tarjan's algorithm from the roots, inside one region; edges into `cut` do not count. Components come out in reverse
    // topological order.
    std::vector<Component> decompose(const std::vector<BlockId>& roots, std::uint32_t region, BlockId cut, std::vector<BlockId>& loops) {
        std::vector<std::vector<BlockId>> found;
        for (const BlockId root : roots) {
            if (number_[root] == 0) search(root, region, cut, found);
        }
        std::reverse(found.begin(), found.end());
        std::vector<Component> components;
        for (auto& members : found) components.push_back(component(members, cut, loops));
        return components;
    }

    struct Visit {
        BlockId block;
        int edge;
    };

    void search(BlockId root, std::uint32_t region, BlockId cut, std::vector<std::vector<BlockId>>& found) {
        std::vector<Visit> visits;
        open(root, visits);
        while (!visits.empty()) {
            Visit& visit = visits.back();
            if (visit.edge < 2) {
                const BlockId next = visit.edge++ == 0 ? cfg_.blocks[visit.block].next : cfg_.blocks[visit.block].taken;
                if (next == no_block || next == cut || region_[next] != region) continue;
                if (number_[next] == 0) open(next, visits);
                else if (on_stack_[next]) low_[visit.block] = std::min(low_[visit.block], number_[next]);
                continue;
            }
            const BlockId block = visit.block;
            visits.pop_back();
            if (!visits.empty()) low_[visits.back().block] = std::min(low_[visits.back().block], low_[block]);
            if (low_[block] == number_[block]) close(block, found);
        }
    }

    void open(BlockId block, std::vector<Visit>& visits) {
        number_[block] = low_[block] = ++counter_;
        on_stack_[block] = true;
        stack_.push_back(block);
        visits.push_back({block, 0});
    }

    void close(BlockId root, std::vector<std::vector<BlockId>>& found) {
        std::vector<BlockId> members;
        BlockId member;
        do {
            member = stack_.back();
            stack_.pop_back();
            on_stack_[member] = false;
            members.push_back(member);
        } while (member != root);
        std::reverse(members.begin(), members.end());  // the root, visited first, is the head
        found.push_back(std::move(members));
    }

    bool has_self_edge(BlockId block) const { return cfg_.blocks[block].next == block || cfg_.blocks[block].taken == block; }

    Component component(const std::vector<BlockId>& members, BlockId cut, std::vector<BlockId>& loops) {
        const BlockId head = members.front();
        const bool is_loop = members.size() > 1 || (has_self_edge(head) && head != cut);
        if (is_loop) loops.push_back(head);
        if (loops.size() > most_nested_loops) throw GaveUp{"loops nest too deep"};
        result_.loops_of[head] = loops;
        Component result{head, is_loop, {}};
        if (!is_loop) return result;
        if (members.size() > 1) result.body = body(members, loops);
        loops.pop_back();
        return result;
    }

    std::vector<Component> body(const std::vector<BlockId>& members, std::vector<BlockId>& loops) {
        const std::uint32_t region = ++regions_;
        std::vector<BlockId> rest(members.begin() + 1, members.end());
        for (const BlockId block : rest) {
            region_[block] = region;
            number_[block] = low_[block] = 0;
        }
        // Successors of the head first, so that heads of inner loops are where control enters them.
        std::vector<BlockId> roots;
        for (const BlockId next : {cfg_.blocks[members.front()].next, cfg_.blocks[members.front()].taken}) {
            if (next != no_block && region_[next] == region) roots.push_back(next);
        }
        roots.insert(roots.end(), rest.begin(), rest.end());
        return decompose(roots, region, members.front(), loops);
    }

    const Cfg& cfg_;
    Wto result_;
    std::vector<std::uint32_t> region_, number_, low_;
    std::vector<bool> on_stack_;
    std::vector<BlockId> stack_;
    std::uint32_t counter_ = 0, regions_ = 0;
};

}  // namespace

Wto build_wto(const Cfg& cfg) { return Decomposer{cfg}.run(); }

}  // namespace unibpf::analyser
