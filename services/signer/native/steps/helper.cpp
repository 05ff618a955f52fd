// What helper calls do.
#include <algorithm>

#include "services/signer/native/steps/step.hpp"

namespace unibpf::certificate {

void Step::call_helper() {
    const abi::HelperRow* row = abi::find_helper(static_cast<std::uint32_t>(insn_.imm));
    demand(row != nullptr && (row->kinds & abi::only(program_.kind)) != 0, "a helper that such programs do not have");
    demand(row->has(abi::unlocks) || state_.locked == Locked::no, "a call while a lock may be held");
    for (unsigned number = 1; number <= row->arguments.size(); ++number) argument(*row, number);
    for (unsigned number = 1; number <= row->arguments.size(); ++number) written(*row, number);
    const Value result = returned(*row);
    if (row->has(abi::releases)) state_.give_back(state_.reg[register_of(*row, abi::Argument::record)].object);
    if (row->has(abi::locks)) {
        const Value& value = state_.reg[register_of(*row, abi::Argument::lock)];
        demand(value.identity != 0, "which lock is taken is not known");
        state_.locked = Locked::yes;
        state_.lock = value.identity;
    }
    if (row->has(abi::unlocks)) state_.locked = Locked::no, state_.lock = 0;
    if (row->has(abi::calls_back)) begin_callbacks(*row);
    if (row->has(abi::moves_packet)) state_.packet_moved();
    for (unsigned number = 1; number <= 5; ++number) state_.reg[number] = {};
    state_.reg[0] = row->has(abi::calls_back) ? Value{} : result;
}

Value Step::returned(const abi::HelperRow& row) {
    switch (row.returns) {
        case abi::Return::number: return row.helper == abi::Helper::xdp_load_bytes ? attempted() : state_.number({});
        case abi::Return::nothing: return {};
        case abi::Return::map_value_or_null: return look_up(row);
        case abi::Return::record_or_null: return reserve(row);
        case abi::Return::socket_or_null: refuse("guests have no sockets");
    }
    __builtin_unreachable();
}

// bpf_xdp_load_bytes leaves its buffer as it was where it fails: what the bytes hold then may be an address, or nobody's.
Value Step::attempted() {
    const Value result = state_.number(Word::signed_between(-4095, 0));
    const Value& target = state_.reg[3];
    const auto offset = state_.range(target.term), size = state_.range(state_.reg[4].term);
    const bool known = target.kind == Kind::stack && offset.low == offset.high && size.low > 0;
    if (known) state_.attempts.push_back({result, target.object, static_cast<unsigned>(offset.low + frame_size), static_cast<unsigned>(size.low)});
    return result;
}

// Stack memory that the helper writes holds numbers afterwards, if it cannot fail.
void Step::written(const abi::HelperRow& row, unsigned number) {
    const Value target = reg(number);
    if (target.kind != Kind::stack) return;
    Range<std::int64_t> bytes{0, 0};
    switch (row.arguments[number - 1]) {
        case abi::Argument::map_value_write:
            bytes = {INT64_MAX, 0};
            for (const Map* map : maps_of(map_register(row))) bytes = {std::min<std::int64_t>(bytes.low, map->value_bytes), std::max<std::int64_t>(bytes.high, map->value_bytes)};
            break;
        case abi::Argument::memory_write:
        case abi::Argument::memory_write_or_null:
        case abi::Argument::memory_update:
            bytes = state_.range(reg(number + 1).term);
            break;
        case abi::Argument::long_write: bytes = {8, 8}; break;
        case abi::Argument::u32_update: bytes = {4, 4}; break;
        default: return;
    }
    if (bytes.high == 0) return;
    const auto offset = state_.range(target.term);
    Frame& frame = state_.frames[target.object];
    const auto first = static_cast<unsigned>(offset.low + frame_size);
    frame.forget(first, static_cast<unsigned>(offset.high - offset.low + bytes.high));
    if (offset.low == offset.high && row.helper != abi::Helper::xdp_load_bytes) frame.fill(first, static_cast<unsigned>(bytes.low));
}

Value Step::look_up(const abi::HelperRow& row) {
    const Value handle = map_register(row);
    const auto maps = maps_of(handle);
    const bool gives_maps = std::any_of(maps.begin(), maps.end(), [](const Map* map) { return map->inner != nullptr; });
    Value result = Value::pointer(gives_maps ? Kind::inner_map : Kind::map_value, handle.object);
    result.witness = state_.next_witness++;
    if (std::any_of(maps.begin(), maps.end(), [](const Map* map) { return map->lock.has_value(); })) {
        state_.forget_identity(label_of(place_));
        result.identity = label_of(place_);
    }
    return result;
}

Value Step::reserve(const abi::HelperRow& row) {
    const std::uint64_t call = label_of(place_);
    demand(state_.find_held(call) == nullptr, "a record of this call is still held");
    state_.give_back(call);
    Value result = Value::pointer(Kind::record, call);
    result.witness = state_.next_witness++;
    const auto size = state_.constant(state_.reg[register_of(row, abi::Argument::constant_size)]);
    const auto place = std::find_if(state_.held.begin(), state_.held.end(), [&](const Held& one) { return one.call > call; });
    state_.held.insert(place, {call, static_cast<std::int64_t>(size.value()), result.witness});
    return result;
}

// bpf_loop reads the low half of its number and refuses more than abi::max_loops. A hash may have fewer entries than it has
// room for; arrays have all of theirs.
void Step::begin_callbacks(const abi::HelperRow& row) {
    const unsigned function = register_of(row, abi::Argument::function), context = register_of(row, abi::Argument::callback_context);
    Callback call{{}, state_.reg[context], Value::unknown(), false, static_cast<std::uint32_t>(state_.reg[function].object), {Value::constant(0), Value::constant(0)}};
    const auto flags = state_.constant(state_.reg[4]);
    const bool plain = flags && *flags == 0;
    if (register_of(row, abi::Argument::map) == 0) {
        call.limit = cut(state_.reg[1], 4);
        call.exact = plain && state_.word(call.limit.term).u.high <= abi::max_loops;
    } else {
        const Value handle = map_register(row);
        std::uint64_t most = 0;
        bool same = handle.kind == Kind::map;
        for (const Map* map : maps_of(handle)) {
            same = same && map->type->index == abi::Index::array && (most == 0 || most == map->entries);
            most = std::max<std::uint64_t>(most, map->entries);
        }
        call.map = handle;
        call.limit = Value::constant(handle.kind == Kind::map ? most : abi::max_entries);
        call.exact = same && plain;
    }
    state_.callbacks.push_back(call);
}

}  // namespace unibpf::certificate
