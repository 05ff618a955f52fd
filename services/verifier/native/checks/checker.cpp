#include "services/verifier/native/checks/checker.hpp"

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/program/helper_names.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

using Outcome = std::optional<Finding>;

std::string verb(Direction direction) {
    return direction == Direction::read    ? "read"
           : direction == Direction::write ? "write"
                                           : "atomic update";
}

struct Checker {
    const View view;
    const State& state = view.state;
    const Program& program = view.program;
    const Options& options = view.options;

    Finding fault(Rule rule, std::string message, Register reg, std::string hint = "") const { return view.fault(rule, std::move(message), reg, std::move(hint)); }

    Outcome operator()(const Initialised& a) const {
        if (state.registers[a.reg].is_readable()) return std::nullopt;
        return fault(Rule::uninitialised_register, register_name(a.reg) + " is read before it is written on every path", a.reg, stale_hint());
    }
    static std::string stale_hint() {
        return "initialise it on every path; calls clobber r1 to r5, and packet pointers must be loaded anew after a helper that moves the packet";
    }

    Outcome operator()(const HoldsNumber& a) const {
        if (state.registers[a.reg].is_number()) return std::nullopt;
        return fault(Rule::pointer_kind, register_name(a.reg) + " must hold a number here", a.reg);
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
        if (auto finding = constant_operand(insn)) return finding;
        if (left.is_number() && right.is_number()) return std::nullopt;
        const Register culprit = left.is_number() ? insn.src.reg : insn.dst;
        const Value& pointer = left.is_number() ? right : left;
        if (pointer.kind == Kind::mixed) return fault(Rule::pointer_kind, register_name(culprit) + " holds an address on some paths and something else on others", culprit);
        const bool difference = insn.op == Alu::sub && left.is_pointer() && right.is_pointer();
        if (insn.width == 32 && !difference) return fault(Rule::pointer_arithmetic, "32-bit arithmetic on an address", culprit, "keep the pointer in a 64-bit variable");
        if (left.may_be_null() || right.may_be_null()) {
            const Register null = left.may_be_null() ? insn.dst : insn.src.reg;
            return fault(Rule::null_check, "arithmetic on " + register_name(null) + ", which may be null", null, null_hint(pointer));
        }
        if (complements(insn, left, right)) return std::nullopt;
        return arithmetic(insn, left, right, culprit);
    }

    // ~p of a packet address, and ~p + q.
    static bool complements(const Compute& insn, const Value& left, const Value& right) {
        if (insn.width != 64) return false;
        if (insn.op == Alu::xor_) return left.kind == Kind::packet && right.is_constant() && right.delta == -1;
        return insn.op == Alu::add && ((left.kind == Kind::packet && right.kind == Kind::complement) || (left.kind == Kind::complement && right.kind == Kind::packet));
    }

    // Defined by RFC 9669 4.1, refused by Linux where the instruction itself says it (check_alu_op, kernel/bpf/verifier.c).
    Outcome constant_operand(const Compute& insn) const {
        if (options.platform == Platform::guest || insn.src.is_register) return std::nullopt;
        const bool divides = insn.op == Alu::div || insn.op == Alu::sdiv || insn.op == Alu::mod || insn.op == Alu::smod;
        if (divides && insn.src.imm == 0) return fault(Rule::unsupported, "Linux refuses a division by the constant 0", insn.dst, "test the divisor before the division");
        const bool shifts = insn.op == Alu::lsh || insn.op == Alu::rsh || insn.op == Alu::arsh;
        if (!shifts || (insn.src.imm >= 0 && insn.src.imm < insn.width)) return std::nullopt;
        return fault(Rule::unsupported, "Linux refuses a shift by the constant " + std::to_string(insn.src.imm) + ", which is not below " + std::to_string(insn.width), insn.dst, "shift by less than the number's width");
    }

    // 32-bit moves cut an address in two: of packets, the halves are good for distances.
    Outcome move(const Compute& insn, const Value& value) const {
        if (insn.width == 64 || value.is_number() || (value.is_packet_address() && !value.may_be_null())) return std::nullopt;
        return fault(Rule::pointer_arithmetic, "32-bit move of an address", insn.src.reg, "keep the pointer in a 64-bit variable");
    }

    Outcome arithmetic(const Compute& insn, const Value& left, const Value& right, Register culprit) const {
        const bool moves = (insn.op == Alu::add && (left.is_number() || right.is_number())) || (insn.op == Alu::sub && right.is_number());
        if (insn.op == Alu::sub && left.is_pointer() && right.is_pointer()) {
            if (left.kind == Kind::stack && right.kind == Kind::stack && left.object == right.object) return std::nullopt;
            const std::uint64_t forms = left.object | right.object;
            const bool same_packet = left.is_packet_address() && right.is_packet_address() && ((left.object ^ right.object) & from_before) == 0;
            if (same_packet && (insn.width == 32 || (forms & low_half) == 0)) return std::nullopt;
            return fault(Rule::pointer_arithmetic, "difference of addresses that do not point into the same object", culprit);
        }
        if (!moves) return fault(Rule::pointer_arithmetic, "operation on an address other than adding or subtracting a number", culprit);
        const Value& pointer = left.is_number() ? right : left;
        const Value& number = left.is_number() ? left : right;
        if (pointer.kind == Kind::complement) return fault(Rule::pointer_arithmetic, "operation on the complement of an address other than adding an address of the packet", culprit);
        if (pointer.kind == Kind::map_handle || pointer.kind == Kind::inner_map) return fault(Rule::pointer_arithmetic, "arithmetic on a map handle", culprit);
        if (pointer.kind == Kind::function || pointer.kind == Kind::socket) return fault(Rule::pointer_arithmetic, "arithmetic on the address of a function or socket", culprit);
        if (pointer.kind == Kind::context && !number.is_constant()) return fault(Rule::pointer_arithmetic, "context pointer moved by a number that is not constant", culprit);
        return std::nullopt;
    }

    Outcome operator()(const Comparable& a) const {
        const Branch& insn = a.branch;
        const Value left = state.registers[insn.left];
        const Value right = insn.right.is_register ? state.registers[insn.right.reg] : Value::constant(static_cast<std::uint64_t>(insn.right.imm));
        for (const Register reg : {insn.left, insn.right.is_register ? insn.right.reg : insn.left}) {
            if (state.registers[reg].kind == Kind::mixed) return fault(Rule::pointer_kind, register_name(reg) + " holds an address on some paths and something else on others", reg);
        }
        if (left.is_number() && right.is_number()) return std::nullopt;
        if (left.is_pointer() && right.is_pointer()) return addresses_compared(insn, left, right);
        const Value& number = left.is_number() ? left : right;
        const bool equality = insn.condition == Condition::eq || insn.condition == Condition::ne;
        const Register culprit = left.is_number() ? insn.right.reg : insn.left;
        if (number.is_null() && equality) return tells_no_address(insn, left.is_number() ? right : left, culprit);
        return fault(Rule::pointer_leak, "comparison of an address with a number", culprit, "compare pointers only with null or with pointers into the same object");
    }

    // The order of a packet's or an object's bytes, and what is null. Of others it would tell where objects lie.
    Outcome addresses_compared(const Branch& insn, const Value& left, const Value& right) const {
        const bool alike = left.kind == right.kind || (left.is_packet_address() && right.is_packet_address());
        if (insn.condition == Condition::set) return fault(Rule::pointer_leak, "test of the bits of an address", insn.left, "compare the pointers by their order");
        if (!alike) {
            return fault(Rule::pointer_leak, "comparison of addresses that do not point into the same object", insn.left, "compare pointers only with null or with pointers into the same object");
        }
        auto finding = tells_no_address(insn, left, insn.left);
        return finding ? finding : tells_no_address(insn, right, insn.right.reg);
    }

    // An address that was moved so far that it may be 0 or may wrap, or half of one, tells by a test whether a guess of it was right.
    Outcome tells_no_address(const Branch& insn, const Value& pointer, Register reg) const {
        if (options.platform == Platform::linux_xdp) return std::nullopt;  // who loads programs there may see its addresses
        const bool whole = insn.width == 64 || state.is_short_address(pointer, options.platform);
        if (!whole || pointer.is_half()) return fault(Rule::pointer_leak, "comparison of half an address", reg, "compare the pointers in 64 bits");
        if (state.is_never_zero(pointer)) return std::nullopt;
        return fault(Rule::pointer_leak, "comparison of an address that may have been moved to any place", reg, "bound the number before it is added to the pointer, for example `if (offset > 1500) return ...;`");
    }

    Outcome operator()(const Accessible& a) const {
        const Value base = state.registers[a.base];
        const std::string what = verb(a.direction) + " of " + bytes_text(a.bytes);
        if (base.kind == Kind::context && !base.may_be_null()) return context(a, base.delta + a.offset);
        if (base.kind == Kind::stack && a.direction == Direction::read) {
            if (const Value* value = spilled(base, a)) return taken_back(a, *value);
        }
        return check_access(view, {base.moved(a.offset), a.bytes, a.base, a.direction, what});
    }

    // What was stored where the load takes back exactly that.
    const Value* spilled(const Value& base, const Accessible& a) const {
        const auto range = state.range(base.moved(a.offset));
        if (range.low != range.high || range.low < -static_cast<std::int64_t>(Frame::size) || range.low + a.bytes > 0) return nullptr;
        return state.frame(base).cell_at(static_cast<unsigned>(range.low + Frame::size), a.bytes);
    }
    // Addresses come back as they were; only numbers have a sign.
    Outcome taken_back(const Accessible& a, const Value& value) const {
        if (!a.sign || value.is_number()) return std::nullopt;
        return fault(Rule::pointer_arithmetic, "sign-extending read of half an address", a.base, "keep the pointer in a 64-bit variable");
    }

    // Linux shows `egress_ifindex` to programs of its devmap hook only (xdp_is_valid_access, net/core/filter.c).
    bool offered(const abi::ContextRow& row) const {
        return options.platform == Platform::guest || options.hook == Hook::devmap || row.offset != offsetof(abi::XdpMd, egress_ifindex);
    }

    Outcome context(const Accessible& a, std::int64_t offset) const {
        if (a.direction != Direction::read) return fault(Rule::context_write, "write to the context", a.base);
        if (a.sign) return fault(Rule::context_access, "sign-extending read of the context", a.base, "read the fields of `struct xdp_md` as the unsigned numbers that they are");
        for (const abi::ContextRow& row : abi::context_fields) {
            if (row.offset == offset && row.bytes == a.bytes && offered(row)) return std::nullopt;
        }
        return fault(Rule::context_access, "read of " + bytes_text(a.bytes) + " at offset " + std::to_string(offset) + " of the context is no field of it", a.base);
    }

    Outcome operator()(const Storable& a) const {
        const Value& value = state.registers[a.src];
        if (value.is_number()) return std::nullopt;
        const Value& base = state.registers[a.base];
        if (base.kind != Kind::stack) return fault(Rule::pointer_leak, "an address is stored outside the stack", a.src);
        if (a.bytes != (value.is_half() ? 4 : 8)) return fault(Rule::pointer_leak, "part of an address is stored", a.src);
        const auto range = state.range(base);
        if (range.low != range.high) return fault(Rule::pointer_leak, "an address is stored at a place that is not constant", a.base);
        return std::nullopt;
    }

    Outcome operator()(const Callable& a) const {
        const abi::HelperRow* row = tables_of(options.platform).find_helper(a.helper);
        if (row == nullptr) return not_offered(a.helper);
        if (options.platform == Platform::guest && (row->kinds & abi::only(program.kind)) == 0) {
            return Finding{Rule::helper_kind, "`" + std::string{row->name} + "` may not be called by a " + std::string{abi::describe(program.kind).name}};
        }
        return std::nullopt;
    }

    Finding not_offered(std::uint32_t helper) const {
        const std::string_view name = helper_name(helper);
        const std::string which = name.empty() ? "helper " + std::to_string(helper) : "`bpf_" + std::string{name} + "` (helper " + std::to_string(helper) + ")";
        const bool guest = options.platform == Platform::guest;
        return {Rule::helper_unknown, which + (guest ? " is not offered by guests" : " is not offered to XDP programs of Linux 6.1"), {}, guest ? std::string{instead_of(helper)} : ""};
    }

    Outcome operator()(const Argument& a) const { return check_argument(view, a); }

    Outcome operator()(const CallsBack& a) const {
        const Value& function = state.registers[a.reg];
        if (function.kind == Kind::function && !function.may_be_null() && function.object == a.target) return std::nullopt;
        return fault(Rule::helper_argument, "which function is called back is not known here", a.reg, "name the function in the call itself");
    }

    Outcome operator()(const FreeSite& a) const {
        const Reference* held = state.reference(a.site);
        if (held == nullptr) return std::nullopt;
        return leak(*held, "the call may be reached again before what it gave was given back");
    }

    Outcome operator()(const NothingHeld& a) const {
        if (state.references.empty()) return std::nullopt;
        return leak(state.references.front(), std::string{a.where} + " on a path");
    }

    Finding leak(const Reference& held, const std::string& where) const {
        const bool record = held.kind == Kind::record;
        const std::string what = record ? "a reserved record is neither submitted nor discarded: " : "a socket is not released: ";
        return {Rule::reference_leak, what + where, {(record ? "reserved by instruction " : "found by instruction ") + std::to_string(held.instruction)}, record ? "" : "call `bpf_sk_release` on this path"};
    }

    Outcome operator()(const Unlocked& a) const {
        if (state.lock.held == Lock::Held::no) return std::nullopt;
        const bool some = state.lock.held == Lock::Held::some;
        return Finding{Rule::spin_lock, std::string{a.where} + " while a `bpf_spin_lock` " + (some ? "may be held" : "is held")};
    }

    Outcome operator()(const OutsideCallback& a) const {
        if (a.is_outside) return std::nullopt;
        return Finding{Rule::helper_argument, "`bpf_tail_call` inside a callback", {}, "return from the callback first"};
    }

    Outcome operator()(const NamesMap& a) const {
        if (a.map >= program.maps.size()) return Finding{Rule::malformed, "64-bit load names a map that the bundle does not have"};
        const Map& map = program.maps[a.map];
        const abi::MapTypeRow* type = tables_of(options.platform).find_map_type(map.type);
        const bool one_value = type != nullptr && type->array_like() && map.max_entries == 1;
        if (a.is_value && !one_value) return Finding{Rule::malformed, "address into map `" + map.name + "`, which is no array of one entry"};
        if (a.is_value && a.offset >= map.value_bytes) return Finding{Rule::map_bounds, "address past the end of map `" + program.maps[a.map].name + "`"};
        return std::nullopt;
    }

    Outcome operator()(const ReturnsNumber& a) const {
        const bool is_entry = a.role == Role::entry;
        if (!state.registers[0].is_number()) return fault(Rule::return_value, is_entry ? "the program returns an address" : "the callback returns an address", 0);
        const auto range = state.range(state.registers[0]);
        if (is_entry || options.platform == Platform::guest || (range.low >= 0 && range.high <= 1)) return std::nullopt;
        return fault(Rule::return_value, "the callback returns something else than 0 or 1", 0, "return 0 to go on and 1 to stop");
    }
};

}  // namespace

std::optional<Finding> check(const State& state, const Assertion& assertion, const Program& program, const Options& options) {
    return std::visit(Checker{{state, program, options}}, assertion);
}

}  // namespace unibpf::analyser
