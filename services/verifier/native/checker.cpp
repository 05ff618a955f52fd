#include "services/verifier/native/checker.hpp"

#include <bit>

#include "services/verifier/native/describe.hpp"

namespace unibpf::analyser {
namespace {

using Outcome = std::optional<Finding>;

std::string name(Register reg) { return "r" + std::to_string(reg); }
std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }
std::string verb(Direction direction) {
    return direction == Direction::read ? "read" : direction == Direction::write ? "write" : "atomic update";
}

struct Checker {
    const State& state;
    const Program& program;
    const Options& options;

    Finding fault(Rule rule, std::string message, Register reg, std::string hint = "") const {
        return {rule, std::move(message), {describe_register(state, program, reg)}, std::move(hint)};
    }

    // --- memory

    // The range of bytes [pointer, pointer + size) that an access touches; `what` starts the message.
    struct Span {
        Value pointer;
        std::int64_t size;
        Register reg;
        Direction direction;
        std::string what;
    };

    Outcome memory(const Span& span) const {
        const Value& pointer = span.pointer;
        if (pointer.may_be_null()) {
            return fault(Rule::null_check, span.what + " through " + name(span.reg) + ", which may be null", span.reg, null_hint(pointer));
        }
        switch (pointer.kind) {
            case Kind::uninitialised: return fault(Rule::uninitialised_register, name(span.reg) + " is read before it is written", span.reg);
            case Kind::mixed: return fault(Rule::pointer_kind, name(span.reg) + " holds an address on some paths and something else on others", span.reg);
            case Kind::number: return number_as_pointer(span);
            case Kind::context: return fault(Rule::context_access, span.what + " needs memory other than the context", span.reg);
            case Kind::packet: return packet(span);
            case Kind::stack: return stack(span);
            case Kind::map_value: return map_value(span);
            case Kind::map_handle: return fault(Rule::pointer_kind, span.what + " through a map handle", span.reg, "use `bpf_map_lookup_elem` to reach the map's values");
        }
        __builtin_unreachable();
    }

    static std::string null_hint(const Value& pointer) {
        return pointer.kind == Kind::map_value ? "test the result of `bpf_map_lookup_elem`: `if (!value) return ...;`" : "";
    }

    Outcome number_as_pointer(const Span& span) const {
        if (span.pointer.is_constant() && span.pointer.delta == 0) return fault(Rule::null_check, span.what + " through " + name(span.reg) + ", which is null", span.reg);
        return fault(Rule::pointer_kind, span.what + " through " + name(span.reg) + ", which is a number and no address", span.reg);
    }

    Outcome packet(const Span& span) const {
        if (span.direction != Direction::read && options.platform == Platform::guest && !abi::describe(program.kind).writes_packet) {
            return fault(Rule::packet_readonly, span.what + " changes the packet in a " + std::string{abi::describe(program.kind).name}, span.reg);
        }
        if (span.direction == Direction::update) return fault(Rule::atomic_target, "atomic update of packet bytes", span.reg);
        const auto low = state.upper_difference(Value::number(meta_start), span.pointer);
        const auto high = state.upper_difference(span.pointer, Value::number(packet_size));
        const bool starts_inside = low && *low <= 0, ends_inside = high && *high <= -span.size;
        if (starts_inside && ends_inside) return std::nullopt;
        Finding finding = fault(Rule::packet_bounds, span.what + (starts_inside ? " may pass the end of the packet" : " may begin before the packet"), span.reg);
        finding.known[0] += ", " + describe_packet(state);
        finding.hint = packet_hint(span, starts_inside);
        return finding;
    }

    std::string packet_hint(const Span& span, bool starts_inside) const {
        if (!starts_inside) return "make sure that the offset is not negative";
        const auto range = state.range(span.pointer);
        if (range.low == range.high) return "return before this line unless `data + " + std::to_string(range.high + span.size) + " <= data_end`";
        if (range.high > largest_packet) return "bound the offset (for example `if (offset > 1500) return ...;`), then compare the end of the access with `data_end`";
        return "return before this line unless the pointer + " + std::to_string(span.size) + " `<= data_end`";
    }

    Outcome stack(const Span& span) const {
        const auto range = state.range(span.pointer);
        if (range.low < -static_cast<std::int64_t>(Frame::size) || range.high > 0 || range.high + span.size > 0) {
            return fault(Rule::stack_bounds, span.what + " lies outside the stack frame of 512 bytes", span.reg);
        }
        if (span.direction == Direction::write) return std::nullopt;
        const Frame& frame = state.frame(span.pointer);
        const auto first = static_cast<unsigned>(range.low + Frame::size);
        const auto length = static_cast<unsigned>(range.high - range.low + span.size);
        if (frame.is_data(first, length)) return std::nullopt;
        if (frame.is_written(first, length)) return fault(Rule::pointer_leak, span.what + " takes the bytes of an address from the stack", span.reg);
        Finding finding = fault(Rule::stack_uninitialised, span.what + " may take stack bytes that were never written", span.reg);
        finding.known.push_back("first such byte: r10 - " + std::to_string(Frame::size - first_unwritten(frame, first, length)));
        return finding;
    }

    static unsigned first_unwritten(const Frame& frame, unsigned first, unsigned length) {
        unsigned at = first;
        while (at + 1 < first + length && frame.is_written(at, 1)) ++at;
        return at;
    }

    // The pointer may point into a value of any map of a set: all of them must allow the access.
    Outcome map_value(const Span& span) const {
        for (std::uint64_t maps = span.pointer.object; maps != 0; maps &= maps - 1) {
            if (auto fault = value_of(span, program.maps[static_cast<std::size_t>(std::countr_zero(maps))])) return fault;
        }
        return std::nullopt;
    }

    Outcome value_of(const Span& span, const Map& map) const {
        const auto range = state.range(span.pointer);
        const auto size = static_cast<std::int64_t>(map.value_bytes);
        if (range.low < 0 || range.high > size || range.high + span.size > size) {
            Finding finding = fault(Rule::map_bounds, span.what + " may lie outside the value of map `" + map.name + "`", span.reg);
            finding.known[0] += ", the value has " + bytes_text(map.value_bytes);
            return finding;
        }
        if (span.direction != Direction::read && map.read_only()) return fault(Rule::map_readonly, span.what + " changes read-only map `" + map.name + "`", span.reg);
        return std::nullopt;
    }

    // --- assertions

    Outcome operator()(const Initialised& a) const {
        if (state.registers[a.reg].is_readable()) return std::nullopt;
        return fault(Rule::uninitialised_register, name(a.reg) + " is read before it is written on every path", a.reg, stale_hint());
    }
    static std::string stale_hint() {
        return "initialise it on every path; calls clobber r1 to r5, and packet pointers must be loaded anew after a helper that moves the packet";
    }

    Outcome operator()(const HoldsNumber& a) const {
        if (state.registers[a.reg].is_number()) return std::nullopt;
        return fault(Rule::pointer_kind, name(a.reg) + " must hold a number here", a.reg);
    }

    Outcome operator()(const NotFramePointer& a) const {
        if (a.reg != frame_register) return std::nullopt;
        return fault(Rule::frame_pointer, "the instruction writes r10", a.reg);
    }

    Outcome operator()(const Computable& a) const {
        const Compute& insn = a.compute;
        const Value left = state.registers[insn.dst];
        const Value right = insn.src.is_register ? state.registers[insn.src.reg] : Value::constant(static_cast<std::uint64_t>(insn.src.imm));
        if (insn.op == Alu::mov) return move(insn, right);
        if (left.is_number() && right.is_number()) return std::nullopt;
        const Register culprit = left.is_number() ? insn.src.reg : insn.dst;
        const Value& pointer = left.is_number() ? right : left;
        if (pointer.kind == Kind::mixed) return fault(Rule::pointer_kind, name(culprit) + " holds an address on some paths and something else on others", culprit);
        const bool difference = insn.op == Alu::sub && left.is_pointer() && right.is_pointer();
        if (insn.width == 32 && !difference) return fault(Rule::pointer_arithmetic, "32-bit arithmetic on an address", culprit, "keep the pointer in a 64-bit variable");
        if (left.may_be_null() || right.may_be_null()) {
            const Register null = left.may_be_null() ? insn.dst : insn.src.reg;
            return fault(Rule::null_check, "arithmetic on " + name(null) + ", which may be null", null, null_hint(pointer));
        }
        return arithmetic(insn, left, right, culprit);
    }

    // 32-bit moves would cut an address in two, but for those of the guest's packet memory.
    Outcome move(const Compute& insn, const Value& value) const {
        if (insn.width == 64 || value.is_number() || state.is_short_address(value, options.platform)) return std::nullopt;
        return fault(Rule::pointer_arithmetic, "32-bit move of an address", insn.src.reg, "keep the pointer in a 64-bit variable");
    }

    Outcome arithmetic(const Compute& insn, const Value& left, const Value& right, Register culprit) const {
        const bool moves = (insn.op == Alu::add && (left.is_number() || right.is_number())) || (insn.op == Alu::sub && right.is_number());
        if (insn.op == Alu::sub && left.is_pointer() && right.is_pointer()) {
            const bool same = left.kind == right.kind && left.object == right.object;
            if (same && (left.kind == Kind::packet || left.kind == Kind::stack)) return std::nullopt;
            return fault(Rule::pointer_arithmetic, "difference of addresses that do not point into the same object", culprit);
        }
        if (!moves) return fault(Rule::pointer_arithmetic, "operation on an address other than adding or subtracting a number", culprit);
        const Value& pointer = left.is_number() ? right : left;
        const Value& number = left.is_number() ? left : right;
        if (pointer.kind == Kind::map_handle) return fault(Rule::pointer_arithmetic, "arithmetic on a map handle", culprit);
        if (pointer.kind == Kind::context && !number.is_constant()) return fault(Rule::pointer_arithmetic, "context pointer moved by a number that is not constant", culprit);
        return std::nullopt;
    }

    Outcome operator()(const Comparable& a) const {
        const Branch& insn = a.branch;
        const Value left = state.registers[insn.left];
        const Value right = insn.right.is_register ? state.registers[insn.right.reg] : Value::constant(static_cast<std::uint64_t>(insn.right.imm));
        for (const Register reg : {insn.left, insn.right.is_register ? insn.right.reg : insn.left}) {
            if (state.registers[reg].kind == Kind::mixed) return fault(Rule::pointer_kind, name(reg) + " holds an address on some paths and something else on others", reg);
        }
        if (left.is_number() && right.is_number()) return std::nullopt;
        if (left.is_pointer() && right.is_pointer()) return std::nullopt;
        const Value& number = left.is_number() ? left : right;
        const bool equality = insn.condition == Condition::eq || insn.condition == Condition::ne;
        const Value& pointer = left.is_number() ? right : left;
        const bool whole = insn.width == 64 || state.is_short_address(pointer, options.platform);
        if (number.is_constant() && number.delta == 0 && equality && whole) return std::nullopt;
        const Register culprit = left.is_number() ? insn.right.reg : insn.left;
        return fault(Rule::pointer_leak, "comparison of an address with a number", culprit, "compare pointers only with null or with pointers into the same object");
    }

    Outcome operator()(const Accessible& a) const {
        const Value base = state.registers[a.base];
        const std::string what = verb(a.direction) + " of " + bytes_text(a.bytes);
        if (base.kind == Kind::context && !base.may_be_null()) return context(a, base.delta + a.offset);
        if (base.kind == Kind::stack && a.direction == Direction::read && spilled(base, a)) return std::nullopt;
        return memory({base.moved(a.offset), a.bytes, a.base, a.direction, what});
    }

    // A load that takes back exactly what was stored, addresses included.
    bool spilled(const Value& base, const Accessible& a) const {
        const auto range = state.range(base.moved(a.offset));
        if (range.low != range.high || range.low < -static_cast<std::int64_t>(Frame::size) || range.low + a.bytes > 0) return false;
        return state.frame(base).cell_at(static_cast<unsigned>(range.low + Frame::size), a.bytes) != nullptr;
    }

    Outcome context(const Accessible& a, std::int64_t offset) const {
        if (a.direction != Direction::read) return fault(Rule::context_write, "write to the context", a.base);
        for (const abi::ContextRow& row : abi::context_fields) {
            if (row.offset == offset && row.bytes == a.bytes) return std::nullopt;
        }
        return fault(Rule::context_access, "read of " + bytes_text(a.bytes) + " at offset " + std::to_string(offset) + " of the context is no field of it", a.base);
    }

    Outcome operator()(const Storable& a) const {
        const Value& value = state.registers[a.src];
        if (value.is_number()) return std::nullopt;
        const Value& base = state.registers[a.base];
        if (base.kind != Kind::stack) return fault(Rule::pointer_leak, "an address is stored outside the stack", a.src);
        if (a.bytes != 8) return fault(Rule::pointer_leak, "part of an address is stored", a.src);
        const auto range = state.range(base);
        if (range.low != range.high) return fault(Rule::pointer_leak, "an address is stored at a place that is not constant", a.base);
        return std::nullopt;
    }

    Outcome operator()(const Callable& a) const {
        const abi::HelperRow* row = abi::find_helper(a.helper);
        if (row == nullptr) return Finding{Rule::helper_unknown, "helper " + std::to_string(a.helper) + " is not offered by the platform"};
        if (options.platform == Platform::guest && (row->kinds & abi::only(program.kind)) == 0) {
            return Finding{Rule::helper_kind, "`" + std::string{row->name} + "` may not be called by a " + std::string{abi::describe(program.kind).name}};
        }
        return std::nullopt;
    }

    Outcome operator()(const Argument& a) const;

    Outcome operator()(const NamesMap& a) const {
        if (a.map >= program.maps.size()) return Finding{Rule::malformed, "64-bit load names a map that the bundle does not have"};
        const Map& map = program.maps[a.map];
        const abi::MapTypeRow* type = abi::find_map_type(map.type);
        const bool one_value = type != nullptr && type->array_like && map.max_entries == 1;
        if (a.is_value && !one_value) return Finding{Rule::malformed, "address into map `" + map.name + "`, which is no array of one entry"};
        if (a.is_value && a.offset >= map.value_bytes) return Finding{Rule::map_bounds, "address behind the end of map `" + program.maps[a.map].name + "`"};
        return std::nullopt;
    }

    Outcome operator()(const ReturnsNumber&) const {
        if (state.registers[0].is_number()) return std::nullopt;
        return fault(Rule::return_value, "the program returns an address", 0);
    }
};

// --- helper arguments -------------------------------------------------------------------------------------------------------

struct ArgumentChecker {
    const Checker& checker;
    const abi::HelperRow& row;
    std::uint8_t position;

    Register reg() const { return static_cast<Register>(position + 1); }
    const Value& value() const { return checker.state.registers[reg()]; }
    std::string what() const { return "argument " + std::to_string(position + 1) + " of `" + std::string{row.name} + "`"; }
    Finding fault(const std::string& text, const std::string& hint = "") const { return checker.fault(Rule::helper_argument, what() + " " + text, reg(), hint); }

    // The map that an earlier argument names.
    const Map* map() const {
        for (std::uint8_t i = 0; i < row.arguments.size(); ++i) {
            const Value& handle = checker.state.registers[i + 1];
            if (row.arguments[i] == abi::Argument::map && handle.kind == Kind::map_handle) return &checker.program.maps[handle.object];
        }
        return nullptr;
    }

    Outcome run() const {
        const abi::Argument wanted = row.arguments[position];
        if (wanted == abi::Argument::any) return std::nullopt;
        if (!value().is_readable()) return checker(Initialised{reg()});
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
        }
        __builtin_unreachable();
    }

    Outcome handle() const {
        if (value().kind != Kind::map_handle) return fault("must be a map");
        const Map& map = checker.program.maps[value().object];
        if (row.writes_map && map.read_only()) return checker.fault(Rule::map_readonly, what() + " is read-only map `" + map.name + "`", reg());
        return std::nullopt;
    }

    Outcome readable(std::int64_t bytes) const { return checker.memory({value(), bytes, reg(), Direction::read, what() + " (" + bytes_text(static_cast<std::uint64_t>(bytes)) + ")"}); }

    Outcome size(std::int64_t least) const {
        if (!value().is_number()) return fault("must be a number of bytes");
        const auto range = checker.state.range(value());
        if (range.low < least) return fault("may be less than " + std::to_string(least), "bound the size from below before the call");
        if (range.high > (1 << 29)) return fault("has no useful upper bound", "bound the size from above before the call");
        return std::nullopt;
    }

    // The size is in the next register; it is checked on its own.
    Outcome sized(bool or_null) const {
        const Value& length = checker.state.registers[reg() + 1];
        if (!length.is_number()) return std::nullopt;
        const auto range = checker.state.range(length);
        const bool is_null = value().is_constant() && value().delta == 0;
        if (or_null && is_null) return range.high <= 0 ? std::nullopt : Outcome{fault("is null, but its size may not be 0")};
        if (range.low < 0 || range.high > (1 << 29)) return std::nullopt;
        if (range.low == range.high || value().kind != Kind::packet) return range.high == 0 ? std::nullopt : readable(range.high);
        return packet_of_variable_length(length);
    }

    // pointer + length <= data_end, with the two related as far as the state knows.
    Outcome packet_of_variable_length(const Value& length) const {
        State scratch = checker.state;
        Value end = scratch.add(Value::number(value().symbol, value().delta), length);
        end.kind = Kind::packet;
        const Checker inner{scratch, checker.program, checker.options};
        if (auto start = inner.memory({value(), 0, reg(), Direction::read, what()})) return start;
        return inner.memory({end, 0, reg(), Direction::read, what()});
    }
};

Outcome Checker::operator()(const Argument& a) const {
    const abi::HelperRow* row = abi::find_helper(a.helper);
    return ArgumentChecker{*this, *row, a.position}.run();
}

}  // namespace

std::optional<Finding> check(const State& state, const Assertion& assertion, const Program& program, const Options& options) {
    return std::visit(Checker{state, program, options}, assertion);
}

}  // namespace unibpf::analyser
