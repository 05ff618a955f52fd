#include "services/verifier/native/report/drawing.hpp"

#include <algorithm>

#include "services/verifier/native/explain/disassembly.hpp"

namespace unibpf::analyser {
namespace {

// A quoted string of DOT, one line each.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
    return out;
}

std::string line(std::string_view text) { return escaped(text) + "\\l"; }

std::string name_of(BlockId id) { return "b" + std::to_string(id); }

class Drawing {
  public:
    Drawing(const Program& program, const Cfg& cfg, const Wto& wto, const Analysis& analysis, const Invariants* invariants)
        : program_{program}, cfg_{cfg}, wto_{wto}, analysis_{analysis}, invariants_{invariants}, called_(cfg.copies.size()) {
        for (std::uint32_t copy = 0; copy < cfg.copies.size(); ++copy) {
            if (cfg.copies[copy].role != Role::entry) called_[cfg.copies[copy].caller].push_back(copy);
        }
    }

    std::string run() {
        out_ = "digraph \"" + escaped(program_.name) + "\" {\n  node [shape=box fontname=monospace]\n  edge [fontname=monospace]\n";
        for (std::uint32_t copy = 0; copy < cfg_.copies.size(); ++copy) {
            if (cfg_.copies[copy].role == Role::entry) draw_copy(copy);
        }
        const auto drawn = static_cast<BlockId>(std::min(cfg_.blocks.size(), most_drawn_blocks));
        for (BlockId id = 0; id < drawn; ++id) draw_edges(id, drawn);
        if (drawn < cfg_.blocks.size()) out_ += "  cut [shape=note label=\"" + std::to_string(cfg_.blocks.size() - drawn) + " more blocks\"]\n";
        return std::move(out_) + "}\n";
    }

  private:
    // As deep as calls nest.
    void draw_copy(std::uint32_t copy) {
        const Copy& function = cfg_.copies[copy];
        if (function.first >= most_drawn_blocks) return;
        const std::string title = copy == 0 ? program_.name : "function at " + std::to_string(function.start);
        out_ += "  subgraph cluster_" + std::to_string(copy) + " {\n  label=\"" + escaped(title) + "\"\n";
        for (BlockId id = function.first; id < std::min<std::size_t>(function.past, most_drawn_blocks); ++id) draw_block(id);
        for (const std::uint32_t inner : called_[copy]) draw_copy(inner);
        out_ += "  }\n";
    }

    void draw_block(BlockId id) {
        const Block& block = cfg_.blocks[id];
        std::string label;
        const auto loop = analysis_.loop_bounds.find(id);
        if (is_head(id)) label += line("loop" + (loop == analysis_.loop_bounds.end() ? ""
                                                 : loop->second                      ? ", at most " + std::to_string(*loop->second) + " rounds"
                                                                                     : ", no bound found"));
        if (block.asks) {
            out_ += "  " + name_of(id) + " [label=\"" + label + line("once more?") + "\"" + (is_head(id) ? " peripheries=2" : "") + "]\n";
            return;
        }
        if (invariants_ != nullptr) label += known_at(block.first);
        for (std::uint32_t at = block.first; at <= block.last; ++at) {
            if (std::holds_alternative<SecondSlot>(program_.insns[at])) continue;
            if (at - block.first == most_drawn_instructions) {
                label += line(std::to_string(block.last - at + 1) + " more instructions");
                break;
            }
            label += line(std::to_string(at) + ": " + disassemble(program_.insns[at], program_));
        }
        out_ += "  " + name_of(id) + " [label=\"" + label + "\"" + (is_head(id) ? " peripheries=2" : "") + "]\n";
    }

    bool is_head(BlockId id) const { return !wto_.loops_of[id].empty() && wto_.loops_of[id].back() == id; }

    std::string known_at(std::uint32_t at) const {
        std::string out;
        for (unsigned reg = 0; reg < frame_register; ++reg) {
            const std::string text = describe(invariants_->before(at)[reg]);
            if (!text.empty()) out += line("r" + std::to_string(reg) + " = " + text);
        }
        return out;
    }

    void draw_edges(BlockId id, BlockId drawn) {
        const Block& block = cfg_.blocks[id];
        const Insn& last = program_.insns[block.last];
        const bool branches = std::holds_alternative<Branch>(last);
        if (block.asks) {
            draw_edge(id, block.next, "call", drawn);
            return draw_edge(id, block.taken, "done", drawn);
        }
        const char* next = branches                                  ? "next"
                           : std::holds_alternative<CallLocal>(last) ? "call"
                           : std::holds_alternative<Exit>(last)      ? "return"
                                                                     : "";
        draw_edge(id, block.next, next, drawn);
        draw_edge(id, block.taken, branches ? "taken" : "return", drawn);
    }

    void draw_edge(BlockId from, BlockId to, const char* label, BlockId drawn) {
        if (to == no_block) return;
        out_ += "  " + name_of(from) + " -> " + (to < drawn ? name_of(to) : "cut") + (*label == 0 ? "" : std::string{" [label="} + label + "]") + "\n";
    }

    const Program& program_;
    const Cfg& cfg_;
    const Wto& wto_;
    const Analysis& analysis_;
    const Invariants* const invariants_;
    std::vector<std::vector<std::uint32_t>> called_;  // by the copy that calls
    std::string out_;
};

}  // namespace

std::string draw(const Program& program, const Cfg& cfg, const Wto& wto, const Analysis& analysis, const Invariants* invariants) {
    return Drawing{program, cfg, wto, analysis, invariants}.run();
}

}  // namespace unibpf::analyser
