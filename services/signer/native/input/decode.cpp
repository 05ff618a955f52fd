// Instruction decoding by RFC 9669 3 to 5, written apart from the guest's table so that a fault there is not shared.
#include <string>

#include "services/signer/native/input/program.hpp"
#include "services/signer/native/input/refusal.hpp"

namespace unibpf::certificate {
namespace {

struct Slot {
    std::uint8_t opcode, dst, src;
    std::int16_t offset;
    std::int32_t imm;
};

constexpr unsigned registers = 11, frame_pointer = 10;

[[noreturn]] void bad(std::size_t at, const char* what) { malformed("instruction " + std::to_string(at) + ": " + what); }

Slot slot_at(std::span<const std::uint8_t> code, std::size_t at) {
    const std::uint8_t* raw = code.data() + 8 * at;
    const auto imm = static_cast<std::uint32_t>(raw[4] | raw[5] << 8 | raw[6] << 16) | std::uint32_t{raw[7]} << 24;
    return {raw[0], static_cast<std::uint8_t>(raw[1] & 15), static_cast<std::uint8_t>(raw[1] >> 4), static_cast<std::int16_t>(raw[2] | raw[3] << 8),
            static_cast<std::int32_t>(imm)};
}

std::uint8_t size_of(unsigned opcode) {
    static constexpr std::uint8_t sizes[] = {4, 2, 1, 8};
    return sizes[opcode >> 3 & 3];
}

class Decoder {
  public:
    explicit Decoder(std::span<const std::uint8_t> code) : code_{code}, count_{code.size() / 8} {}

    std::vector<Insn> run() {
        std::vector<Insn> out;
        out.reserve(count_);
        while (out.size() < count_) {
            at_ = out.size();
            in_ = slot_at(code_, at_);
            out.push_back(one());
            if (in_.opcode == 0x18) out.push_back({});
        }
        for (std::size_t at = 0; at < out.size(); ++at) check_target(out, at);
        return out;
    }

  private:
    void demand(bool holds, const char* what) const {
        if (!holds) bad(at_, what);
    }

    Insn one() {
        demand(in_.dst < registers, "a register above r10");
        switch (in_.opcode & 7) {
            case 0: return wide();
            case 1: return load();
            case 2:
            case 3: return store();
            case 4:
            case 7: return compute();
            default: return jump();
        }
    }

    std::uint32_t relative(std::int64_t distance) const {
        const std::int64_t to = static_cast<std::int64_t>(at_) + 1 + distance;
        demand(to >= 0 && to < static_cast<std::int64_t>(count_), "a target outside the program");
        return static_cast<std::uint32_t>(to);
    }

    Insn wide() {
        demand(in_.opcode == 0x18 && in_.offset == 0 && at_ + 1 < count_ && in_.dst != frame_pointer, "no 64-bit load");
        const Slot upper = slot_at(code_, at_ + 1);
        demand(upper.opcode == 0 && upper.dst == 0 && upper.src == 0 && upper.offset == 0, "a 64-bit load without its second half");
        Insn out;
        out.dst = in_.dst;
        out.index = static_cast<std::uint32_t>(in_.imm);
        out.imm = static_cast<std::uint32_t>(upper.imm);
        if (in_.src == 0) {
            out.op = Op::number;
            out.imm = static_cast<std::int64_t>(std::uint64_t{static_cast<std::uint32_t>(upper.imm)} << 32 | static_cast<std::uint32_t>(in_.imm));
            return out;
        }
        demand(in_.src >= 4 && in_.src <= 6 && (in_.src == 6 || upper.imm == 0), "a 64-bit load of an unknown kind");
        out.op = in_.src == 4   ? Op::function
                 : in_.src == 5 ? Op::map
                                : Op::map_value;
        if (in_.src == 4) out.target = relative(in_.imm);
        return out;
    }

    Insn load() {
        const unsigned mode = in_.opcode & 0xe0;
        demand(in_.src < registers && in_.imm == 0 && in_.dst != frame_pointer && (mode == 0x60 || (mode == 0x80 && size_of(in_.opcode) != 8)), "no load");
        return {.op = mode == 0x60 ? Op::load : Op::load_signed, .dst = in_.dst, .src = in_.src, .bytes = size_of(in_.opcode), .offset = in_.offset};
    }

    Insn store() {
        const unsigned mode = in_.opcode & 0xe0, size = size_of(in_.opcode);
        Insn out{.op = Op::store, .dst = in_.dst, .src = in_.src, .bytes = static_cast<std::uint8_t>(size), .offset = in_.offset, .imm = in_.imm};
        const bool by_register = (in_.opcode & 7) == 3;
        if (mode == 0x60) {
            demand(by_register ? in_.src < registers && in_.imm == 0 : in_.src == 0, "no store");
            out.op = by_register ? Op::store : Op::store_number;
            return out;
        }
        demand(mode == 0xc0 && by_register && in_.src < registers && (size == 4 || size == 8), "no store");
        const bool simple = (in_.imm & ~1) == 0x00 || (in_.imm & ~1) == 0x40 || (in_.imm & ~1) == 0x50 || (in_.imm & ~1) == 0xa0;
        demand(simple || in_.imm == 0xe1 || in_.imm == 0xf1, "no atomic operation");
        demand((in_.imm & 1) == 0 || in_.imm == 0xf1 || in_.src != frame_pointer, "a write of r10");
        out.op = Op::atomic;
        return out;
    }

    Insn compute() {
        const unsigned code = in_.opcode >> 4;
        const bool by_register = (in_.opcode & 8) != 0, is_wide = (in_.opcode & 7) == 7;
        demand(in_.dst != frame_pointer, "a write of r10");
        demand(code <= 13, "no operation");
        if (code == 13) return reorder(by_register, is_wide);
        demand(by_register ? in_.src < registers && in_.imm == 0 : in_.src == 0, "a field that must be 0");
        Insn out{.op = Op::compute, .dst = in_.dst, .src = in_.src, .width = static_cast<std::uint8_t>(is_wide ? 64 : 32), .by_register = by_register, .alu = static_cast<Alu>(code), .imm = in_.imm};
        if (out.alu == Alu::neg) demand(!by_register && in_.imm == 0, "a field that must be 0");
        if (out.alu == Alu::mov && in_.offset != 0) {
            demand(by_register && (in_.offset == 8 || in_.offset == 16 || (in_.offset == 32 && is_wide)), "no sign extension");
            out.op = Op::move_signed;
            out.bytes = static_cast<std::uint8_t>(in_.offset / 8);
            return out;
        }
        const bool divides = out.alu == Alu::div || out.alu == Alu::mod;
        demand(in_.offset == 0 || (divides && in_.offset == 1), "a field that must be 0");
        out.is_signed = in_.offset == 1;
        return out;
    }

    // RFC 9669 4.2.
    Insn reorder(bool source_bit, bool is_wide) const {
        demand(in_.src == 0 && in_.offset == 0 && (in_.imm == 16 || in_.imm == 32 || in_.imm == 64) && !(is_wide && source_bit), "no byte order");
        return {.op = Op::reorder, .dst = in_.dst, .bytes = static_cast<std::uint8_t>(in_.imm / 8), .is_signed = source_bit || is_wide};
    }

    Insn jump() {
        const unsigned code = in_.opcode >> 4;
        const bool by_register = (in_.opcode & 8) != 0, is_wide = (in_.opcode & 7) == 5;
        if (code == 0 || code == 8 || code == 9) return control(code, by_register, is_wide);
        demand(code <= 13, "no jump");
        demand(by_register ? in_.src < registers && in_.imm == 0 : in_.src == 0, "a field that must be 0");
        return {.op = Op::branch, .dst = in_.dst, .src = in_.src, .width = static_cast<std::uint8_t>(is_wide ? 64 : 32), .by_register = by_register, .test = static_cast<Test>(code), .imm = in_.imm, .target = relative(in_.offset)};
    }

    Insn control(unsigned code, bool by_register, bool is_wide) const {
        demand(!by_register && in_.dst == 0 && (is_wide || code == 0), "a field that must be 0");
        if (code == 0) {
            demand(in_.src == 0 && (is_wide ? in_.imm : in_.offset) == 0, "a field that must be 0");
            return {.op = Op::jump, .target = relative(is_wide ? in_.offset : in_.imm)};
        }
        demand(in_.offset == 0, "a field that must be 0");
        if (code == 9) {
            demand(in_.src == 0 && in_.imm == 0, "a field that must be 0");
            return {.op = Op::exit};
        }
        demand(in_.src <= 1, "no call");
        if (in_.src == 0) return {.op = Op::helper, .imm = static_cast<std::uint32_t>(in_.imm)};
        return {.op = Op::call, .target = relative(in_.imm)};
    }

    static void check_target(const std::vector<Insn>& insns, std::size_t at) {
        const Op op = insns[at].op;
        const bool goes = op == Op::jump || op == Op::branch || op == Op::call || op == Op::function;
        if (goes && insns[insns[at].target].op == Op::upper_half) bad(at, "a target inside a 64-bit load");
    }

    std::span<const std::uint8_t> code_;
    std::size_t count_, at_ = 0;
    Slot in_{};
};

}  // namespace

std::vector<Insn> decode(std::span<const std::uint8_t> code) {
    if (code.empty() || code.size() % 8 != 0) malformed("the code is no sequence of 8-byte instructions");
    return Decoder{code}.run();
}

}  // namespace unibpf::certificate
