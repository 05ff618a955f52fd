// Random programs made of what clang writes end alike in the interpreter and as native code, with and without the CPU's extras.
//
// Each program is a row of snippets: single operations and the sequences that the JIT makes one of, with their operands at random,
// so that a value is needed later or not, jumps are near or far, loops are nested and functions called. Compared are r0, the whole
// stack and what was charged; the programs read nothing that they have not written.
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/bpf/jit/compiler.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

using namespace unibpf;

namespace {

using Code = std::vector<Instruction>;

constexpr int lowest = -64;  // of the stack's bytes that programs use
constexpr unsigned counters = 2;  // r9 and r8 count loops, the rest is anybody's

class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_{seed} {}

    // `length` snippets, then a sum of some registers and all of the stack.
    Code program(unsigned length) {
        for (unsigned reg = 0; reg < 10; ++reg) number(reg);
        for (int at = lowest; at < 0; at += 8) add(0x7b, 10, below(8), at, 0);
        for (unsigned i = 0; i < length; ++i) snippet();
        const unsigned read = below(1U << 10);
        for (unsigned reg = 1; reg < 10; ++reg) {
            if (read >> reg & 1) add(0x27, 0, 0, 0, 0x01000193), add(0x0f, 0, reg, 0, 0);
        }
        add(0x95, 0, 0, 0, 0);
        functions();
        return code_;
    }

  private:
    unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
    bool chance(unsigned one_in) { return below(one_in) == 0; }
    unsigned some() { return below(10 - counters); }
    int place(unsigned bytes) { return lowest + static_cast<int>(below(static_cast<unsigned>(-lowest) - bytes + 1)); }
    std::int32_t value() {
        static constexpr std::int32_t edges[] = {0, 1, -1, 2, 0xff, 0xffff, 0x7f, 0x80, -128, -129, INT32_MAX, INT32_MIN};
        return chance(2) ? edges[below(12)] : static_cast<std::int32_t>(random_());
    }
    void add(unsigned opcode, unsigned dst, unsigned src, int offset, std::int32_t imm) {
        code_.push_back({static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15),
                         static_cast<std::int16_t>(offset), imm});
    }
    void number(unsigned reg) {
        add(0x18, reg, 0, 0, value());
        add(0, 0, 0, 0, chance(2) ? 0 : value());
    }

    void snippet() {
        switch (below(16)) {
            case 0: return number(some());
            case 1: return copied();
            case 2: return summed_load();
            case 3: return joined_bytes();
            case 4: return compared_load();
            case 5: return changed_memory();
            case 6: return swapped();
            case 7: return branch();
            case 8: return loop();
            case 9: return call();
            case 10: return lookup();
            case 11: return address();
            case 12: return store();
            default: return operation();
        }
    }

    // alu and alu64, any operation: codes 0..12, of which 8 is neg and 13 byte orders.
    void operation() { operation_on(some()); }
    void operation_on(unsigned dst) {
        const unsigned klass = chance(2) ? 7 : 4, code = below(13), src = some();
        if (code == 8) return add(0x80 | klass, dst, 0, 0, 0);
        if (chance(2)) return add(code << 4 | 8 | klass, dst, src, 0, 0);
        const bool shifts = code == 6 || code == 7 || code == 12;
        add(code << 4 | klass, dst, 0, 0, shifts ? static_cast<std::int32_t>(below(klass == 7 ? 64 : 32)) : value());
    }
    void copied() {
        const unsigned dst = some(), klass = chance(2) ? 7 : 4;
        chance(3) ? add(0xb0 | klass, dst, 0, 0, value()) : add(0xb8 | klass, dst, some(), 0, 0);
        chance(3) ? add(chance(2) ? 0xbf : 0xbc, some(), dst, 0, 0) : operation_on(dst);
    }
    // rD = r10; rD += number (or a register); rE = [rD + offset]
    void summed_load() {
        const unsigned dst = some(), size = size_bits();
        const int at = place(8), split = static_cast<int>(below(64));
        if (chance(2)) {
            add(0xbf, dst, 10, 0, 0);
            add(0x07, dst, 0, 0, at - split);
        } else {
            const unsigned index = (dst + 1) % (10 - counters);
            add(0xb7, index, 0, 0, at - split);
            add(0xbf, dst, 10, 0, 0);
            add(0x0f, dst, index, 0, 0);
        }
        add((chance(4) && size != 0x18 ? 0x80U : 0x60U) | size | 1, chance(2) ? dst : some(), dst, split, 0);
        if (chance(2)) number(dst);
    }
    unsigned size_bits() { return below(4) << 3; }  // w h b dw
    void joined_bytes() {
        const unsigned low = some(), high = (low + 1 + below(7)) % (10 - counters);
        const int at = place(2);
        add(0x71, low, 10, at, 0);
        add(0x71, high, 10, at + 1, 0);
        add(chance(2) ? 0x64 : 0x67, high, 0, 0, 8);
        add(chance(2) ? 0x4c : 0x4f, high, low, 0, 0);
        if (chance(2)) number(low);
        if (chance(2)) branch_on(high);
    }
    void compared_load() {
        const unsigned dst = some();
        add(0x61 | size_bits(), dst, 10, place(8), 0);
        branch_on(dst);
        if (chance(2)) number(dst);
    }
    void changed_memory() {
        const unsigned dst = some(), size = size_bits();
        const int at = place(8);
        static constexpr unsigned simple[] = {0, 1, 4, 5, 10};
        add(0x61 | size, dst, 10, at, 0);
        const unsigned code = simple[below(5)] << 4 | (chance(2) ? 7 : 4);
        switch (below(3)) {
            case 0: add(code, dst, 0, 0, value()); break;
            case 1: add(code | 8, dst, some(), 0, 0); break;
            default: add(code | 8, some(), dst, 0, 0);
        }
        if (chance(2)) add(0x63 | size, 10, dst, chance(4) ? place(8) : at, 0);
        if (chance(2)) number(dst);
    }
    void swapped() {
        static constexpr unsigned bits[] = {16, 32, 64}, sizes[] = {0x08, 0x00, 0x18};
        const unsigned dst = some(), which = below(3), size = chance(4) ? size_bits() : sizes[which];
        if (chance(2)) add(0x61 | size, dst, 10, place(8), 0);
        add(chance(2)   ? 0xdc
            : chance(2) ? 0xd4
                        : 0xd7,
            dst, 0, 0, static_cast<std::int32_t>(bits[which]));
        if (chance(2)) add(0x63 | size, 10, dst, place(8), 0);
        if (chance(2)) number(dst);
    }
    void store() {
        if (chance(2)) add(0x63 | size_bits(), 10, some(), place(8), 0);
        else add(0x62 | size_bits(), 10, 0, place(8), value());
    }
    // Over one instruction (perhaps an exit or a jump) or over some, perhaps over so many that a near jump just does or does not.
    void branch() { branch_on(some()); }
    void branch_on(unsigned dst) {
        static constexpr unsigned conditions[] = {1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13};
        const unsigned opcode = conditions[below(11)] << 4 | (chance(2) ? 5 : 6);
        const std::size_t at = code_.size();
        chance(2) ? add(opcode, dst, 0, 0, value()) : add(opcode | 8, dst, some(), 0, 0);
        if (chance(6)) {
            add(0x95, 0, 0, 0, 0);
        } else if (chance(4)) {
            const std::size_t jump = code_.size();
            add(0x05, 0, 0, 0, 0);
            code_[at].offset = 1;
            operation();
            code_[jump].offset = static_cast<std::int16_t>(code_.size() - jump - 1);
            return;
        } else {
            for (unsigned n = chance(4) ? 25 + below(20) : 1 + below(3); n > 0; --n) operation();
        }
        code_[at].offset = static_cast<std::int16_t>(code_.size() - at - 1);
    }
    void loop() {
        if (loops_ == counters) return operation();
        const unsigned counter = 9 - loops_++;
        add(0xb7, counter, 0, 0, static_cast<std::int32_t>(1 + below(5)));
        const std::size_t head = code_.size();
        for (unsigned n = 1 + below(4); n > 0; --n) snippet();
        add(0x07, counter, 0, 0, -1);
        const auto back = [&] { return static_cast<std::int16_t>(static_cast<std::int64_t>(head) - static_cast<std::int64_t>(code_.size()) - 1); };
        if (chance(2)) {
            add(0x55, counter, 0, back(), 0);
        } else {
            add(0x15, counter, 0, 1, 0);
            add(0x05, 0, 0, back(), 0);
        }
        --loops_;
    }
    // What a call may leave in r1-r5 is nobody's to read.
    void arguments() {
        for (unsigned reg = 1; reg <= 5; ++reg) number(reg);
    }
    void call() {
        calls_.push_back(code_.size());
        add(0x85, 0, 1, 0, 0);
        arguments();
    }
    void lookup() {
        const unsigned key = some();
        add(0x57, key, 0, 0, 7);  // half of them past the end
        add(0x63, 10, key, -4, 0);
        add(0xbf, 2, 10, 0, 0);
        add(0x07, 2, 0, 0, chance(4) ? -8 : -4);
        add(0x18, 1, 5, 0, 0);
        add(0, 0, 0, 0, 0);
        if (chance(3)) operation_on(6);
        add(0x85, 0, 0, 0, 1);
        add(0x15, 0, 0, 1, 0);
        add(0x79, 0, 0, 0, 0);  // r0 = [r0]
        arguments();
    }
    void address() {
        const unsigned dst = some();
        add(0x18, dst, 6, 0, 1);
        add(0, 0, 0, 0, static_cast<std::int32_t>(below(8)));
        const unsigned index = (dst + 1) % (10 - counters);
        if (chance(2)) add(0x57, index, 0, 0, 24), add(0x0f, dst, index, 0, 0);
        if (chance(2)) add(0x61 | size_bits(), chance(2) ? dst : some(), dst, static_cast<int>(below(8)), 0);
        number(dst);
    }
    // Two functions; the second is called by the first.
    void functions() {
        const std::size_t first = code_.size();
        for (unsigned reg = 0; reg < 10; ++reg) number(reg);
        add(0x7b, 10, 6, -8, 0);
        for (unsigned n = below(4); n > 0; --n) operation();
        const std::size_t call = code_.size();
        add(0x85, 0, 1, 0, 0);
        add(0x79, 6, 10, -8, 0);
        add(0x0f, 0, 6, 0, 0);
        add(0x95, 0, 0, 0, 0);
        code_[call].imm = static_cast<std::int32_t>(code_.size() - call - 1);
        number(0);
        if (chance(2)) number(7);
        add(0x95, 0, 0, 0, 0);
        for (const std::size_t at : calls_) code_[at].imm = static_cast<std::int32_t>(first - at - 1);
    }

    std::mt19937_64 random_;
    Code code_;
    std::vector<std::size_t> calls_;
    unsigned loops_ = 0;
};

struct End {
    Stop stop;
    std::uint64_t r0, executed;
    std::vector<std::uint8_t> stack;
    bool operator==(const End&) const = default;
};

class Subject {
  public:
    explicit Subject(const Code& code) {
        static BundleView view;
        static MapReport report;
        test::BundleSpec spec;
        spec.code = code;
        spec.maps = {{.name = "a", .type = 2, .key = 4, .value = 8, .entries = 4}, {.name = "g", .type = 2, .key = 4, .value = 64, .entries = 1}};
        for (const Instruction& in : code) {
            if (in.opcode == 0x85 && in.src == 0) spec.helpers = {1};
        }
        bytes_ = test::encode(spec);
        REQUIRE(decode_bundle(bytes_, view).ok());
        REQUIRE(validate_program(view, shape_).ok());
        Loader loader{view};
        REQUIRE(loader.build_maps({}, nullptr, report).ok());
        program_ = loader.link(shape_).value();
        packet_->put(64);
    }
    void compile(jit::Features features) {
        auto native = jit::compile(program_->code(), shape_, features);
        REQUIRE(native.ok());
        program_->set_native(std::move(native).value());
    }
    void prepare() { REQUIRE(unibpf::prepare(*program_).ok()); }
    End end(Stop (*run)(Machine&), std::uint64_t budget) {
        static std::byte room[sizeof(Machine) + alignof(Machine)];
        auto* at = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(room) + alignof(Machine) - 1) & ~(alignof(Machine) - 1));
        Machine& machine = *new (at) Machine{*program_, *packet_, budget};  // always there: programs compute with addresses
        std::memset(machine.stack, 0, sizeof machine.stack);
        const Stop stop = run(machine);
        if (stop != Stop::exit) return {stop, 0, machine.executed(), {}};
        return {stop, machine.r0, machine.executed(), {machine.stack, machine.stack + sizeof machine.stack}};
    }

  private:
    std::vector<std::uint8_t> bytes_;
    ProgramShape shape_;
    Owned<Program> program_;
    PacketPtr packet_ = PacketPool::system().acquire();
};

}  // namespace

TEST_CASE("random programs end alike in both engines") {
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        CAPTURE(seed);
        Generator generator{seed};
        Subject subject{generator.program(static_cast<unsigned>(1 + seed % 40))};
        const End expected = subject.end(interpret_trusting, 1'000'000);
        CHECK(expected.stop == Stop::exit);
        const std::uint64_t enough = expected.executed, scarce = enough / 2;
        const End stopped = subject.end(interpret_trusting, scarce);
        for (const jit::Features features : {jit::Features{}, jit::Features::of_this_cpu()}) {
            subject.compile(features);
            CHECK(subject.end(jit::run, 1'000'000) == expected);
            CHECK(subject.end(jit::run, enough).stop == Stop::exit);
            CHECK(subject.end(jit::run, scarce) == stopped);
        }
        subject.prepare();
        CHECK(subject.end(interpret_trusting, 1'000'000) == expected);
    }
}
