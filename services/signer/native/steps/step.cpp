#include "services/signer/native/steps/step.hpp"

#include "services/signer/native/input/refusal.hpp"

namespace unibpf::certificate {

void Step::refuse(const char* what) const { unproved("instruction " + std::to_string(place_.at) + ": " + what); }

const Value& Step::readable(unsigned number) {
    demand(reg(number).kind != Kind::unset, "a register is read that may not have been written");
    return reg(number);
}

Value Step::operand() { return insn_.by_register ? readable(insn_.src) : Value::constant(static_cast<std::uint64_t>(insn_.imm)); }

void Step::write(unsigned number, const Value& value) {
    demand(number < frame_pointer, "r10 is written");
    reg(number) = value;
}

void Step::run() {
    switch (insn_.op) {
        case Op::compute: compute(); break;
        case Op::move_signed: {
            demand(readable(insn_.src).is_number(), "an address is sign-extended");
            const Value wide = extend(reg(insn_.src), insn_.bytes);
            write(insn_.dst, insn_.width == 64 ? wide : cut(wide, 4));
            break;
        }
        case Op::reorder:
            demand(readable(insn_.dst).is_number(), "the bytes of an address change places");
            if (insn_.is_signed) write(insn_.dst, state_.number(swapped(state_.word(reg(insn_.dst).term), insn_.bytes)));
            else write(insn_.dst, cut(reg(insn_.dst), insn_.bytes));
            break;
        case Op::number: write(insn_.dst, Value::constant(static_cast<std::uint64_t>(insn_.imm))); break;
        case Op::map:
            demand(insn_.index < program_.maps.size(), "no such map");
            write(insn_.dst, Value::pointer(Kind::map, std::uint64_t{1} << insn_.index));
            break;
        case Op::map_value: {
            demand(insn_.index < program_.maps.size(), "no such map");
            const Map& map = program_.maps[insn_.index];
            demand(map.type->array_like() && map.entries == 1 && insn_.imm < std::int64_t{map.value_bytes}, "no address in a global value");
            Value value = Value::pointer(Kind::map_value, std::uint64_t{1} << insn_.index, {zero, insn_.imm});
            if (map.lock) value.identity = std::uint64_t{1} << 63 | insn_.index;
            write(insn_.dst, value);
            break;
        }
        case Op::function: write(insn_.dst, Value::pointer(Kind::function, insn_.target)); break;
        case Op::load:
        case Op::load_signed: load(); break;
        case Op::store:
        case Op::store_number: store(); break;
        case Op::atomic: update(); break;
        case Op::branch:
            (void)readable(insn_.dst);
            (void)operand();
            break;
        case Op::helper: call_helper(); break;
        case Op::call: demand(state_.locked == Locked::no, "a call while a lock may be held"); break;
        case Op::jump:
        case Op::exit: break;
        case Op::upper_half: refuse("no instruction begins here");
    }
}

// --- numbers

// The low bytes, zero-extended: the same term if nothing is lost.
Value Step::cut(const Value& value, unsigned bytes) {
    const Word word = state_.word(value.term);
    if (bytes == 8 || word.u.high < std::uint64_t{1} << (8 * bytes)) return value;
    return state_.number(low_bytes(word, bytes), bytes == 4 ? Origin{Origin::Form::low_half, value.term, {}} : Origin{});
}

Value Step::extend(const Value& value, unsigned bytes) {
    const Word word = state_.word(value.term);
    const std::int64_t most = bytes == 8 ? INT64_MAX : (std::int64_t{1} << (8 * bytes - 1)) - 1;
    if (word.s.low >= -most - 1 && word.s.high <= most) return value;
    return state_.number(signed_bytes(word, bytes));
}

void Step::compute() {
    const Value right = operand();
    if (insn_.alu == Alu::mov) {
        write(insn_.dst, insn_.width == 64   ? right
                         : right.is_number() ? cut(right, 4)
                                             : move_half(right));
        return;
    }
    const Value left = readable(insn_.dst);
    demand(left.kind != Kind::unknown && right.kind != Kind::unknown, "arithmetic on what may be an address");
    const bool numbers = left.is_number() && (right.is_number() || insn_.alu == Alu::neg);
    write(insn_.dst, numbers ? compute_numbers(left, right) : compute_pointers(left, right));
}

Value Step::compute_numbers(const Value& left, const Value& right) {
    const Word a = state_.word(left.term), b = state_.word(right.term);
    if (insn_.alu == Alu::add && insn_.width == 64) return Value::number(state_.add(left.term, right.term));
    if (insn_.alu == Alu::sub && insn_.width == 64) return Value::number(state_.subtract(left.term, right.term));
    if (insn_.alu == Alu::add || insn_.alu == Alu::sub) return sum_of_halves(left, right);
    const std::uint64_t all = insn_.width == 64 ? UINT64_MAX : UINT32_MAX;
    if (insn_.alu == Alu::bit_and && b.known() && ((a.ones | a.fuzzy) & all & ~b.u.low) == 0) return insn_.width == 64 ? left : cut(left, 4);
    if (insn_.alu == Alu::bit_and && b.known()) return rounded(left, b.u.low & all);
    const bool by_32 = insn_.width == 64 && b.known() && b.u.low == 32;
    if (insn_.alu == Alu::lsh && by_32 && !a.known()) return state_.number(certificate::compute(insn_.alu, false, 64, a, b), {Origin::Form::shifted, left.term, {}});
    const bool shifts_down = insn_.alu == Alu::rsh || insn_.alu == Alu::arsh;
    if (shifts_down && b.known() && b.u.low > 0 && b.u.low < insn_.width) return shifted_down(left, static_cast<unsigned>(b.u.low));
    return state_.number(certificate::compute(insn_.alu, insn_.is_signed, insn_.width, a, b));
}

// Compilers without 32-bit instructions shift up by 32 and down again, by 32 or more. What is not negative is divided.
Value Step::shifted_down(const Value& left, unsigned places) {
    const Origin origin = state_.symbols[left.term.symbol].origin;
    if (insn_.width == 64 && places >= 32 && left.term.offset == 0 && origin.form == Origin::Form::shifted) {
        const Value low = insn_.alu == Alu::rsh ? cut(Value::number(origin.left), 4) : extend(Value::number(origin.left), 4);
        return places == 32 ? low : shifted_down(low, places - 32);
    }
    const Word whole = state_.word(left.term);
    const Value part = state_.number(certificate::compute(insn_.alu, false, insn_.width, whole, Word::exactly(places)));
    const std::uint64_t most = insn_.width == 64       ? static_cast<std::uint64_t>(INT64_MAX)
                               : insn_.alu == Alu::rsh ? UINT32_MAX
                                                       : static_cast<std::uint64_t>(INT32_MAX);
    if (whole.u.high <= most) state_.learn_share(part.term, left.term, places);
    return part;
}

// `x & mask` is x less the bits that are cleared: as integers, where x is positive as a signed number and the mask is as wide as x.
Value Step::rounded(const Value& left, std::uint64_t mask) {
    const Word whole = state_.word(left.term);
    const std::uint64_t cleared = (whole.ones | whole.fuzzy) & ~mask;
    const std::uint64_t most = insn_.width == 64 ? static_cast<std::uint64_t>(INT64_MAX) : UINT32_MAX;
    const bool is_less = whole.u.high <= most && cleared <= most, are_lowest = (cleared & (cleared + 1)) == 0;
    const Origin origin = is_less && are_lowest ? Origin{Origin::Form::rounded, left.term, {zero, static_cast<std::int64_t>(cleared)}} : Origin{};
    const Value result = state_.number(certificate::compute(insn_.alu, false, insn_.width, whole, Word::exactly(mask)), origin);
    if (is_less) state_.learn_distance(left.term, result.term, {0, static_cast<std::int64_t>(cleared)});
    return result;
}

// In 32 bits: the term of the sum where the sum needs no more.
Value Step::sum_of_halves(const Value& left, const Value& right) {
    const bool adds = insn_.alu == Alu::add;
    const auto sum = [&](const Value& a, const Value& b) { return Value::number(adds ? state_.add(a.term, b.term) : state_.subtract(a.term, b.term)); };
    const auto number = state_.constant(right);
    const Value short_left = cut(left, 4);
    const Value short_right = number ? Value::constant(static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(*number)})) : cut(right, 4);
    const Value result = sum(short_left, short_right);
    if (state_.word(result.term).u.high <= UINT32_MAX) return result;
    const Word word = certificate::compute(insn_.alu, false, 32, state_.word(left.term), state_.word(right.term));
    return state_.number(word, {Origin::Form::low_half, result.term, {}});
}

// --- addresses

// Packets of guests lie below 4 GiB: an address inside one is its own low half.
bool Step::is_short(const Value& pointer) const {
    if (pointer.kind != Kind::packet || pointer.may_be_null()) return false;
    const auto before = state_.gap({meta_start, 0}, pointer.term), after = state_.gap(pointer.term, {packet_size, 0});
    return before && *before <= 0 && after && *after <= 0;
}

Value Step::move_half(const Value& value) {
    demand(value.is_packet() && !value.may_be_null(), "half of an address is taken");
    if (is_short(value)) return value;
    Value result = value;
    result.kind = Kind::stale_packet;
    result.object |= half;
    return result;
}

Value Step::difference_of(const Value& left, const Value& right) {
    const bool same_frame = left.kind == Kind::stack && right.kind == Kind::stack && left.object == right.object;
    const bool same_packet = left.is_packet() && right.is_packet() && ((left.object ^ right.object) & moved) == 0;
    const bool whole = !left.is_half() && !right.is_half();
    demand(same_frame || (same_packet && (whole || insn_.width == 32)), "a difference of addresses of different objects");
    const Value distance = Value::number(state_.subtract(left.term, right.term));
    return insn_.width == 64 ? distance : cut(distance, 4);
}

// q + ~p = q - p - 1 modulo 2^64: where the packet lies cancels, as long as it is the same one.
std::optional<Value> Step::by_complement(const Value& left, const Value& right) {
    if (insn_.width != 64) return std::nullopt;
    if (insn_.alu == Alu::bit_xor && left.kind == Kind::packet && state_.constant(right) == UINT64_MAX) return Value::pointer(Kind::complement, 0, left.term);
    if (insn_.alu != Alu::add) return std::nullopt;
    const bool comes_first = left.kind == Kind::complement;
    const Value &turned = comes_first ? left : right, &address = comes_first ? right : left;
    if (turned.kind != Kind::complement || address.kind != Kind::packet) return std::nullopt;
    return Value::number(state_.subtract(address.term, turned.term).minus(1));
}

Value Step::compute_pointers(const Value& left, const Value& right) {
    demand(!left.may_be_null() && !right.may_be_null(), "arithmetic on what may be null");
    if (const auto result = by_complement(left, right)) return *result;
    if (insn_.alu == Alu::sub && left.is_address() && right.is_address()) return difference_of(left, right);
    demand(insn_.width == 64, "32-bit arithmetic on an address");
    const bool moves = (insn_.alu == Alu::add && (left.is_number() || right.is_number())) || (insn_.alu == Alu::sub && right.is_number());
    demand(moves, "an operation that addresses do not have");
    const Value &pointer = left.is_number() ? right : left, &number = left.is_number() ? left : right;
    switch (pointer.kind) {
        case Kind::packet:
        case Kind::stale_packet:
        case Kind::stack:
        case Kind::map_value:
        case Kind::map_key:
        case Kind::record: break;
        case Kind::context: demand(state_.constant(number).has_value(), "the context's address is moved by an unknown number"); break;
        default: refuse("arithmetic on what has no inside");
    }
    return pointer.with(insn_.alu == Alu::add ? state_.add(pointer.term, number.term) : state_.subtract(pointer.term, number.term));
}

// --- branches

// What is believed of guests: memory of programs begins above 64 KiB and ends below 4 GiB, so an address with such an offset is not
// 0 and does not wrap; and no function has the value 0 (guest/bpf/program.hpp). Neither functions nor maps can be moved.
bool Step::is_in_memory(const Value& pointer) const {
    if (!pointer.is_address() || pointer.is_half() || pointer.kind == Kind::complement) return false;
    const auto offset = state_.range(pointer.term);
    const bool has_inside = pointer.kind != Kind::function && pointer.kind != Kind::map && pointer.kind != Kind::inner_map;
    if (!has_inside) return offset.low == 0 && offset.high == 0;
    return offset.low >= -0xffff && offset.high <= std::int64_t{1} << 40;
}

// Of others a test would tell whether a guess of the address was right.
void Step::demand_comparable(const Value& pointer) const {
    demand(is_in_memory(pointer) && (insn_.width == 64 || is_short(pointer)), "a test of an address that may be at any place, or of half of one");
}

bool Step::follow_null(const Value& pointer, bool is_null) {
    demand_comparable(pointer);
    if (!pointer.may_be_null()) return !is_null;
    state_.assume_there(pointer.witness, !is_null);
    return true;
}

// Addresses in one object compare as their distances from its start, signed.
bool Step::follow_pointers(const Value& left, const Value& right, bool taken) {
    demand_comparable(left);
    demand_comparable(right);
    demand(left.kind == right.kind || (left.is_packet() && right.is_packet()), "a comparison of addresses of different objects");
    demand(insn_.test != Test::set, "bits of addresses are tested");
    const bool same = left.kind == right.kind && left.object == right.object && (left.kind == Kind::stack || left.is_packet());
    if (!same || left.may_be_null() || right.may_be_null()) return true;
    const auto as_signed = [](Test test) {
        switch (test) {
            case Test::gt: return Test::sgt;
            case Test::ge: return Test::sge;
            case Test::lt: return Test::slt;
            case Test::le: return Test::sle;
            default: return test;
        }
    };
    const bool reads_addresses_signed = insn_.test == Test::sgt || insn_.test == Test::sge || insn_.test == Test::slt || insn_.test == Test::sle;
    if (reads_addresses_signed) return true;
    return state_.assume(as_signed(insn_.test), 64, taken, left.term, right.term);
}

bool Step::follow(bool taken) {
    const Value left = readable(insn_.dst), right = operand();
    demand(left.kind != Kind::unknown && right.kind != Kind::unknown, "a test of what may be an address");
    if (left.is_number() && right.is_number()) return state_.assume(insn_.test, insn_.width, taken, left.term, right.term);
    if (left.is_address() && right.is_address()) return follow_pointers(left, right, taken);
    const Value &number = left.is_number() ? left : right, &pointer = left.is_number() ? right : left;
    const auto constant = state_.constant(number);
    demand(constant && *constant == 0 && (insn_.test == Test::eq || insn_.test == Test::ne), "an address is compared with a number");
    return follow_null(pointer, (insn_.test == Test::eq) == taken);
}

}  // namespace unibpf::certificate
