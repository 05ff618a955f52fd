#include "services/verifier/native/explain/slice.hpp"

#include <bitset>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "services/verifier/native/explain/disassembly.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::size_t most_visits = 4096;
constexpr unsigned slots_of_frame = abi::frame_bytes / 8;
constexpr Register last_argument = 5;

// Registers and stack slots of all frames.
class Locations {
  public:
    bool has(unsigned depth, Register reg) const { return bits_[depth * 16 + reg]; }
    void set(unsigned depth, Register reg, bool wanted = true) {
        if (reg != frame_register) bits_[depth * 16 + reg] = wanted;
    }
    void add(unsigned depth, std::uint16_t registers) {
        for (Register reg = 0; reg < register_count; ++reg) {
            if ((registers >> reg & 1) != 0) set(depth, reg);
        }
    }
    // Slots of 8 bytes that [r10 + offset, + bytes) touches; all of them in range, or none.
    template <typename F>
    static void each_slot(int offset, unsigned bytes, F&& visit) {
        const int low = offset + static_cast<int>(abi::frame_bytes), high = low + static_cast<int>(bytes) - 1;
        if (low < 0 || high >= static_cast<int>(abi::frame_bytes)) return;
        for (int slot = low / 8; slot <= high / 8; ++slot) visit(static_cast<unsigned>(slot));
    }
    bool has_slot(unsigned depth, unsigned slot) const { return bits_[index_of(depth, slot)]; }
    void set_slot(unsigned depth, unsigned slot, bool wanted) { bits_[index_of(depth, slot)] = wanted; }
    void drop_frame(unsigned depth) {
        for (Register reg = 0; reg < register_count; ++reg) set(depth, reg, false);
        for (unsigned slot = 0; slot < slots_of_frame; ++slot) set_slot(depth, slot, false);
    }
    bool any() const { return bits_.any(); }
    // True if something is new.
    bool merge(const Locations& other) {
        const auto before = bits_;
        bits_ |= other.bits_;
        return bits_ != before;
    }

  private:
    static std::size_t index_of(unsigned depth, unsigned slot) { return abi::max_frames * 16 + depth * slots_of_frame + slot; }
    std::bitset<abi::max_frames * (16 + slots_of_frame)> bits_;
};

// What a helper reads and writes, by its row: not all five registers are arguments.
Uses uses_of_call(std::uint32_t number) {
    Uses uses{0, 0b111111};
    const abi::HelperRow* row = tables_of(Platform::linux_xdp).find_helper(number);
    for (unsigned i = 0; row != nullptr && i < row->arguments.size(); ++i) {
        if (row->arguments[i] != abi::Argument::none) uses.reads |= static_cast<std::uint16_t>(2U << i);
    }
    return uses;
}

Uses uses_of_update(const AtomicUpdate& update) {
    Uses uses = uses_of(update);
    if (update.op >= Atomic::fetch_add) uses.writes |= static_cast<std::uint16_t>(1U << (update.op == Atomic::cmpxchg ? 0 : update.src));
    return uses;
}

// Walks backwards through instructions, turning what is wanted after one into what is wanted before it.
class Walk {
  public:
    Walk(const Program& program, std::map<std::uint32_t, std::optional<bool>>& steps) : program_{program}, steps_{steps} {}

    bool is_full() const { return steps_.size() >= longest_slice; }

    void back(Locations& wanted, std::uint32_t at, unsigned depth) {
        const Insn& insn = program_.insns[at];
        if (const auto* load = std::get_if<Load>(&insn); load != nullptr && load->base == frame_register) return load_back(wanted, *load, at, depth);
        if (const auto* store = std::get_if<Store>(&insn); store != nullptr && store->base == frame_register) return store_back(wanted, *store, at, depth);
        if (const auto* call = std::get_if<CallHelper>(&insn)) return call_back(wanted, *call, at, depth);
        const auto* update = std::get_if<AtomicUpdate>(&insn);
        const Uses uses = update == nullptr ? uses_of(insn) : uses_of_update(*update);
        if (std::holds_alternative<CallLocal>(insn) || !takes(wanted, uses.writes, depth)) return;
        note(at);
        wanted.add(depth, uses.reads);
    }

    // Across the edge to a block: a call hands over r1 to r5, a return r0; r6 to r9 stay those of their frame.
    void across(Locations& wanted, std::uint32_t last, unsigned depth, unsigned depth_after) {
        if (std::holds_alternative<CallLocal>(program_.insns[last])) {
            bool passes = false;
            for (Register reg = 1; reg <= last_argument; ++reg) {
                passes |= wanted.has(depth_after, reg);
                wanted.set(depth, reg, wanted.has(depth_after, reg));
            }
            wanted.drop_frame(depth_after);
            if (passes) note(last);
        } else if (std::holds_alternative<Exit>(program_.insns[last])) {
            if (wanted.has(depth_after, 0)) note(last);
            wanted.set(depth, 0, wanted.has(depth_after, 0));
            for (Register reg = 0; reg <= last_argument; ++reg) wanted.set(depth_after, reg, false);
        }
    }

  private:
    void note(std::uint32_t at) {
        if (!is_full()) steps_.try_emplace(at);
    }

    // Is one of these registers wanted? They are not, before they are written.
    static bool takes(Locations& wanted, std::uint16_t registers, unsigned depth) {
        bool found = false;
        for (Register reg = 0; reg < register_count; ++reg) {
            if ((registers >> reg & 1) == 0 || !wanted.has(depth, reg)) continue;
            wanted.set(depth, reg, false);
            found = true;
        }
        return found;
    }

    void load_back(Locations& wanted, const Load& load, std::uint32_t at, unsigned depth) {
        if (!takes(wanted, static_cast<std::uint16_t>(1U << load.dst), depth)) return;
        note(at);
        Locations::each_slot(load.offset, load.bytes, [&](unsigned slot) { wanted.set_slot(depth, slot, true); });
    }

    void store_back(Locations& wanted, const Store& store, std::uint32_t at, unsigned depth) {
        bool found = false;
        Locations::each_slot(store.offset, store.bytes, [&](unsigned slot) {
            found |= wanted.has_slot(depth, slot);
            if (store.bytes == 8 && store.offset % 8 == 0) wanted.set_slot(depth, slot, false);
        });
        if (!found) return;
        note(at);
        if (store.src.is_register) wanted.set(depth, store.src.reg);
    }

    // What a call clobbers comes from nowhere; its result comes from its arguments.
    void call_back(Locations& wanted, const CallHelper& call, std::uint32_t at, unsigned depth) {
        const bool result = wanted.has(depth, 0);
        const Uses uses = uses_of_call(call.number);
        if (!takes(wanted, uses.writes, depth)) return;
        note(at);
        if (result) wanted.add(depth, uses.reads);
    }

    const Program& program_;
    std::map<std::uint32_t, std::optional<bool>>& steps_;
};

}  // namespace

std::vector<SliceRoot> Slicer::find_guards(const std::vector<SliceRoot>& roots, Steps& steps) const {
    std::unordered_set<BlockId> leads;
    std::vector<BlockId> order;
    const auto reach = [&](BlockId id) {
        if (leads.insert(id).second) order.push_back(id);
    };
    for (const SliceRoot& root : roots) reach(root.block);
    for (std::size_t i = 0; i < order.size(); ++i) {
        for (const BlockId before : predecessors_.of(order[i])) reach(before);
    }
    std::vector<SliceRoot> nearest;
    std::size_t guards = 0;
    for (const BlockId id : order) {
        const Block& block = cfg_.blocks[id];
        if (block.taken == no_block || leads.contains(block.taken) == leads.contains(block.next)) continue;
        const auto [place, is_new] = steps.try_emplace(block.last);
        if (!place->second) place->second = leads.contains(block.taken);
        if (nearest.size() < most_guards_followed) nearest.push_back({id, block.last, uses_of(program_.insns[block.last]).reads});
        guards += is_new;
        if (guards == most_guards) break;
    }
    return nearest;
}

void Slicer::follow_data(const std::vector<SliceRoot>& roots, Steps& steps) const {
    Walk walk{program_, steps};
    std::unordered_map<BlockId, Locations> after;  // what is wanted at the end of a block
    std::deque<BlockId> waiting;
    const auto run_back = [&](Locations wanted, BlockId id, std::uint32_t past) {
        const Block& block = cfg_.blocks[id];
        for (std::uint32_t at = past; at-- > block.first && wanted.any() && !walk.is_full();) walk.back(wanted, at, block.depth);
        if (!wanted.any()) return;
        for (const BlockId before : predecessors_.of(id)) {
            Locations there = wanted;
            walk.across(there, cfg_.blocks[before].last, cfg_.blocks[before].depth, block.depth);
            if (there.any() && after[before].merge(there)) waiting.push_back(before);
        }
    };
    for (const SliceRoot& root : roots) {
        Locations wanted;
        wanted.add(cfg_.blocks[root.block].depth, root.registers);
        run_back(wanted, root.block, root.instruction);
    }
    for (std::size_t visits = 0; !waiting.empty() && visits < most_visits && !walk.is_full(); ++visits) {
        const BlockId id = waiting.front();
        waiting.pop_front();
        run_back(after[id], id, cfg_.blocks[id].last + 1);
    }
}

std::vector<SliceStep> Slicer::slice(const std::vector<SliceRoot>& roots) const {
    Steps steps;
    for (const SliceRoot& root : roots) steps.try_emplace(root.instruction);
    const std::vector<SliceRoot> guards = find_guards(roots, steps);
    follow_data(roots, steps);
    follow_data(guards, steps);
    std::vector<SliceStep> result;
    for (const auto& [at, taken] : steps) result.push_back({at, disassemble(program_.insns[at], program_), taken});
    return result;
}

}  // namespace unibpf::analyser
