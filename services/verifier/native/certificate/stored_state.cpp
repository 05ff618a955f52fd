#include "services/verifier/native/certificate/stored_state.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <unordered_map>

namespace unibpf::analyser {
namespace {

class StateWriter {
  public:
    StateWriter(CborWriter& out, State&& state, const std::vector<std::size_t>& counted, BlockId block, const Places& places)
        : out_{out}, state_{std::move(state)}, counted_{counted}, places_{places}, questions_{places.questions(block)} {}

    bool run() {
        name_symbols();
        using Part = std::pair<std::uint64_t, std::function<void()>>;
        std::vector<Part> parts{{0, [&] { symbols(); }}, {1, [&] { registers(); }}, {2, [&] { frames(); }}};
        if (std::any_of(state_.differences.edges().begin(), state_.differences.edges().end(), [&](const Difference& edge) { return is_named(edge); })) parts.push_back({3, [&] { edges(); }});
        if (!state_.saved.empty()) parts.push_back({4, [&] { saved(); }});
        if (!state_.callbacks.empty()) parts.push_back({5, [&] { callbacks(); }});
        if (!counted_.empty()) parts.push_back({6, [&] { counters(); }});
        if (!state_.references.empty()) parts.push_back({7, [&] { references(); }});
        if (state_.lock.held != Lock::Held::no) parts.push_back({8, [&] { out_.uint(state_.lock.held == Lock::Held::yes ? identity(state_.lock.identity) : 0); }});
        if (!defined_.empty()) parts.push_back({9, [&] { definitions(); }});
        out_.map(parts.size());
        for (const auto& [key, write] : parts) {
            out_.uint(key);
            write();
        }
        return speakable_ && questions_.size() == state_.callbacks.size();
    }

  private:
    // --- symbols are numbered as they are met

    void name(Symbol symbol) {
        if (names_.try_emplace(symbol, static_cast<std::uint32_t>(order_.size())).second) order_.push_back(symbol);
    }
    void name(const Value& value) {
        if (value.kind != Kind::uninitialised && value.kind != Kind::mixed) name(value.symbol);
    }
    void name_symbols() {
        for (Symbol fixed = 0; fixed < first_free_symbol; ++fixed) name(fixed);
        for (const Value& value : state_.registers) name(value);
        for (const auto& set : state_.saved)
            for (const Value& value : set) name(value);
        for (const Frame& frame : state_.frames)
            for (const Cell& cell : frame.cells()) name(cell.value);
        for (const Callback& call : state_.callbacks) name(call.limit), name(call.context), name(call.map);
        for (const std::size_t at : counted_) name(state_.counters[at].up), name(state_.counters[at].down);
        for (const BlockId question : questions_) {
            if (const LoopCounter* counter = counter_of(question)) name(counter->up), name(counter->down);
        }
        for (Symbol symbol = first_free_symbol; symbol < state_.symbols.size(); ++symbol) {
            if (is_remainder(state_.symbols[symbol].definition)) name(symbol);
        }
        for (const Symbol symbol : order_) {
            const Definition& definition = state_.symbols[symbol].definition;
            if (definition.form != Definition::Form::none && names_.contains(definition.left.symbol) && names_.contains(definition.right.symbol)) defined_.push_back(symbol);
        }
    }
    // What is left of the packet is named by its definition alone.
    bool is_remainder(const Definition& definition) const {
        return definition.form == Definition::Form::difference && definition.left.symbol == packet_size && names_.contains(definition.right.symbol);
    }
    bool is_named(const Difference& edge) const { return names_.contains(edge.left) && names_.contains(edge.right); }
    const LoopCounter* counter_of(BlockId head) const {
        for (const LoopCounter& counter : state_.counters) {
            if (counter.head == head) return &counter;
        }
        return nullptr;
    }

    void symbols() {
        out_.array(order_.size() - 1);
        for (std::size_t i = 1; i < order_.size(); ++i) scalar(state_.symbols[order_[i]].scalar);
    }

    // Parts that follow from the others are left out.
    void scalar(Scalar full) {
        full.normalise();
        const auto without = [&](unsigned part) {
            Scalar rest = reduced(full, keep_ & ~(1U << part));
            rest.normalise();
            return rest == full;
        };
        keep_ = 31;
        for (const unsigned part : {4U, 3U, 2U, 0U, 1U}) {
            if (without(part)) keep_ &= ~(1U << part);
        }
        out_.map(static_cast<std::size_t>(std::popcount(keep_)));
        if (keep_ & 1) pair(0, full.u64);
        if (keep_ & 2) pair(1, full.s64);
        if (keep_ & 4) pair(2, full.u32);
        if (keep_ & 8) pair(3, full.s32);
        if (keep_ & 16) {
            out_.uint(4);
            out_.array(2);
            out_.uint(full.bits.value);
            out_.uint(full.bits.mask);
        }
    }
    static Scalar reduced(const Scalar& full, unsigned keep) {
        Scalar rest;
        if (keep & 1) rest.u64 = full.u64;
        if (keep & 2) rest.s64 = full.s64;
        if (keep & 4) rest.u32 = full.u32;
        if (keep & 8) rest.s32 = full.s32;
        if (keep & 16) rest.bits = full.bits;
        return rest;
    }
    template <typename T>
    void pair(std::uint64_t key, const Interval<T>& interval) {
        out_.uint(key);
        out_.array(2);
        for (const T bound : {interval.low, interval.high}) {
            if constexpr (std::is_signed_v<T>) out_.integer(bound);
            else out_.uint(bound);
        }
    }

    // --- values

    std::uint64_t identity(Site site) const { return site >= most_sites ? std::uint64_t{1} << 63 | (site - most_sites) : places_.label(site); }
    std::uint64_t witness(Symbol nullable) {
        if (nullable == no_symbol) return 0;
        return witnesses_.try_emplace(nullable, witnesses_.size() + 1).first->second;
    }

    void value(const Value& value) {
        if (value.kind == Kind::uninitialised) return out_.null();
        if (value.is_constant()) return out_.integer(value.delta);
        if (value.kind == Kind::mixed) return out_.array(1), out_.uint(1);
        if (value.kind == Kind::socket) speakable_ = false;
        const std::uint64_t object = value.is_reference() ? places_.label(static_cast<Site>(value.object)) : value.object;
        const std::uint64_t named = value.kind == Kind::map_key ? value.identity : identity(value.identity);
        const std::size_t fields = named != 0                    ? 6
                                   : value.may_be_null()         ? 5
                                   : object != 0                 ? 4
                                   : value.delta != 0            ? 3
                                   : value.symbol != zero_symbol ? 2
                                                                 : 1;
        out_.array(fields);
        out_.uint(static_cast<std::uint64_t>(value.kind));
        if (fields > 1) out_.uint(names_.at(value.symbol));
        if (fields > 2) out_.integer(value.delta);
        if (fields > 3) out_.uint(object);
        if (fields > 4) out_.uint(witness(value.nullable));
        if (fields > 5) out_.uint(named);
    }

    void registers() {
        std::size_t count = 0;
        for (unsigned reg = 0; reg < frame_register; ++reg) count += state_.registers[reg].is_readable();
        out_.map(count);
        for (unsigned reg = 0; reg < frame_register; ++reg) {
            if (!state_.registers[reg].is_readable()) continue;
            out_.uint(reg);
            value(state_.registers[reg]);
        }
    }

    void frames() {
        out_.array(state_.frames.size());
        for (const Frame& frame : state_.frames) {
            out_.array(2);
            const auto readable = static_cast<std::size_t>(std::count_if(frame.cells().begin(), frame.cells().end(), [](const Cell& cell) { return cell.value.is_readable(); }));
            out_.array(readable);
            std::bitset<Frame::size> numbers = frame.data();
            for (const Cell& cell : frame.cells()) {
                if (!cell.value.is_readable()) continue;
                out_.array(3);
                out_.uint(cell.start);
                out_.uint(cell.bytes);
                value(cell.value);
                for (unsigned at = cell.start; at < unsigned{cell.start} + cell.bytes; ++at) numbers.reset(at);
            }
            ranges(numbers);
        }
    }
    void ranges(const std::bitset<Frame::size>& bytes) {
        std::vector<std::pair<unsigned, unsigned>> runs;
        for (unsigned at = 0; at < Frame::size; ++at) {
            if (!bytes.test(at)) continue;
            if (runs.empty() || runs.back().first + runs.back().second != at) runs.push_back({at, 0});
            ++runs.back().second;
        }
        out_.array(runs.size());
        for (const auto& [start, count] : runs) {
            out_.array(2);
            out_.uint(start);
            out_.uint(count);
        }
    }

    // --- the rest

    void definitions() {
        out_.array(defined_.size());
        for (const Symbol symbol : defined_) {
            const auto& [form, left, right] = state_.symbols[symbol].definition;
            out_.array(6);
            out_.uint(names_.at(symbol));
            out_.uint(static_cast<std::uint64_t>(form));
            for (const Term& operand : {left, right}) out_.uint(names_.at(operand.symbol)), out_.integer(operand.delta);
        }
    }

    void edges() {
        const auto& all = state_.differences.edges();
        out_.array(static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const Difference& edge) { return is_named(edge); })));
        for (const Difference& edge : all) {
            if (!is_named(edge)) continue;
            out_.array(3);
            out_.uint(names_.at(edge.left));
            out_.uint(names_.at(edge.right));
            out_.integer(edge.limit);
        }
    }

    void saved() {
        out_.array(state_.saved.size());
        for (const auto& set : state_.saved) {
            out_.array(set.size());
            for (const Value& one : set) value(one);
        }
    }

    void ghost(const LoopCounter& counter) {
        out_.array(2);
        value(counter.up);
        value(counter.down);
    }
    void counters() {
        out_.array(counted_.size());
        for (const std::size_t at : counted_) ghost(state_.counters[at]);
    }

    void callbacks() {
        out_.array(state_.callbacks.size());
        for (std::size_t i = 0; i < state_.callbacks.size(); ++i) {
            const Callback& call = state_.callbacks[i];
            const bool known = i < questions_.size();
            const LoopCounter* counter = known ? counter_of(questions_[i]) : nullptr;
            out_.array(6);
            value(call.limit);
            value(call.context);
            value(call.map);
            out_.uint(call.is_exact);
            out_.uint(known ? places_.callee(questions_[i]) : 0);
            if (counter != nullptr) ghost(*counter);
            else out_.null();
        }
    }

    void references() {
        std::vector<std::pair<std::uint64_t, const Reference*>> sorted;
        for (const Reference& one : state_.references) sorted.emplace_back(places_.label(one.site), &one);
        std::sort(sorted.begin(), sorted.end());
        out_.array(sorted.size());
        for (const auto& [label, one] : sorted) {
            out_.array(3);
            out_.uint(label);
            out_.uint(static_cast<std::uint64_t>(one->bytes));
            out_.uint(witness(one->nullable));
        }
    }

    CborWriter& out_;
    State state_;
    const std::vector<std::size_t>& counted_;
    const Places& places_;
    const std::vector<BlockId> questions_;
    std::unordered_map<Symbol, std::uint32_t> names_;
    std::vector<Symbol> order_, defined_;
    std::unordered_map<Symbol, std::uint64_t> witnesses_;
    unsigned keep_ = 31;
    bool speakable_ = true;
};

}  // namespace

bool write_state(CborWriter& out, const State& state, const std::vector<std::size_t>& counted, BlockId block, const Places& places) {
    State compacted = state;
    compacted.compact();
    return StateWriter{out, std::move(compacted), counted, block, places}.run();
}

}  // namespace unibpf::analyser
