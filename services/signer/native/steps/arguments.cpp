// What helpers demand of their arguments (guest/bpf/bundle/abi.hpp, the table of helpers; bpf-helpers(7)).
#include <algorithm>
#include <bit>

#include "services/signer/native/steps/step.hpp"

namespace unibpf::certificate {

unsigned register_of(const abi::HelperRow& row, abi::Argument argument) {
    const auto place = std::find(row.arguments.begin(), row.arguments.end(), argument);
    return place == row.arguments.end() ? 0 : static_cast<unsigned>(place - row.arguments.begin()) + 1;
}

namespace {

constexpr std::int64_t largest_size = 1 << 29;

// What the table cannot say: a trie has no order in which to call back, one map type has values by CPU.
bool takes(abi::Helper helper, const abi::MapTypeRow& type) {
    if (helper == abi::Helper::for_each_map_elem) return type.index != abi::Index::prefix;
    if (helper != abi::Helper::map_lookup_percpu_elem) return true;
    return type.type == abi::MapType::percpu_hash || type.type == abi::MapType::percpu_array || type.type == abi::MapType::lru_percpu_hash;
}

}  // namespace

std::vector<const Map*> Step::maps_of(const Value& handle) const {
    std::vector<const Map*> result;
    if (handle.kind != Kind::map && handle.kind != Kind::inner_map) return result;
    for (std::uint64_t maps = handle.object; maps != 0; maps &= maps - 1) {
        const Map& map = program_.maps[static_cast<std::size_t>(std::countr_zero(maps))];
        result.push_back(handle.kind == Kind::map ? &map : map.inner.get());
    }
    return result;
}

const Value& Step::map_register(const abi::HelperRow& row) const { return state_.reg[register_of(row, abi::Argument::map)]; }

void Step::argument(const abi::HelperRow& row, unsigned number) {
    const abi::Argument wanted = row.arguments[number - 1];
    if (wanted == abi::Argument::none || wanted == abi::Argument::any) return;
    const Value& value = readable(number);
    switch (wanted) {
        case abi::Argument::none:
        case abi::Argument::any: return;
        case abi::Argument::number: return demand(value.is_number(), "an argument must be a number");
        case abi::Argument::context: return demand(value.kind == Kind::context && state_.settled(value.term) == Term{}, "an argument must be the context");
        case abi::Argument::map: return map_argument(row, value);
        case abi::Argument::map_key: return each_named_map(row, &Map::key_bytes, value, Use::read);
        case abi::Argument::map_value: return each_named_map(row, &Map::value_bytes, value, Use::read);
        case abi::Argument::map_value_write: return each_named_map(row, &Map::value_bytes, value, Use::write);
        case abi::Argument::memory_read: return sized_argument(value, number, false, Use::read);
        case abi::Argument::memory_read_or_null:
            if (row.helper == abi::Helper::snprintf || row.helper == abi::Helper::trace_vprintk) return printed_argument(row, value, number);
            return sized_argument(value, number, true, Use::read);
        case abi::Argument::memory_write: return sized_argument(value, number, false, Use::write);
        case abi::Argument::memory_write_or_null: return sized_argument(value, number, true, Use::write);
        case abi::Argument::memory_update:
            sized_argument(value, number, false, Use::read);
            return sized_argument(value, number, false, Use::write);
        case abi::Argument::size: return size_argument(value, 1);
        case abi::Argument::size_or_zero: return size_argument(value, 0);
        case abi::Argument::constant_size: {
            const auto size = state_.constant(value);
            return demand(size && *size > 0 && *size <= static_cast<std::uint64_t>(largest_size), "a record's size must be known");
        }
        case abi::Argument::record: {
            demand(value.kind == Kind::record && !value.may_be_null() && state_.settled(value.term) == Term{}, "an argument must be a record");
            const Held* held = state_.find_held(value.object);
            return demand(held != nullptr && held->witness == always, "a record is given back that is not held");
        }
        case abi::Argument::long_write: return access(value, 8, Use::write);
        case abi::Argument::u32_update:
            access(value, 4, Use::read);
            return access(value, 4, Use::write);
        case abi::Argument::string: return string_argument(value);
        case abi::Argument::function: return demand(value.kind == Kind::function && !value.may_be_null(), "an argument must be a function");
        case abi::Argument::callback_context: return context_argument(value);
        case abi::Argument::lock: return lock_argument(row, value);
        case abi::Argument::ipv4_header: return access(value, 20, Use::read);
        case abi::Argument::ipv6_header: return access(value, 40, Use::read);
        case abi::Argument::tcp_header: return access(value, 20, Use::read);
        case abi::Argument::socket: refuse("guests have no sockets");
    }
    __builtin_unreachable();
}

void Step::map_argument(const abi::HelperRow& row, const Value& value) const {
    demand((value.kind == Kind::map || value.kind == Kind::inner_map) && !value.may_be_null(), "an argument must be a map");
    bool gives_maps = false, gives_values = false;
    for (const Map* map : maps_of(value)) {
        demand((row.maps & abi::holding(map->type->holds)) != 0 && takes(row.helper, *map->type), "the helper cannot be used on this map");
        demand(!row.has(abi::writes_map) || !map->read_only(), "a map is changed that may only be read");
        (map->type->holds == abi::Holds::maps ? gives_maps : gives_values) = true;
    }
    demand(gives_maps != gives_values, "the map is a map of maps on some paths");
}

void Step::each_named_map(const abi::HelperRow& row, std::uint32_t Map::* bytes, const Value& pointer, Use use) const {
    for (const Map* map : maps_of(map_register(row))) {
        if (map->*bytes != 0) access(pointer, map->*bytes, use);
    }
}

void Step::size_argument(const Value& value, std::int64_t least) const {
    demand(value.is_number(), "a size must be a number");
    const auto size = state_.range(value.term);
    demand(size.low >= least && size.high <= largest_size, "a size has no useful bounds");
}

// [pointer, pointer + size): the size is the next argument, which is looked at by itself too.
void Step::sized_argument(const Value& pointer, unsigned number, bool or_null, Use use) {
    const Value& length = reg(number + 1);
    size_argument(length, 0);
    const auto size = state_.range(length.term);
    if (or_null && pointer.is_number()) {
        const auto null = state_.constant(pointer);
        return demand(null && *null == 0 && size.high == 0, "null is given with a size");
    }
    if (size.low == size.high || pointer.kind != Kind::packet) {
        if (size.high > 0) access(pointer, size.high, use);
        return;
    }
    access(pointer, 0, use);
    State scratch = state_;
    const Value end = pointer.with(scratch.add(pointer.term, length.term));
    Step{program_, scratch, place_}.access(end, 0, use);
}

void Step::string_argument(const Value& value) const {
    const Term place = state_.settled(value.term);
    demand(value.kind == Kind::map_value && !value.may_be_null() && place.symbol == zero && std::has_single_bit(value.object), "a text must be a constant");
    const Map& map = program_.values_of(static_cast<std::size_t>(std::countr_zero(value.object)));
    demand(map.constant() && place.offset >= 0 && place.offset < static_cast<std::int64_t>(map.data.size()), "a text must be a constant");
    demand(std::find(map.data.begin() + place.offset, map.data.end(), 0) != map.data.end(), "a text must end with a NUL byte");
}

void Step::context_argument(const Value& value) const {
    if (value.is_number()) {
        const auto null = state_.constant(value);
        return demand(null && *null == 0, "a callback's context must be an address of stack or map, or 0");
    }
    demand((value.kind == Kind::stack || value.kind == Kind::map_value) && !value.may_be_null(), "a callback's context must be an address of stack or map, or 0");
}

void Step::lock_argument(const abi::HelperRow& row, const Value& value) const {
    const Term place = state_.settled(value.term);
    demand(value.kind == Kind::map_value && !value.may_be_null() && place.symbol == zero && std::has_single_bit(value.object), "an argument must be a lock");
    const Map& map = program_.values_of(static_cast<std::size_t>(std::countr_zero(value.object)));
    demand(map.lock && place.offset == std::int64_t{*map.lock}, "an argument must be a lock");
    if (row.has(abi::unlocks)) demand(state_.locked == Locked::yes && value.identity != 0 && value.identity == state_.lock, "what is unlocked is not known to be locked");
}

}  // namespace unibpf::certificate
