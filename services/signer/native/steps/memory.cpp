// Loads, stores and the ranges that may be touched.
#include <bit>

#include "services/signer/native/steps/step.hpp"

namespace unibpf::certificate {

void Step::inside(const Value& pointer, std::int64_t bytes, std::int64_t size) const {
    const auto offset = state_.range(pointer.term);
    demand(offset.low >= 0 && offset.high <= size - bytes, "an access may lie outside its object");
}

void Step::access(const Value& pointer, std::int64_t bytes, Use use) const {
    demand(!pointer.may_be_null(), "an access through what may be null");
    switch (pointer.kind) {
        case Kind::packet: return access_packet(pointer, bytes, use);
        case Kind::stack: return access_stack(pointer, bytes, use);
        case Kind::map_value: return access_value(pointer, bytes, use);
        case Kind::map_key:
            demand(use == Use::read, "a key is changed");
            for (std::uint64_t maps = pointer.object; maps != 0; maps &= maps - 1) inside(pointer, bytes, program_.values_of(static_cast<std::size_t>(std::countr_zero(maps))).key_bytes);
            return;
        case Kind::record: {
            const Held* held = state_.find_held(pointer.object);
            demand(held != nullptr && held->witness == always, "an access to a record that is not held");
            return inside(pointer, bytes, held->bytes);
        }
        default: refuse("an access through what is no address of memory");
    }
}

// Metadata and packet are one range of bytes, from data_meta to data_end.
void Step::access_packet(const Value& pointer, std::int64_t bytes, Use use) const {
    demand(use == Use::read || abi::describe(program_.kind).writes_packet, "a packet is changed that may only be read");
    demand(use != Use::update, "an atomic operation on a packet");
    const auto before = state_.gap({meta_start, 0}, pointer.term), after = state_.gap(pointer.term, {packet_size, 0});
    demand(before && *before <= 0, "an access may begin before the packet");
    demand(after && *after <= -bytes, "an access may pass the end of the packet");
}

void Step::access_stack(const Value& pointer, std::int64_t bytes, Use use) const {
    const auto offset = state_.range(pointer.term);
    demand(pointer.object < state_.frames.size(), "an address of a frame that is gone");
    demand(offset.low >= -std::int64_t{frame_size} && offset.high <= -bytes, "an access may lie outside the stack frame");
    if (use == Use::write) return;
    const auto first = static_cast<unsigned>(offset.low + frame_size), count = static_cast<unsigned>(offset.high - offset.low + bytes);
    demand(state_.frames[pointer.object].all_numbers(first, count), "stack bytes are read that may hold no number");
}

void Step::access_value(const Value& pointer, std::int64_t bytes, Use use) const {
    const auto offset = state_.range(pointer.term);
    for (std::uint64_t maps = pointer.object; maps != 0; maps &= maps - 1) {
        const Map& map = program_.values_of(static_cast<std::size_t>(std::countr_zero(maps)));
        inside(pointer, bytes, map.value_bytes);
        demand(use == Use::read || (!map.read_only() && map.type->holds == abi::Holds::values), "a value is changed that may only be read");
        const bool beside = !map.lock || offset.high + bytes <= std::int64_t{*map.lock} || offset.low >= std::int64_t{*map.lock} + 4;
        demand(beside, "a lock is touched");
    }
}

void Step::load() {
    const Value& base = readable(insn_.src);
    const Value pointer = base.with(base.term.plus(insn_.offset));
    if (pointer.kind == Kind::context && !pointer.may_be_null()) return write(insn_.dst, load_field(pointer));
    if (pointer.kind == Kind::stack && !pointer.may_be_null()) return write(insn_.dst, load_stack(pointer));
    access(pointer, insn_.bytes, Use::read);
    write(insn_.dst, pointer.kind == Kind::map_value ? load_map(pointer) : memory_word());
}

// Addresses have 32 bits here and come zero-extended; a sign-extending load would make another number of one. No field has a sign.
Value Step::load_field(const Value& pointer) const {
    const Term place = state_.settled(pointer.term);
    demand(place.symbol == zero, "a field of the context at an unknown place");
    for (const abi::ContextRow& row : abi::context_fields) {
        if (row.offset != place.offset || row.bytes != insn_.bytes) continue;
        demand(insn_.op == Op::load, "a field of the context is sign-extended");
        if (row.field == abi::ContextField::number) return memory_word();
        const Symbol start = row.field == abi::ContextField::packet       ? zero
                             : row.field == abi::ContextField::packet_end ? packet_size
                                                                          : meta_start;
        return Value::pointer(Kind::packet, 0, {start, 0});
    }
    refuse("no field of the context");
}

Value Step::load_stack(const Value& pointer) {
    const auto offset = state_.range(pointer.term);
    const bool known = offset.low == offset.high && offset.low >= -std::int64_t{frame_size} && offset.low <= -std::int64_t{insn_.bytes} && pointer.object < state_.frames.size();
    const auto start = known ? static_cast<unsigned>(offset.low + frame_size) : 0U;
    const bool is_signed = insn_.op == Op::load_signed;
    if (known) {
        if (const Cell* cell = state_.frames[pointer.object].exact(start, insn_.bytes)) {
            const Value value = cell->value;
            demand(value.is_number() || !is_signed, "an address is sign-extended");
            return is_signed ? extend(value, insn_.bytes) : value;
        }
    }
    access(pointer, insn_.bytes, Use::read);
    const Cell* cell = known ? state_.frames[pointer.object].around(start, insn_.bytes) : nullptr;
    const auto whole = cell == nullptr ? std::nullopt : state_.constant(cell->value);
    if (!whole) return memory_word();
    const std::uint64_t word = *whole >> (8 * (start - cell->start));
    const Value part = Value::constant(insn_.bytes == 8 ? word : word & ((std::uint64_t{1} << (8 * insn_.bytes)) - 1));
    return is_signed ? extend(part, insn_.bytes) : part;
}

// A constant of global data that nobody changes.
Value Step::load_map(const Value& pointer) {
    const Term place = state_.settled(pointer.term);
    if (!std::has_single_bit(pointer.object) || place.symbol != zero) return memory_word();
    const Map& map = program_.values_of(static_cast<std::size_t>(std::countr_zero(pointer.object)));
    if (!map.constant()) return memory_word();
    std::uint64_t word = 0;
    for (unsigned i = 0; i < insn_.bytes; ++i) word |= std::uint64_t{map.data[static_cast<std::size_t>(place.offset) + i]} << (8 * i);
    const Value value = Value::constant(word);
    return insn_.op == Op::load_signed ? extend(value, insn_.bytes) : value;
}

void Step::store() {
    const Value& base = readable(insn_.dst);
    const Value pointer = base.with(base.term.plus(insn_.offset));
    const Value source = insn_.op == Op::store ? readable(insn_.src) : Value::constant(static_cast<std::uint64_t>(insn_.imm));
    access(pointer, insn_.bytes, Use::write);
    const auto offset = state_.range(pointer.term);
    if (!source.is_number()) {
        demand(pointer.kind == Kind::stack, "an address is stored outside the stack");
        demand(insn_.bytes == (source.is_half() ? 4 : 8), "a part of an address is stored");
        demand(offset.low == offset.high, "an address is stored at an unknown place");
        state_.forget_attempts(pointer.object, static_cast<unsigned>(offset.low + frame_size), insn_.bytes);
    }
    if (pointer.kind != Kind::stack) return;
    const Value value = source.is_number() ? cut(source, insn_.bytes) : source;
    const auto first = static_cast<unsigned>(offset.low + frame_size);
    Frame& frame = state_.frames[pointer.object];
    if (offset.low == offset.high) frame.store(first, insn_.bytes, value);
    else frame.forget(first, static_cast<unsigned>(offset.high - offset.low) + insn_.bytes);
}

// Atomic operations (RFC 9669 5.3) on numbers only, in memory that holds numbers.
void Step::update() {
    const bool exchanges = insn_.imm == 0xf1, fetches = (insn_.imm & 1) != 0;
    demand(readable(insn_.src).is_number() && (!exchanges || readable(0).is_number()), "an atomic operation with an address");
    const Value& base = readable(insn_.dst);
    const Value pointer = base.with(base.term.plus(insn_.offset));
    access(pointer, insn_.bytes, Use::update);
    if (pointer.kind == Kind::stack) {
        const auto offset = state_.range(pointer.term);
        state_.frames[pointer.object].forget(static_cast<unsigned>(offset.low + frame_size), static_cast<unsigned>(offset.high - offset.low) + insn_.bytes);
    }
    if (fetches) write(exchanges ? 0 : insn_.src, state_.number(Word::bytes(insn_.bytes, false)));
}

}  // namespace unibpf::certificate
