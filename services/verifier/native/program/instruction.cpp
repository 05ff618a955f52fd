#include "services/verifier/native/program/instruction.hpp"

#include "guest/bpf/bundle/abi.hpp"

namespace unibpf::analyser {
namespace {

Operand operand(const Opcode& row, const Instruction& in) {
    return row.src_operand ? Operand{true, in.src, 0} : Operand{false, 0, in.imm};
}

struct Decoder {
    std::span<const Instruction> slots;

    std::uint32_t target(std::size_t at, std::int64_t distance) const {
        const std::int64_t to = static_cast<std::int64_t>(at) + 1 + distance;
        return to < 0 || to >= static_cast<std::int64_t>(slots.size()) ? UINT32_MAX : static_cast<std::uint32_t>(to);
    }

    Insn wide(std::size_t at, const Opcode& row) const {
        const Instruction& in = slots[at];
        const auto upper = static_cast<std::uint32_t>(slots[at + 1].imm);
        const auto lower = static_cast<std::uint32_t>(in.imm);
        switch (row.immediate) {
            case Immediate64::number: return LoadNumber{in.dst, std::uint64_t{upper} << 32 | lower};
            case Immediate64::map: return LoadMap{in.dst, lower};
            case Immediate64::map_value: return LoadMapValue{in.dst, lower, upper};
            case Immediate64::function: return LoadFunction{in.dst, target(at, in.imm)};
        }
        __builtin_unreachable();
    }

    Insn one(std::size_t at, const Opcode& row) const {
        const Instruction& in = slots[at];
        switch (row.category) {
            case Category::alu: return Compute{row.alu, row.width, in.dst, operand(row, in)};
            case Category::move_sx: return MoveSigned{row.width, row.bytes, in.dst, in.src};
            case Category::endian: return Swap{row.order, row.bytes, in.dst};
            case Category::load_imm64: return wide(at, row);
            case Category::load: return Load{in.dst, in.src, in.offset, row.bytes, false};
            case Category::load_sx: return Load{in.dst, in.src, in.offset, row.bytes, true};
            case Category::store_imm:
            case Category::store: return Store{in.dst, in.offset, row.bytes, operand(row, in)};
            case Category::atomic: return AtomicUpdate{row.atomic, in.dst, in.offset, row.bytes, in.src};
            case Category::jump: return Jump{target(at, in.opcode == 0x06 ? in.imm : in.offset)};
            case Category::branch: return Branch{row.condition, row.width, in.dst, operand(row, in), target(at, in.offset)};
            case Category::call_helper: return CallHelper{static_cast<std::uint32_t>(in.imm)};
            case Category::call_local: return CallLocal{target(at, in.imm)};
            case Category::exit: return Exit{};
        }
        __builtin_unreachable();
    }
};

std::optional<std::uint32_t> target_of(const Insn& insn) {
    if (const auto* jump = std::get_if<Jump>(&insn)) return jump->target;
    if (const auto* branch = std::get_if<Branch>(&insn)) return branch->target;
    if (const auto* call = std::get_if<CallLocal>(&insn)) return call->target;
    if (const auto* function = std::get_if<LoadFunction>(&insn)) return function->target;
    return std::nullopt;
}

bool names_registers(const Instruction& in) { return in.dst < register_count && in.src < register_count; }

bool second_slot_is_bare(const Instruction& in) { return in.opcode == 0 && in.dst == 0 && in.src == 0 && in.offset == 0; }

std::optional<DecodeFault> check_targets(const std::vector<Insn>& insns) {
    for (std::size_t at = 0; at < insns.size(); ++at) {
        const auto target = target_of(insns[at]);
        if (!target) continue;
        if (*target == UINT32_MAX) return DecodeFault{at, "jump or call leaves the program"};
        if (std::holds_alternative<SecondSlot>(insns[*target])) return DecodeFault{at, "jump or call into the middle of a 64-bit load"};
    }
    return std::nullopt;
}

}  // namespace

std::optional<DecodeFault> decode(std::span<const Instruction> slots, std::vector<Insn>& out) {
    const Decoder decoder{slots};
    out.clear();
    out.reserve(slots.size());
    for (std::size_t at = 0; at < slots.size(); ++at) {
        const Operation operation = find_operation(slots[at]);
        if (operation == Operation::count) return DecodeFault{at, "instruction does not exist in RFC 9669"};
        const Opcode& row = describe(operation);
        if (!names_registers(slots[at]) && row.category != Category::load_imm64) return DecodeFault{at, "register number above 10"};
        if (row.category != Category::load_imm64) {
            out.push_back(decoder.one(at, row));
            continue;
        }
        if (slots[at].dst >= register_count) return DecodeFault{at, "register number above 10"};
        if (at + 1 == slots.size() || !second_slot_is_bare(slots[at + 1])) return DecodeFault{at, "64-bit load lacks its second half"};
        const bool whole = row.immediate == Immediate64::map || row.immediate == Immediate64::function;
        if (whole && slots[at + 1].imm != 0) return DecodeFault{at, "load of a map or function with a second immediate"};
        out.push_back(decoder.one(at, row));
        out.push_back(SecondSlot{});
        ++at;
    }
    return check_targets(out);
}

}  // namespace unibpf::analyser
