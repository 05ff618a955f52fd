// What helpers do besides their results: the packet moves, references come and go, locks are held, callbacks run.
//
// Everything here is sound for any arguments: passes that are not the last come here with arguments that the checker refuses.
#include <algorithm>

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/program/platform.hpp"
#include "services/verifier/native/effects/transformer.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::int64_t socket_bytes = 80;  // struct bpf_sock

// The register of the first argument of that kind; 0 if the row has none.
Register argument_register(const abi::HelperRow& row, abi::Argument argument) {
    const auto place = std::find(row.arguments.begin(), row.arguments.end(), argument);
    return place == row.arguments.end() ? Register{0} : static_cast<Register>(place - row.arguments.begin() + 1);
}

void give_back(State& state, const abi::HelperRow& row) {
    for (std::uint8_t i = 0; i < row.arguments.size(); ++i) {
        const abi::Argument argument = row.arguments[i];
        if (argument != abi::Argument::record && argument != abi::Argument::socket) continue;
        const Value value = state.registers[i + 1];
        const bool known = value.kind == (argument == abi::Argument::record ? Kind::record : Kind::socket) && !value.may_be_null();
        if (known) state.release(static_cast<Site>(value.object));
        else state.forget_references();
    }
}

void change_lock(State& state, const abi::HelperRow& row) {
    const Value& value = state.registers[argument_register(row, abi::Argument::lock)];
    if (row.has(abi::unlocks)) {
        state.lock = {};
        return;
    }
    state.lock = value.kind == Kind::map_value && value.identity != no_site ? Lock{Lock::Held::yes, value.identity} : Lock{Lock::Held::some, no_site};
}

// How often a helper calls back. Of a hash, fewer entries may be there; an array inside a map of maps may have another length.
// Linux walks a hash while others change it: an entry that moves to a later bucket is met again, so its rounds have no bound that
// anybody could name (bpf_for_each_hash_elem, kernel/bpf/hashtab.c; 141 rounds were seen in a map of 64 entries).
struct Repetition {
    Value limit;
    bool is_exact;
};

Repetition entries_of(const Setting& setting, const Value& handle) {
    std::uint64_t most = 0;
    const bool is_guest = setting.options.platform == Platform::guest;
    bool is_exact = handle.kind == Kind::map_handle, are_arrays = true;
    for (const Map* map : named_maps(setting.program, handle)) {
        const auto type = static_cast<abi::MapType>(map->type);
        const bool is_array = type == abi::MapType::array || type == abi::MapType::percpu_array;
        is_exact &= is_array && (most == 0 || most == map->max_entries);
        are_arrays &= is_array;
        most = std::max<std::uint64_t>(most, map->max_entries);
    }
    if (handle.kind != Kind::map_handle) most = is_guest ? std::uint64_t{abi::max_entries} : UINT32_MAX;
    if (!is_guest && !are_arrays) most = UINT32_MAX;
    return {Value::constant(most), is_exact};
}

// bpf_loop takes the low half of its number (u32), and none at all above most_callbacks.
Repetition rounds_of(State& state, const Value& count) {
    const auto number = count.as_number();
    if (!number) return {state.number(Scalar::unsigned_range(0, UINT32_MAX)), false};
    const Scalar scalar = state.scalar(*number);
    const Number low = scalar.fits_u32() ? *number : state.number(zero_extend(scalar, 4));
    return {low, state.scalar(low).u64.high <= static_cast<std::uint64_t>(most_callbacks)};
}

void begin_callbacks(State& state, const abi::HelperRow& row, const Setting& setting) {
    const Register map = argument_register(row, abi::Argument::map);
    const Value handle = map == 0 ? Value{Kind::mixed} : state.registers[map];
    Repetition repetition = map == 0 ? rounds_of(state, state.registers[1]) : entries_of(setting, handle);
    Value context = state.registers[argument_register(row, abi::Argument::callback_context)];
    if (!context.is_null() && context.kind != Kind::stack && context.kind != Kind::map_value) context = {Kind::mixed};
    const Value& flags = state.registers[4];
    const bool is_handle = handle.kind == Kind::map_handle || handle.kind == Kind::inner_map;
    state.callbacks.push_back({repetition.limit, context, is_handle ? handle : Value{Kind::mixed}, repetition.is_exact && flags.is_null()});
}

// A key is there until its callback returns; `identity` is the callback's frame, which is never 0.
Value key_for(const State& state, const Value& map) {
    Value key = Value::pointer(Kind::map_key, map.object);
    key.identity = static_cast<Site>(state.frames.size() - 1);
    return key;
}

}  // namespace

Value acquired(State& state, const abi::HelperRow& row, const Setting& setting) {
    const bool record = row.returns == abi::Return::record_or_null;
    const Value& size = state.registers[argument_register(row, abi::Argument::constant_size)];
    const std::int64_t bytes = !record                                ? socket_bytes
                               : size.is_constant() && size.delta > 0 ? size.delta
                                                                      : 0;
    const Kind kind = record ? Kind::record : Kind::socket;
    Value result = Value::pointer(kind, setting.site);
    result.nullable = state.fresh(Scalar::unsigned_range(0, 1));
    state.acquire({setting.site, kind, setting.instruction, bytes, result.nullable});
    return result;
}

void apply_effects(State& state, const abi::HelperRow& row, const Setting& setting) {
    if (row.has(abi::releases)) give_back(state, row);
    if (row.has(abi::locks | abi::unlocks)) change_lock(state, row);
    if (row.has(abi::calls_back)) begin_callbacks(state, row, setting);
    if (row.has(abi::moves_packet)) state.forget_packet(setting.options.platform);
}

bool enter_callback(State& state, const abi::HelperRow& row, const LoopCounter* counter) {
    const Callback call = state.callbacks.back();
    if (!state.narrow(call.limit.term(), Scalar::unsigned_range(1, UINT32_MAX))) return false;
    const bool is_loop = argument_register(row, abi::Argument::map) == 0;
    if (is_loop && !state.narrow(call.limit.term(), Scalar::unsigned_range(1, static_cast<std::uint64_t>(most_callbacks)))) return false;
    const Value index = counter != nullptr ? counter->up : Value{state.number(Scalar::unsigned_range(0, UINT32_MAX))};
    if (!state.assume(Condition::lt, 64, true, index.term(), call.limit.term())) return false;
    // Learning may have replaced terms: take them anew.
    const Callback known = state.callbacks.back();
    const Value at = counter != nullptr ? counter->up : Value{state.number(Scalar::unsigned_range(0, most_callbacks - 1))};
    enter_call(state);
    for (Register reg = 1; reg <= 5; ++reg) state.registers[reg] = {};
    if (is_loop) {
        state.registers[1] = at;
        state.registers[2] = known.context;
        return true;
    }
    const bool has_map = known.map.kind != Kind::mixed;
    state.registers[1] = known.map;
    state.registers[2] = has_map ? key_for(state, known.map) : known.map;
    state.registers[3] = has_map ? Value::pointer(Kind::map_value, known.map.object) : known.map;
    state.registers[4] = known.context;
    return true;
}

bool leave_callbacks(State& state, const LoopCounter* counter, bool was_enough) {
    const bool is_exact = state.callbacks.back().is_exact && counter != nullptr;
    if (!was_enough && is_exact && !state.assume(Condition::ge, 64, true, counter->up.term(), state.callbacks.back().limit.term())) return false;
    const Value limit = state.callbacks.back().limit;
    const std::int64_t most = static_cast<std::int64_t>(std::min<std::uint64_t>(state.bounds(limit.term()).u64.high, UINT32_MAX));
    state.callbacks.pop_back();
    if (was_enough) state.registers[0] = counter != nullptr ? counter->up.moved(1) : Value{state.number(Scalar::signed_range(1, std::max<std::int64_t>(most, 1)))};
    else state.registers[0] = is_exact ? limit : Value{state.number(Scalar::signed_range(-abi::einval, most))};
    return true;
}

}  // namespace unibpf::analyser
