// Guarded code: native code for isolated programs, in which no byte sequence gives back the right to write.
//
// A program that has lost its way may jump anywhere, also into the middle of an instruction, into a constant. So its code is
// searched at every offset for the instructions that change rights: PKRU, machine-specific and control registers, descriptor
// tables (Intel SDM volume 2). All of them begin with the byte 0F.
// What is found is written again in another way: without patterns, the program's constants through r11 and turned so that no byte
// of them is 0F, displacements by a detour, and after each instruction one more no-operation with each try, which
// parts an instruction's last byte from the next one's first and moves the distances of jumps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace unibpf::jit {

enum class Guard : std::uint8_t {
    off,
    if_found,  // as `off`, if that code holds no such sequence
    always,    // for tests
};
inline constexpr unsigned guarded_tries = 8;

inline bool gives_rights(std::span<const std::byte> at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(at[i]); };
    if (at.size() < 2 || byte(0) != 0x0f) return false;
    if (byte(1) == 0x30 || byte(1) == 0x22) return true;  // WRMSR, MOV to a control register
    if (at.size() < 3) return false;
    const unsigned modrm = byte(2), extension = modrm >> 3 & 7;
    const bool memory = modrm >> 6 != 3;
    switch (byte(1)) {
        case 0x01: return modrm == 0xef || (memory && (extension == 2 || extension == 3));  // WRPKRU; LGDT, LIDT
        case 0xae: return memory && extension == 5;                                         // XRSTOR
        case 0xc7: return memory && extension == 3;                                         // XRSTORS
        default: return false;
    }
}

inline bool any_gives_rights(std::span<const std::byte> code) {
    for (std::size_t i = 0; i < code.size(); ++i) {
        if (gives_rights(code.subspan(i))) return true;
    }
    return false;
}

}  // namespace unibpf::jit
