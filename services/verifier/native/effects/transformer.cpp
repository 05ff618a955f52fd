#include "services/verifier/native/effects/transformer.hpp"

#include <algorithm>
#include <bit>

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

constexpr std::int64_t most_error = 4095;  // as Linux's MAX_ERRNO

struct Transformer {
    State& state;
    const Setting& setting;
    const Program& program = setting.program;
    const Options& options = setting.options;

    Value& reg(Register number) { return state.registers[number]; }
    Value operand(const Operand& operand) { return operand.is_register ? reg(operand.reg) : Value::constant(static_cast<std::uint64_t>(operand.imm)); }

    // What is computed of numbers. The checker has shown that they are; where it has not, nothing is known of the result.
    template <typename F>
    Value of_number(const Value& value, F&& compute_it) {
        const auto number = value.as_number();
        return number ? Value{compute_it(*number)} : Value{Kind::mixed};
    }

    // The low bytes of a number, as the same term if nothing is cut off.
    Number truncate(const Number& value, unsigned bytes) {
        const Scalar scalar = state.scalar(value);
        const Scalar cut = zero_extend(scalar, bytes);
        const bool whole = bytes == 8 || scalar.u64.high < std::uint64_t{1} << (bytes * 8);
        return whole ? value : state.number(cut, low_half_of(value, bytes));
    }
    static Definition low_half_of(const Number& value, unsigned bytes) {
        if (bytes != 4) return {};
        return {Definition::Form::truncated, value, {}};
    }
    Number extend(const Number& value, unsigned bytes) {
        const Scalar scalar = state.scalar(value);
        const std::int64_t limit = bytes == 8 ? INT64_MAX : (std::int64_t{1} << (bytes * 8 - 1)) - 1;
        const bool whole = bytes == 8 || (scalar.s64.low >= -limit - 1 && scalar.s64.high <= limit);
        return whole ? value : state.number(sign_extend(scalar, bytes));
    }

    // --- arithmetic

    void operator()(const Compute& insn) {
        const Value left = reg(insn.dst), right = operand(insn.src);
        if (insn.op == Alu::mov) {
            reg(insn.dst) = insn.width == 64 ? right : low_half(right);
            return;
        }
        const auto a = left.as_number(), b = right.as_number();
        reg(insn.dst) = a && b ? Value{numbers(insn, *a, *b)} : pointers(insn, left, right);
    }

    Value low_half(const Value& value) {
        if (value.is_packet_address()) return half_of(value);
        return of_number(value, [&](const Number& number) { return truncate(number, 4); });
    }
    // The guest's packets lie below 4 GiB: their addresses are their own halves.
    Value half_of(Value pointer) const {
        if (state.is_short_address(pointer, options.platform)) return pointer;
        pointer.kind = Kind::packet_address;
        pointer.object |= unibpf::analyser::low_half;
        return pointer;
    }

    Number numbers(const Compute& insn, const Number& left, const Number& right) {
        switch (insn.op) {
            case Alu::add: return sum(insn.width, left, right, false);
            case Alu::sub: return sum(insn.width, left, right, true);
            case Alu::and_:
                if (keeps_all(insn, left, right)) return insn.width == 64 ? left : truncate(left, 4);
                if (const auto result = rounded_down(insn, left, right)) return *result;
                break;
            case Alu::lsh:
                if (insn.width == 64 && right.is_constant() && right.delta() == 32 && !left.is_constant()) return shifted_up(left);
                break;
            case Alu::rsh:
            case Alu::arsh:
                if (const auto result = shifted_right(insn, left, right)) return *result;
                break;
            case Alu::mul:
            case Alu::div:
            case Alu::sdiv:
            case Alu::or_:
            case Alu::neg:
            case Alu::mod:
            case Alu::smod:
            case Alu::xor_:
            case Alu::mov: break;
        }
        return state.number(compute(insn.op, insn.width, state.scalar(left), state.scalar(right)));
    }

    std::optional<Number> shifted_right(const Compute& insn, const Number& left, const Number& right) {
        if (!right.is_constant() || right.delta() <= 0 || right.delta() >= 64) return std::nullopt;
        if (insn.width == 64 && right.delta() >= 32) {
            const auto back = shifted_back(left, insn.op == Alu::arsh);
            if (!back || right.delta() == 32) return back;
            return numbers(insn, *back, Number::constant(right.constant_value() - 32));
        }
        const Scalar scalar = state.scalar(left);
        const bool whole = scalar.s64.low >= 0 && (insn.width == 64 || (scalar.fits_u32() && right.delta() < 32));
        if (insn.op != Alu::rsh || !whole) return std::nullopt;
        return state.shifted_right(left, static_cast<unsigned>(right.delta()), compute(insn.op, insn.width, scalar, state.scalar(right)));
    }

    // Without its lowest bits, a number is less by what they can be.
    std::optional<Number> rounded_down(const Compute& insn, const Number& left, const Number& right) {
        const Scalar scalar = state.scalar(left);
        if (!right.is_constant() || scalar.s64.low < 0 || (insn.width == 32 && !scalar.fits_u32())) return std::nullopt;
        const std::uint64_t cleared = scalar.bits.max() & ~right.constant_value();
        if (cleared == 0 || (cleared & (cleared + 1)) != 0 || cleared > largest_packet) return std::nullopt;
        return state.rounded_down(left, static_cast<std::int64_t>(cleared), compute(insn.op, insn.width, scalar, state.scalar(right)));
    }

    // In 32 bits the sum is the term itself where it needs no more than 32 bits.
    Number sum(unsigned width, const Number& left, const Number& right, bool negative) {
        const auto wide = [&](const Number& a, const Number& b) { return negative ? state.subtract(a, b) : state.add(a, b); };
        if (width == 64) return wide(left, right);
        const Number low_left = truncate(left, 4);
        const Number low_right = right.is_constant() ? Number::constant(static_cast<std::uint64_t>(static_cast<std::int32_t>(right.delta()))) : truncate(right, 4);
        const Number result = wide(low_left, low_right);
        if (state.scalar(result).fits_u32()) return result;
        const Alu op = negative ? Alu::sub : Alu::add;
        return state.number(compute(op, 32, state.scalar(left), state.scalar(right)), low_half_of(result, 4));
    }

    // x & mask where x has no bits outside the mask.
    bool keeps_all(const Compute& insn, const Number& left, const Number& right) {
        if (!right.is_constant()) return false;
        const std::uint64_t mask = insn.width == 64 ? right.constant_value() : right.constant_value() & UINT32_MAX;
        Tnum bits = state.scalar(left).bits;
        if (insn.width == 32) bits = low_bits(bits, 32);
        return (bits.max() & ~mask) == 0;
    }

    // Compilers for BPF v1 and v2 extend 32-bit values by a pair of shifts.
    Number shifted_up(const Number& value) {
        const Scalar scalar = compute(Alu::lsh, 64, state.scalar(value), Scalar::constant(32));
        return state.number(scalar, {Definition::Form::shifted, value, {}});
    }
    std::optional<Number> shifted_back(const Number& value, bool is_signed) {
        const auto source = state.shifted_number(value);
        if (!source) return std::nullopt;
        return is_signed ? extend(*source, 4) : truncate(*source, 4);
    }

    // Nothing else than ~p + q gets past the checker.
    Value beyond(const Compute& insn, const Value& left, const Value& right) {
        if (insn.op != Alu::add || (left.kind != Kind::packet && right.kind != Kind::packet)) return {Kind::mixed};
        return left.kind == Kind::complement ? state.beyond(left, right) : state.beyond(right, left);
    }

    // One of the two holds an address, or nobody knows what.
    Value pointers(const Compute& insn, const Value& left, const Value& right) {
        const auto a = left.as_number(), b = right.as_number();
        if (insn.op == Alu::xor_) return left.kind == Kind::packet ? state.complement(left) : Value{Kind::mixed};
        if (left.kind == Kind::complement || right.kind == Kind::complement) return beyond(insn, left, right);
        if (insn.op == Alu::sub && left.is_pointer() && right.is_pointer()) {
            const Number distance = state.distance(left, right);
            return insn.width == 64 ? distance : truncate(distance, 4);
        }
        if (insn.op == Alu::sub && left.is_pointer() && b) return state.moved(left, *b, true);
        if (insn.op == Alu::add && left.is_pointer() && b) return state.moved(left, *b, false);
        if (insn.op == Alu::add && right.is_pointer() && a) return state.moved(right, *a, false);
        return {Kind::mixed};
    }

    void operator()(const MoveSigned& insn) {
        reg(insn.dst) = of_number(reg(insn.src), [&](const Number& number) {
            const Number wide = extend(number, insn.bytes);
            return insn.width == 64 ? wide : truncate(wide, 4);
        });
    }
    void operator()(const Swap& insn) {
        reg(insn.dst) = of_number(reg(insn.dst), [&](const Number& number) {
            return insn.order == ByteOrder::little ? truncate(number, insn.bytes) : state.number(swap_bytes(insn.order, insn.bytes, state.scalar(number)));
        });
    }
    void operator()(const LoadNumber& insn) { reg(insn.dst) = Value::constant(insn.value); }
    void operator()(const LoadMap& insn) { reg(insn.dst) = Value::pointer(Kind::map_handle, std::uint64_t{1} << insn.map); }
    void operator()(const LoadMapValue& insn) {
        reg(insn.dst) = Value::pointer(Kind::map_value, std::uint64_t{1} << insn.map, insn.offset);
        if (program.maps[insn.map].lock) reg(insn.dst).identity = most_sites + insn.map;
    }
    void operator()(const LoadFunction& insn) { reg(insn.dst) = Value::pointer(Kind::function, insn.target); }

    // --- memory

    void operator()(const Load& insn) {
        const Value base = reg(insn.base).moved(insn.offset);
        if (base.kind == Kind::context && !insn.sign) reg(insn.dst) = context_field(base.delta);
        else if (base.kind == Kind::stack) reg(insn.dst) = from_stack(base, insn);
        else if (base.kind == Kind::map_value) reg(insn.dst) = from_map(base, insn);
        else reg(insn.dst) = state.number(of_bytes(insn.bytes, insn.sign));
    }

    Value context_field(std::int64_t offset) {
        for (const abi::ContextRow& row : abi::context_fields) {
            if (row.offset != offset) continue;
            switch (row.field) {
                case abi::ContextField::packet: return Value::pointer(Kind::packet);
                case abi::ContextField::packet_end: return {Kind::packet, no_site, 0, packet_size, no_symbol, 0};
                case abi::ContextField::packet_meta: return {Kind::packet, no_site, 0, meta_start, no_symbol, 0};
                case abi::ContextField::number: break;
            }
        }
        return state.number(of_bytes(4, false));
    }

    // Addresses come back as they were stored; only a number has a sign.
    Value sign_if(const Load& insn, const Value& value) {
        return insn.sign ? of_number(value, [&](const Number& number) { return extend(number, insn.bytes); }) : value;
    }

    Value from_stack(const Value& base, const Load& insn) {
        const auto range = state.range(base);
        if (range.low != range.high) return state.number(of_bytes(insn.bytes, insn.sign));
        const auto start = static_cast<unsigned>(range.low + Frame::size);
        const Frame& frame = state.frame(base);
        if (const Value* cell = frame.cell_at(start, insn.bytes)) return sign_if(insn, *cell);
        if (const auto constant = frame.constant_at(start, insn.bytes)) return sign_if(insn, Value::constant(*constant));
        return state.number(of_bytes(insn.bytes, insn.sign));
    }

    Value from_map(const Value& base, const Load& insn) {
        if (!std::has_single_bit(base.object)) return state.number(of_bytes(insn.bytes, insn.sign));
        const Map& map = program.values_of(static_cast<std::size_t>(std::countr_zero(base.object)));
        if (!map.is_constant() || base.symbol != zero_symbol) return state.number(of_bytes(insn.bytes, insn.sign));
        std::uint64_t word = 0;
        for (unsigned i = 0; i < insn.bytes; ++i) word |= std::uint64_t{map.initial[static_cast<std::size_t>(base.delta) + i]} << (8 * i);
        return sign_if(insn, Value::constant(word));
    }

    void operator()(const Store& insn) {
        const Value base = reg(insn.base).moved(insn.offset);
        if (base.kind != Kind::stack) return;
        const Value source = operand(insn.src);
        const auto number = source.as_number();
        const Value value = number ? Value{truncate(*number, insn.bytes)} : source;
        const auto range = state.range(base);
        const auto first = static_cast<unsigned>(range.low + Frame::size), last = static_cast<unsigned>(range.high + Frame::size);
        Frame& frame = state.frame(base);
        if (!number) state.forget_attempts(base.object, first, last - first + insn.bytes);
        if (first == last) frame.store(first, insn.bytes, value);
        else frame.smear(first, last, insn.bytes);
    }

    void operator()(const AtomicUpdate& insn) {
        const Value base = reg(insn.base).moved(insn.offset);
        if (base.kind == Kind::stack) {
            const auto range = state.range(base);
            state.frame(base).smear(static_cast<unsigned>(range.low + Frame::size), static_cast<unsigned>(range.high + Frame::size), insn.bytes);
        }
        if (insn.op == Atomic::cmpxchg) reg(0) = state.number(of_bytes(insn.bytes, false));
        else if (insn.op >= Atomic::fetch_add) reg(insn.src) = state.number(of_bytes(insn.bytes, false));
    }

    // --- calls

    void operator()(const CallHelper& insn) {
        const abi::HelperRow& row = *tables_of(options.platform).find_helper(insn.number);
        for (std::uint8_t i = 0; i < row.arguments.size(); ++i) write_argument(row, row.arguments[i], static_cast<Register>(i + 1));
        const Value result = may_leave_its_buffer(row) ? attempted() : result_of(row);
        apply_effects(state, row, setting);
        for (Register i = 0; i <= 5; ++i) reg(i) = {};
        if (!row.has(abi::calls_back)) reg(0) = result;
    }

    // A guest's bpf_xdp_load_bytes that fails leaves in its buffer what was there, which may be an address or what others left. Linux
    // counts it as written all the same.
    bool may_leave_its_buffer(const abi::HelperRow& row) const { return options.platform == Platform::guest && row.helper == abi::Helper::xdp_load_bytes; }
    Value attempted() {
        const Number result = state.number(Scalar::signed_range(-most_error, 0));
        const Value target = reg(3);
        const auto range = state.range(target), size = state.range(reg(4));
        const bool known = target.kind == Kind::stack && !target.may_be_null() && range.low == range.high && size.low > 0;
        if (known) state.attempts.push_back({result, target.object, static_cast<unsigned>(range.low + Frame::size), static_cast<unsigned>(size.low)});
        return result;
    }

    Value result_of(const abi::HelperRow& row) {
        switch (row.returns) {
            case abi::Return::number: return state.number(Scalar::top());
            case abi::Return::nothing: return {};
            case abi::Return::map_value_or_null: return looked_up(row);
            case abi::Return::record_or_null:
            case abi::Return::socket_or_null: return acquired(state, row, setting);
        }
        __builtin_unreachable();
    }

    Value looked_up(const abi::HelperRow& row) {
        const auto position = std::find(row.arguments.begin(), row.arguments.end(), abi::Argument::map) - row.arguments.begin();
        const Value handle = reg(static_cast<Register>(position + 1));
        const auto maps = named_maps(program, handle);
        const bool gives_maps = std::any_of(maps.begin(), maps.end(), [](const Map* map) { return map->inner != nullptr; });
        Value result = Value::pointer(gives_maps ? Kind::inner_map : Kind::map_value, handle.object);
        result.nullable = state.fresh(Scalar::unsigned_range(0, 1));
        if (std::any_of(maps.begin(), maps.end(), [](const Map* map) { return map->lock.has_value(); })) {
            state.forget_identity(setting.site);
            result.identity = setting.site;
        }
        return result;
    }

    // What the helper leaves in stack memory that it was given to write.
    void write_argument(const abi::HelperRow& row, abi::Argument argument, Register number) {
        const Value target = reg(number);
        if (target.kind != Kind::stack) return;
        const auto written = written_bytes(argument, number);
        if (written.high == 0) return;
        const auto range = state.range(target);
        const auto first = static_cast<unsigned>(range.low + Frame::size), last = static_cast<unsigned>(range.high + Frame::size);
        Frame& frame = state.frame(target);
        frame.smear(first, last, static_cast<unsigned>(written.high));
        if (first == last && !may_leave_its_buffer(row)) frame.fill(first, static_cast<unsigned>(written.low));
    }

    Interval<std::int64_t> written_bytes(abi::Argument argument, Register number) const {
        switch (argument) {
            case abi::Argument::map_value_write: return value_bytes();
            case abi::Argument::memory_write:
            case abi::Argument::memory_write_or_null:
            case abi::Argument::memory_update: return state.range(state.registers[number + 1]);
            case abi::Argument::long_write: return {8, 8};
            case abi::Argument::u32_update: return {4, 4};
            default: return {0, 0};
        }
    }
    Interval<std::int64_t> value_bytes() const {
        Interval<std::int64_t> bytes{INT64_MAX, 0};
        for (const Map* map : named_maps(program, state.registers[1])) {
            bytes = {std::min<std::int64_t>(bytes.low, map->value_bytes), std::max<std::int64_t>(bytes.high, map->value_bytes)};
        }
        return bytes;
    }

    void operator()(const Jump&) {}
    void operator()(const Branch&) {}
    void operator()(const CallLocal&) {}
    void operator()(const Exit&) {}
    void operator()(const SecondSlot&) {}
};

}  // namespace

Scalar of_bytes(unsigned bytes, bool sign) {
    if (bytes == 8) return Scalar::top();
    const std::uint64_t limit = (std::uint64_t{1} << (bytes * 8)) - 1;
    if (!sign) return Scalar::unsigned_range(0, limit);
    return Scalar::signed_range(-static_cast<std::int64_t>(limit / 2) - 1, static_cast<std::int64_t>(limit / 2));
}

void apply(State& state, const Insn& insn, const Setting& setting) {
    Transformer transformer{state, setting};
    std::visit(transformer, insn);
    state.compact_if_large();
}

}  // namespace unibpf::analyser
