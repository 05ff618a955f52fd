// Native code: its encodings against bytes from an assembler, its budget against the interpreter's, its pages W^X.
#include <doctest/doctest.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/bpf/jit/compiler.hpp"
#include "guest/bpf/jit/emitter.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

using namespace unibpf;
using jit::Emitter;
using jit::Reg;
using jit::Width;

namespace {

template <typename Emit>
std::string emitted(Emit emit) {
    std::array<std::byte, 32> buffer{};
    Emitter out{jit::Draft{buffer, {}, {}}};
    emit(out);
    std::string text;
    char hex[3];
    for (std::size_t i = 0; i < out.size(); ++i) {
        std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned>(buffer[i]));
        text += hex;
    }
    return text;
}

struct Loaded {
    Owned<Program> program;
    ProgramShape shape;
};

Loaded load(const std::vector<Instruction>& code) {
    static BundleView view;
    static MapReport report;
    test::BundleSpec spec;
    spec.code = code;
    const auto bytes = test::encode(spec);
    Loaded loaded;
    REQUIRE(decode_bundle(bytes, view).ok());
    REQUIRE(validate_program(view, loaded.shape).ok());
    Loader loader{view};
    REQUIRE(loader.build_maps({}, nullptr, report).ok());
    loaded.program = loader.link(loaded.shape).value();
    return loaded;
}

// Permissions of the page at `address`, "r-xp" for example, from the kernel.
std::string permissions(const void* address) {
    std::FILE* file = std::fopen("/proc/self/maps", "r");
    std::uintptr_t begin = 0, end = 0;
    char flags[8] = "", found[8] = "";
    while (std::fscanf(file, "%" SCNxPTR "-%" SCNxPTR " %7s%*[^\n]", &begin, &end, flags) == 3) {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        if (at >= begin && at < end) std::memcpy(found, flags, sizeof found);
    }
    std::fclose(file);
    return found;
}

}  // namespace

TEST_CASE("encodings are those of an assembler") {
    // Expected bytes: `as` and `objdump -d` on the instruction in the comment.
    CHECK(emitted([](Emitter& e) { e.move(Width::w64, Reg::r15, Reg::rax); }) == "4989c7");              // mov r15, rax
    CHECK(emitted([](Emitter& e) { e.move(Width::w32, Reg::rdi, Reg::r8); }) == "4489c7");               // mov edi, r8d
    CHECK(emitted([](Emitter& e) { e.group1(Width::w64, 5, Reg::rsp, 8); }) == "4883ec08");              // sub rsp, 8
    CHECK(emitted([](Emitter& e) { e.group1(Width::w32, 7, Reg::r13, 1000); }) == "4181fde8030000");     // cmp r13d, 1000
    CHECK(emitted([](Emitter& e) { e.memory(Width::w64, {0x8b}, Reg::rax, {Reg::r12, 0}); }) == "498b0424");    // mov rax, [r12]
    CHECK(emitted([](Emitter& e) { e.memory(Width::w64, {0x8b}, Reg::rax, {Reg::r13, 0}); }) == "498b4500");    // mov rax, [r13+0]
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x8b}, Reg::rcx, {Reg::rbp, -4}); }) == "8b4dfc");     // mov ecx, [rbp-4]
    CHECK(emitted([](Emitter& e) { e.memory(Width::w64, {0x89}, Reg::r8, {Reg::rbx, 512}); }) == "4c898300020000");  // mov [rbx+512], r8
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x88, false, false, true}, Reg::rsi, {Reg::rax, 1}); }) == "40887001");  // mov [rax+1], sil
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x89, false, true}, Reg::rdx, {Reg::r14, 2}); }) == "6641895602");       // mov [r14+2], dx
    CHECK(emitted([](Emitter& e) { e.load_constant(Reg::r8, 5); }) == "41b805000000");                   // mov r8d, 5
    CHECK(emitted([](Emitter& e) { e.load_constant(Reg::rax, ~0ULL); }) == "48c7c0ffffffff");            // mov rax, -1
    CHECK(emitted([](Emitter& e) { e.load_constant(Reg::r11, 0x1122334455667788); }) == "49bb8877665544332211");  // movabs
    CHECK(emitted([](Emitter& e) { e.load_constant(Reg::rbx, 0); }) == "31db");                          // xor ebx, ebx
    CHECK(emitted([](Emitter& e) { e.push(Reg::r14); e.pop(Reg::rbp); }) == "41565d");                   // push r14; pop rbp
}

TEST_CASE("encodings with an index, with byte registers and of BMI2 are those of an assembler") {
    using jit::Bmi2;
    constexpr jit::Op lea{0x8d}, zero_byte{0xb6, true};
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x8b}, Reg::rax, {Reg::rdi, 0, Reg::rdx}); }) == "8b0417");  // mov eax, [rdi+rdx]
    CHECK(emitted([&](Emitter& e) { e.memory(Width::w64, lea, Reg::r9, {Reg::r13, 8, Reg::r12}); }) == "4f8d4c2508");  // lea r9, [r13+r12+8]
    CHECK(emitted([&](Emitter& e) { e.memory(Width::w64, lea, Reg::rax, {Reg::rbp, 256, Reg::rsi, 2}); }) == "488d84b500010000");  // lea rax, [rbp+rsi*4+256]
    CHECK(emitted([](Emitter& e) { e.memory(Width::w64, {0x89}, Reg::r10, {Reg::r12, -1, Reg::r8, 3}); }) == "4f8954c4ff");  // mov [r12+r8*8-1], r10
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x83, false, true}, 7, {Reg::rdi, 12}); e.byte(8); }) == "66837f0c08");  // cmp word [rdi+12], 8
    CHECK(emitted([&](Emitter& e) { e.reg_low(Width::w32, zero_byte, 6, Reg::rdi); }) == "400fb6f7");  // movzx esi, dil
    CHECK(emitted([&](Emitter& e) { e.reg_low(Width::w32, zero_byte, 0, Reg::rax); }) == "0fb6c0");    // movzx eax, al
    CHECK(emitted([](Emitter& e) { e.reg_low(Width::w32, {0xf6}, 0, Reg::r8); e.byte(1); }) == "41f6c001");  // test r8b, 1
    CHECK(emitted([](Emitter& e) { e.memory(Width::w32, {0x88, false, false, true}, Reg::rdx, {Reg::rcx, 0}); }) == "8811");  // mov [rcx], dl
    constexpr jit::Op movbe_load{0xf0, true, false, false, true}, movbe_store_half{0xf1, true, true, false, true};
    CHECK(emitted([&](Emitter& e) { e.memory(Width::w32, movbe_load, Reg::rax, {Reg::rdi, 4}); }) == "0f38f04704");          // movbe eax, [rdi+4]
    CHECK(emitted([&](Emitter& e) { e.memory(Width::w64, movbe_load, Reg::r9, {Reg::rsp, 8}); }) == "4c0f38f04c2408");       // movbe r9, [rsp+8]
    CHECK(emitted([&](Emitter& e) { e.memory(Width::w32, movbe_store_half, Reg::rdx, {Reg::r8, -2}); }) == "66410f38f150fe");  // movbe [r8-2], dx
    CHECK(emitted([](Emitter& e) { e.shift_by(Width::w64, Bmi2::shlx, Reg::rax, Reg::rcx, Reg::rdx); }) == "c4e2e9f7c1");   // shlx rax, rcx, rdx
    CHECK(emitted([](Emitter& e) { e.shift_by(Width::w32, Bmi2::shrx, Reg::r9, Reg::r10, Reg::r11); }) == "c44223f7ca");   // shrx r9d, r10d, r11d
    CHECK(emitted([](Emitter& e) { e.shift_by(Width::w64, Bmi2::sarx, Reg::rsi, Reg::r15, Reg::rbx); }) == "c4c2e2f7f7");  // sarx rsi, r15, rbx
}

TEST_CASE("short jumps inside one instruction land where they were aimed") {
    CHECK(emitted([](Emitter& e) { const auto over = e.skip(); e.ret(); e.bind(over); }) == "eb01c3");
}

TEST_CASE("an emitter without room measures") {
    Emitter measure{jit::Draft{}};
    measure.load_constant(Reg::rax, ~0ULL >> 1);
    measure.bind(measure.skip());
    measure.align();
    CHECK(measure.size() == 12 + jit::loop_alignment - 1);
    CHECK(measure.fixups() == 1);
    CHECK_FALSE(measure.fits());
}

TEST_CASE("native code is executable and not writable") {
    Loaded loaded = load({{0xb7, 0, 0, 0, 2}, {0x95, 0, 0, 0, 0}});
    auto native = jit::compile(loaded.program->code(), loaded.shape);
    REQUIRE(native.ok());
    CHECK(permissions(native.value().code().data()) == "r-xp");
    loaded.program->set_native(std::move(native).value());
    PacketPtr packet = PacketPool::system().acquire();
    Machine machine{*loaded.program, *packet, 100};
    CHECK(jit::run(machine) == Stop::exit);
    CHECK(machine.r0 == 2);
    CHECK(machine.executed() == 0);
}

TEST_CASE("the budget ends a loop at the same count as in the interpreter") {
    // r0 = 0; do { ++r0; call f; } while (r0 != 10); exit; f: exit
    Loaded loaded = load({{0xb7, 0, 0, 0, 0}, {0x07, 0, 0, 0, 1}, {0x85, 0, 1, 0, 2}, {0x55, 0, 0, -3, 10}, {0x95, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}});
    loaded.program->set_native(jit::compile(loaded.program->code(), loaded.shape).value());
    for (std::uint64_t budget = 0; budget < 80; ++budget) {
        CAPTURE(budget);
        PacketPtr packet = PacketPool::system().acquire();
        Machine interpreted{*loaded.program, *packet, budget};
        Machine compiled{*loaded.program, *packet, budget};
        const Stop expected = interpret_trusting(interpreted);
        CHECK(jit::run(compiled) == expected);
        CHECK(compiled.executed() == interpreted.executed());
        if (expected == Stop::exit) CHECK(compiled.r0 == 10);
    }
}

// `three` instructions of 3 bytes (inc rax) and `two` of 2 (mov eax, eax).
static std::vector<Instruction> straight(unsigned three, unsigned two) {
    std::vector<Instruction> code(three, {0x07, 0, 0, 0, 1});
    code.insert(code.end(), two, {0xbc, 0, 0, 0, 0});
    return code;
}

TEST_CASE("jumps land at every distance around the limit of a byte, forwards and backwards") {
    for (unsigned three = 34; three < 46; ++three) {
        for (unsigned two = 0; two < 3; ++two) {
            CAPTURE(three);
            CAPTURE(two);
            const auto body = straight(three, two);
            const auto length = static_cast<std::int16_t>(body.size());
            // r0 = 7; goto over; body; over: r1 = 2; again: body (r0 rises by `three`); if (--r1 != 0) goto again; exit
            std::vector<Instruction> code = {{0xb7, 0, 0, 0, 7}, {0x05, 0, 0, length, 0}};
            code.insert(code.end(), body.begin(), body.end());
            code.push_back({0xb7, 1, 0, 0, 2});
            code.insert(code.end(), body.begin(), body.end());
            code.push_back({0x07, 1, 0, 0, -1});
            code.push_back({0x55, 1, 0, static_cast<std::int16_t>(-length - 2), 0});
            code.push_back({0x95, 0, 0, 0, 0});
            Loaded loaded = load(code);
            auto native = jit::compile(loaded.program->code(), loaded.shape);
            REQUIRE(native.ok());
            loaded.program->set_native(std::move(native).value());
            PacketPtr packet = PacketPool::system().acquire();
            Machine machine{*loaded.program, *packet, 100};
            CHECK(jit::run(machine) == Stop::exit);
            CHECK(machine.r0 == 7 + 2 * three);
            CHECK(machine.executed() == static_cast<std::uint64_t>(length) + 2);
        }
    }
}

TEST_CASE("a program without loops and calls has no code for the budget") {
    Loaded loaded = load({{0xb7, 0, 0, 0, 2}, {0x15, 1, 0, 1, 0}, {0xb7, 0, 0, 0, 1}, {0x95, 0, 0, 0, 0}});
    const auto native = jit::compile(loaded.program->code(), loaded.shape).value();
    std::string hex;
    for (const std::byte one : native.code()) hex += "0123456789abcdef"[static_cast<unsigned>(one) >> 4], hex += "0123456789abcdef"[static_cast<unsigned>(one) & 15];
    // mov eax, 2; test rdi, rdi; je; mov eax, 1; xor edx, edx; ret
    CHECK(hex ==
          "b802000000"
          "4885ff"
          "7405"
          "b801000000"
          "31d2"
          "c3");
}

// --- guarded code (jit/guard.hpp) --------------------------------------------------------------------------------------------

namespace {

// Values whose bytes, one after the other, are instructions that change rights.
constexpr std::uint32_t bad_words[] = {0x00ef010f, 0xef010f00, 0x0000300f, 0x00300f00, 0x300f0000, 0x0000220f, 0x002dae0f,
                                       0x005dc70f, 0x0f0f0f0f, 0x0f300f30, 0x300f300f, 0x0f220f30};

Stop run_on_packet(Loaded& loaded, std::uint64_t& r0) {
    PacketPtr packet = PacketPool::system().acquire();
    packet->put(64);
    Machine machine{*loaded.program, *packet, 10'000};
    const Stop stop = loaded.program->native() ? jit::run(machine) : interpret_trusting(machine);
    r0 = machine.r0;
    return stop;
}

unsigned needed_guard = 0;  // programs whose plain code gave rights

// The same result as the interpreter's, and no rights in any byte.
void check_guarded(const std::vector<Instruction>& code) {
    Loaded loaded = load(code);
    std::uint64_t expected = 0, got = 0;
    REQUIRE(prepare(*loaded.program).ok());
    const Stop stop = run_on_packet(loaded, expected);
    Loaded again = load(code);
    const auto plain = jit::compile(again.program->code(), again.shape);
    REQUIRE(plain.ok());
    needed_guard += jit::any_gives_rights(plain.value().code()) ? 1 : 0;
    auto native = jit::compile(again.program->code(), again.shape, jit::Features::of_this_cpu(), jit::Guard::if_found);
    REQUIRE(native.ok());
    CHECK_FALSE(jit::any_gives_rights(native.value().pages()));
    again.program->set_native(std::move(native).value());
    CHECK(run_on_packet(again, got) == stop);
    CHECK(got == expected);
}

}  // namespace

TEST_CASE("what gives rights is found at every offset") {
    const auto found = [](std::vector<unsigned> values) {
        std::vector<std::byte> bytes;
        for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
        return jit::any_gives_rights(bytes);
    };
    CHECK(found({0x90, 0x0f, 0x01, 0xef}));              // wrpkru
    CHECK(found({0x0f, 0xae, 0x2f}));                    // xrstor [rdi]
    CHECK(found({0x48, 0x0f, 0xae, 0xac, 0x24}));        // xrstor64 [rsp + ...]
    CHECK(found({0x0f, 0xc7, 0x1f}));                    // xrstors [rdi]
    CHECK(found({0xb8, 0, 0x0f, 0x30}));                 // wrmsr
    CHECK(found({0x0f, 0x22, 0xe0}));                    // mov cr4, rax
    CHECK(found({0x0f, 0x01, 0x1f}));                    // lidt [rdi]
    CHECK_FALSE(found({0x0f, 0x01, 0xee}));              // rdpkru
    CHECK_FALSE(found({0x0f, 0xae, 0xe8}));              // lfence
    CHECK_FALSE(found({0x0f, 0xc7, 0xf0}));              // rdrand
    CHECK_FALSE(found({0x0f, 0x01}));
    CHECK_FALSE(found({}));
}

TEST_CASE("no constant of a program makes an instruction that gives rights, or makes the JIT fail") {
    needed_guard = 0;
    for (const std::uint32_t word : bad_words) {
        CAPTURE(word);
        const auto imm = static_cast<std::int32_t>(word);
        for (const std::uint8_t opcode : {0x07, 0x17, 0x27, 0x37, 0x47, 0x57, 0x97, 0xa7, 0xb7, 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x94, 0xa4, 0xb4}) {
            CAPTURE(opcode);
            check_guarded({{0xb7, 0, 0, 0, -77}, {opcode, 0, 0, 0, imm}, {0x95, 0, 0, 0, 0}});
        }
        for (const std::uint8_t opcode : {0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xa5, 0xb5, 0xc5, 0xd5, 0x16, 0x26, 0x46, 0xc6}) {
            CAPTURE(opcode);
            check_guarded({{0xb7, 0, 0, 0, 0x300f}, {opcode, 0, 0, 1, imm}, {0x07, 0, 0, 0, 1}, {0x95, 0, 0, 0, 0}});
        }
        check_guarded({{0x18, 0, 0, 0, imm}, {0, 0, 0, 0, imm}, {0x95, 0, 0, 0, 0}});
        check_guarded({{0x18, 0, 0, 0, 7}, {0, 0, 0, 0, imm}, {0x95, 0, 0, 0, 0}});
        for (const std::uint8_t opcode : {0x62, 0x6a, 0x72, 0x7a}) {  // stores, then the double word is loaded
            check_guarded({{0x7a, 10, 0, -8, 0}, {opcode, 10, 0, -8, imm}, {0x79, 0, 10, -8, 0}, {0x95, 0, 0, 0, 0}});
        }
    }
    CHECK(needed_guard > 200);
}

TEST_CASE("a displacement that gives rights takes a detour") {
    needed_guard = 0;
    for (const std::int16_t bad : {std::int16_t{0x300f}, std::int16_t{0x220f}}) {
        CAPTURE(bad);
        // r2 = r10 - 8 - bad; *(u64 *)(r2 + bad) = r3; the stored base; r0 = loads and an atomic
        const Instruction base{0x07, 2, 0, 0, -8 - bad};
        check_guarded({{0xbf, 2, 10, 0, 0}, base, {0xb7, 3, 0, 0, 5}, {0x7b, 2, 3, bad, 0}, {0xdb, 2, 3, bad, 0}, {0x79, 0, 2, bad, 0}, {0x95, 0, 0, 0, 0}});
        check_guarded({{0xbf, 2, 10, 0, 0}, base, {0x62, 2, 0, bad, 0x300f}, {0x61, 2, 2, bad, 0}, {0xbf, 0, 2, 0, 0}, {0x95, 0, 0, 0, 0}});
        check_guarded({{0xbf, 2, 10, 0, 0}, base, {0x7b, 2, 2, bad, 0}, {0x79, 0, 2, bad, 0}, {0x1f, 0, 2, 0, 0}, {0x95, 0, 0, 0, 0}});
    }
    CHECK(needed_guard == 6);
}

TEST_CASE("a distance that gives rights is moved") {
    needed_guard = 0;
    // A jump over so much code that its 32-bit distance is 0F 30 00 00: 12303 bytes, of 4-byte additions, a shift and
    // a 3-byte addition.
    for (std::size_t count = 3060; count < 3100; ++count) {
        std::vector<Instruction> code{{0xb7, 0, 0, 0, 0}, {0xbf, 2, 1, 0, 0}, {0x15, 0, 0, static_cast<std::int16_t>(count + 2), 0}};
        for (std::size_t i = 0; i < count; ++i) code.push_back({0x07, 0, 0, 0, 100});
        code.push_back({0x67, 0, 0, 0, 3});
        code.push_back({0x04, 0, 0, 0, 3});
        code.push_back({0x95, 0, 0, 0, 0});
        check_guarded(code);
    }
    CHECK(needed_guard > 0);
}
