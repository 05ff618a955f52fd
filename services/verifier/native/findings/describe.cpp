#include "services/verifier/native/findings/describe.hpp"

#include <bit>

namespace unibpf::analyser {
namespace {

std::string bound(std::int64_t x) {
    if (x == INT64_MAX) return "+inf";
    if (x == INT64_MIN) return "-inf";
    return std::to_string(x);
}

std::string in_range(const Interval<std::int64_t>& range) {
    if (range.low == range.high) return bound(range.low);
    return "[" + bound(range.low) + ", " + bound(range.high) + "]";
}

// " + [0, 4]", " - 8" or nothing.
std::string offset(const State& state, const Value& value) {
    const auto range = state.range(value);
    if (range.low == 0 && range.high == 0) return "";
    if (range.low == range.high && range.low < 0) return " - " + std::to_string(-static_cast<__int128>(range.low) > INT64_MAX ? INT64_MAX : -range.low);
    return " + " + in_range(range);
}

std::string describe_number(const State& state, const Value& value) {
    const Scalar scalar = state.bounds(value.term());
    if (scalar.is_constant()) return "number " + bound(scalar.s64.low);
    const auto range = state.range(value);
    if (range.low == INT64_MIN && range.high == INT64_MAX) return "any number";
    return "number in " + in_range(range);
}

std::string describe_packet_pointer(const State& state, const Value& value) {
    if (value.symbol == packet_size) {
        return value.delta == 0 ? "packet end" : "packet end" + std::string{value.delta < 0 ? " - " : " + "} + std::to_string(value.delta < 0 ? -value.delta : value.delta);
    }
    return "packet" + offset(state, value);
}

std::string names_of_maps(const Program& program, std::uint64_t maps) {
    std::string out;
    for (; maps != 0; maps &= maps - 1) out += (out.empty() ? "`" : " or `") + program.maps[static_cast<std::size_t>(std::countr_zero(maps))].name + "`";
    return out;
}

std::int64_t record_bytes(const State& state, const Value& value) {
    const Reference* held = state.reference(static_cast<Site>(value.object));
    return held == nullptr ? 0 : held->bytes;
}

std::string null_note(const Value& value) { return value.may_be_null() ? ", or null" : ""; }

}  // namespace

std::string describe(const State& state, const Program& program, const Value& value) {
    switch (value.kind) {
        case Kind::uninitialised: return "never written on some path";
        case Kind::mixed: return "different kinds of values on different paths";
        case Kind::number: return describe_number(state, value);
        case Kind::context: return "context" + offset(state, value);
        case Kind::packet: return describe_packet_pointer(state, value) + null_note(value);
        case Kind::packet_address:
            return std::string{(value.object & low_half) != 0 ? "half of the address of " : ""} + describe_packet_pointer(state, value) +
                   ((value.object & from_before) != 0 ? ", from before it moved" : "") + null_note(value);
        case Kind::stack: return "stack" + offset(state, value);
        case Kind::map_value: return "value of map " + names_of_maps(program, value.object) + offset(state, value) + null_note(value);
        case Kind::map_key: return "key of map " + names_of_maps(program, value.object) + offset(state, value) + null_note(value);
        case Kind::map_handle: return "map " + names_of_maps(program, value.object) + null_note(value);
        case Kind::inner_map: return "a map inside " + names_of_maps(program, value.object) + null_note(value);
        case Kind::record: return "record of " + std::to_string(record_bytes(state, value)) + " bytes" + offset(state, value) + null_note(value);
        case Kind::socket: return "socket" + offset(state, value) + null_note(value);
        case Kind::complement: return "complement of a packet address";
        case Kind::function: return "function at instruction " + std::to_string(value.object) + null_note(value);
    }
    __builtin_unreachable();
}

std::string describe_register(const State& state, const Program& program, Register reg) {
    return "r" + std::to_string(reg) + " = " + describe(state, program, state.registers[reg]);
}

std::string describe_packet(const State& state) {
    return "packet is at least " + std::to_string(state.range(Value::number(packet_size)).low) + " bytes long";
}

}  // namespace unibpf::analyser
