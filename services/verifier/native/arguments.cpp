// Arguments of helper calls, each by what its row in abi::helpers asks for.
#include "services/verifier/native/access.hpp"

namespace unibpf::analyser {
namespace {

using Outcome = std::optional<Finding>;

struct ArgumentChecker {
    const View& view;
    const abi::HelperRow& row;
    std::uint8_t position;

    Register reg() const { return static_cast<Register>(position + 1); }
    const Value& value() const { return view.state.registers[reg()]; }
    std::string what() const { return "argument " + std::to_string(position + 1) + " of `" + std::string{row.name} + "`"; }
    Finding fault(const std::string& text, const std::string& hint = "") const { return view.fault(Rule::helper_argument, what() + " " + text, reg(), hint); }

    // The map that an earlier argument names.
    const Map* map() const {
        for (std::uint8_t i = 0; i < row.arguments.size(); ++i) {
            const Value& handle = view.state.registers[i + 1];
            if (row.arguments[i] == abi::Argument::map && handle.kind == Kind::map_handle) return &view.program.maps[handle.object];
        }
        return nullptr;
    }

    Outcome run() const {
        const abi::Argument wanted = row.arguments[position];
        if (wanted == abi::Argument::any) return std::nullopt;
        if (!value().is_readable()) return view.fault(Rule::uninitialised_register, what() + " was not written on every path", reg());
        switch (wanted) {
            case abi::Argument::none:
            case abi::Argument::any: return std::nullopt;
            case abi::Argument::number: return value().is_number() ? std::nullopt : Outcome{fault("must be a number")};
            case abi::Argument::context: return value().kind == Kind::context && value().delta == 0 ? std::nullopt : Outcome{fault("must be the program's context")};
            case abi::Argument::map: return handle();
            case abi::Argument::map_key: return map() == nullptr ? std::nullopt : readable(map()->key_bytes);
            case abi::Argument::map_value: return map() == nullptr ? std::nullopt : readable(map()->value_bytes);
            case abi::Argument::memory_read: return sized(false);
            case abi::Argument::memory_read_or_null: return sized(true);
            case abi::Argument::size: return size(1);
            case abi::Argument::size_or_zero: return size(0);
            case abi::Argument::map_value_write: case abi::Argument::memory_write: case abi::Argument::memory_write_or_null:
            case abi::Argument::memory_update: case abi::Argument::constant_size: case abi::Argument::record:
            case abi::Argument::socket: case abi::Argument::long_write: case abi::Argument::u32_update: case abi::Argument::string:
            case abi::Argument::function: case abi::Argument::callback_context: case abi::Argument::lock: return fault("is not supported");
        }
        __builtin_unreachable();
    }

    Outcome handle() const {
        if (value().kind != Kind::map_handle) return fault("must be a map");
        const Map& map = view.program.maps[value().object];
        if (row.has(abi::writes_map) && map.read_only()) return view.fault(Rule::map_readonly, what() + " is read-only map `" + map.name + "`", reg());
        return std::nullopt;
    }

    Outcome readable(std::int64_t bytes) const { return check_access(view, {value(), bytes, reg(), Direction::read, what() + " (" + bytes_text(static_cast<std::uint64_t>(bytes)) + ")"}); }

    Outcome size(std::int64_t least) const {
        if (!value().is_number()) return fault("must be a number of bytes");
        const auto range = view.state.range(value());
        if (range.low < least) return fault("may be less than " + std::to_string(least), "bound the size from below before the call");
        if (range.high > (1 << 29)) return fault("has no useful upper bound", "bound the size from above before the call");
        return std::nullopt;
    }

    // The size is in the next register; it is checked on its own.
    Outcome sized(bool or_null) const {
        const Value& length = view.state.registers[reg() + 1];
        if (!length.is_number()) return std::nullopt;
        const auto range = view.state.range(length);
        const bool is_null = value().is_constant() && value().delta == 0;
        if (or_null && is_null) return range.high <= 0 ? std::nullopt : Outcome{fault("is null, but its size may not be 0")};
        if (range.low < 0 || range.high > (1 << 29)) return std::nullopt;
        if (range.low == range.high || value().kind != Kind::packet) return range.high == 0 ? std::nullopt : readable(range.high);
        return packet_of_variable_length(length);
    }

    // pointer + length <= data_end, with the two related as far as the state knows.
    Outcome packet_of_variable_length(const Value& length) const {
        State scratch = view.state;
        Value end = scratch.add(Value::number(value().symbol, value().delta), length);
        end.kind = Kind::packet;
        const View inner{scratch, view.program, view.options};
        if (auto start = check_access(inner, {value(), 0, reg(), Direction::read, what()})) return start;
        return check_access(inner, {end, 0, reg(), Direction::read, what()});
    }
};

}  // namespace

std::optional<Finding> check_argument(const View& view, const Argument& argument) {
    return ArgumentChecker{view, *abi::find_helper(argument.helper), argument.position}.run();
}

}  // namespace unibpf::analyser
