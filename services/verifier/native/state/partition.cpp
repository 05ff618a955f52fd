#include "services/verifier/native/state/partition.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

// A later test of this location can tell the two states apart.
bool is_flag(const State& a, const Value& left, const State& b, const Value& right) {
    const auto x = left.as_number(), y = right.as_number();
    if (x && y) return meet(a.scalar(*x), b.scalar(*y)).is_bottom();
    const auto is_null = [](const Value& value) { return value.is_constant() && value.delta == 0; };
    return (is_null(left) && right.is_pointer() && !right.may_be_null()) || (is_null(right) && left.is_pointer() && !left.may_be_null());
}

template <typename F>
bool any_pair(const State& a, const State& b, F&& test) {
    for (unsigned i = 0; i < register_count; ++i) {
        if (test(a.registers[i], b.registers[i])) return true;
    }
    for (std::size_t i = 0; i < a.saved.size(); ++i) {
        for (std::size_t k = 0; k < a.saved[i].size(); ++k) {
            if (test(a.saved[i][k], b.saved[i][k])) return true;
        }
    }
    for (std::size_t i = 0; i < a.frames.size(); ++i) {
        for (const Cell& cell : a.frames[i].cells()) {
            const Value* other = b.frames[i].cell_at(cell.start, cell.bytes);
            if (other != nullptr && test(cell.value, *other)) return true;
        }
    }
    return false;
}

// An address that the other side does not have there would be lost.
bool has_more_addresses(const Frame& a, const Frame& b) {
    for (const Cell& cell : a.cells()) {
        if (!cell.value.is_number() && b.cell_at(cell.start, cell.bytes) == nullptr) return true;
    }
    return false;
}

// Into a map's value at two constant offsets, as two texts of different lengths lie in one section.
bool points_elsewhere(const Value& left, const Value& right) {
    return left.kind == Kind::map_value && left.symbol == zero_symbol && right.symbol == zero_symbol && left.delta != right.delta;
}

// How far it may lie beyond the packet's end; of a number, as an offset. Constants say nothing that the packet's size does not.
std::optional<std::int64_t> distance_to_end(const State& state, const Value& value) {
    if (value.symbol < first_free_symbol || (value.kind != Kind::packet && !value.is_number())) return std::nullopt;
    return state.differences.path(value.symbol, packet_size);
}

// Kinds, initialised bytes, the packet's size or what is known of it: what accesses depend on.
bool knowledge_differs(const State& a, const State& b) {
    if (a.symbols[packet_size].scalar.u64.low != b.symbols[packet_size].scalar.u64.low) return true;
    for (std::size_t i = 0; i < a.frames.size(); ++i) {
        const Frame &left = a.frames[i], &right = b.frames[i];
        if (left.data() != right.data() || has_more_addresses(left, right) || has_more_addresses(right, left)) return true;
    }
    return any_pair(a, b, [&](const Value& left, const Value& right) {
        if (left.kind != right.kind || left.may_be_null() != right.may_be_null()) return true;
        if ((left.kind == Kind::packet && !(left == right)) || points_elsewhere(left, right)) return true;
        return distance_to_end(a, left) != distance_to_end(b, right);
    });
}

// What must be given back, and locks: a join would not know which.
bool obligations_differ(const State& a, const State& b) {
    const auto same = [](const Reference& left, const Reference& right) { return left.site == right.site && (left.nullable == no_symbol) == (right.nullable == no_symbol); };
    return a.lock != b.lock || !std::equal(a.references.begin(), a.references.end(), b.references.begin(), b.references.end(), same);
}

// A join would make `mixed` of two addresses, forget where in the stack one points, or to which map belongs the key beside it.
bool loses_address(const Value& left, const Value& right) {
    if (!left.is_pointer() || !right.is_pointer()) return false;
    if (left.kind == Kind::stack && right.kind == Kind::stack) return !(left == right);
    return left.kind != right.kind || (left.object != right.object && (!left.is_set() || left.kind == Kind::map_handle));
}

// A test of the packet's size against a constant, or against an offset that both have, was decided differently.
bool sizes_tell_apart(const State& a, const State& b) {
    if (meet(a.symbols[packet_size].scalar, b.symbols[packet_size].scalar).is_bottom()) return true;
    const auto inside = [](const State& state, const Value& offset) {
        const auto distance = state.upper_difference(offset, Value::number(packet_size));
        return distance && *distance <= 0;
    };
    const auto outside = [](const State& state, const Value& offset) {
        const auto distance = state.upper_difference(Value::number(packet_size), offset);
        return distance && *distance < 0;
    };
    return any_pair(a, b, [&](const Value& left, const Value& right) {
        if (left.kind != Kind::packet || right.kind != Kind::packet || left.symbol == packet_size || right.symbol == packet_size) return false;
        return (inside(a, left) && outside(b, right)) || (outside(a, left) && inside(b, right));
    });
}

}  // namespace

bool worth_separating(const State& a, const State& b) {
    if (obligations_differ(a, b) || any_pair(a, b, loses_address)) return true;
    return knowledge_differs(a, b) && (sizes_tell_apart(a, b) || any_pair(a, b, [&](const Value& left, const Value& right) { return is_flag(a, left, b, right); }));
}

}  // namespace unibpf::analyser
