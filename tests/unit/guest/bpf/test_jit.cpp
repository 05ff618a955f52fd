// Native code: its encodings against bytes from an assembler, its budget against the interpreter's, its pages W^X.
#include <doctest/doctest.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "guest/bpf/interpreter.hpp"
#include "guest/bpf/jit/compiler.hpp"
#include "guest/bpf/jit/emitter.hpp"
#include "tests/unit/guest/bpf/bundle_builder.hpp"

using namespace unibpf;
using jit::Emitter;
using jit::Reg;
using jit::Width;

namespace {

template <typename Emit>
std::string emitted(Emit emit) {
    std::array<std::byte, 32> buffer{};
    Emitter out{buffer};
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

TEST_CASE("short and long jumps land where they were aimed") {
    CHECK(emitted([](Emitter& e) { const auto over = e.skip(); e.ret(); e.bind(over); }) == "eb01c3");
    CHECK(emitted([](Emitter& e) { e.ret(); e.jump(jit::Reach::far, 0); }) == "c3e9faffffff");
    CHECK(emitted([](Emitter& e) { e.jump_if(jit::Flag::sign, jit::Reach::far, 100); }) == "0f885e000000");
}

TEST_CASE("an emitter without room measures") {
    Emitter measure{{}};
    measure.load_constant(Reg::rax, ~0ULL >> 1);
    measure.bind(measure.skip());
    CHECK(measure.size() == 12);
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
