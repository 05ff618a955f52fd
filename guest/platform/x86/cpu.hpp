// x86-64 instructions that C++ has no word for. Each asm states all it reads and changes; "memory" where it orders memory.
#pragma once

#include <cstdint>

namespace unibpf::platform::cpu {

inline void out8(std::uint16_t port, std::uint8_t value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline void out16(std::uint16_t port, std::uint16_t value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline void out32(std::uint16_t port, std::uint32_t value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory"); }
inline std::uint8_t in8(std::uint16_t port) {
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline std::uint16_t in16(std::uint16_t port) {
    std::uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline std::uint32_t in32(std::uint16_t port) {
    std::uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline std::uint64_t read_tsc() {
    std::uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return std::uint64_t{high} << 32 | low;
}
inline void write_msr(std::uint32_t msr, std::uint64_t value) {
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<std::uint32_t>(value)), "d"(static_cast<std::uint32_t>(value >> 32)) : "memory");
}
struct Cpuid {
    std::uint32_t eax, ebx, ecx, edx;
};
inline Cpuid cpuid(std::uint32_t leaf) {
    Cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}
inline void set_control4(std::uint64_t bits) {
    std::uint64_t value;
    asm volatile("movq %%cr4, %0; orq %1, %0; movq %0, %%cr4" : "=&r"(value) : "r"(bits) : "memory");
}
inline void flush_page(std::uint64_t address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
inline void flush_all() {
    std::uint64_t root;
    asm volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(root) : : "memory");
}
inline std::uint64_t fault_address() {
    std::uint64_t value;
    asm volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
inline void interrupts_on() { asm volatile("sti" : : : "memory"); }
inline void interrupts_off() { asm volatile("cli" : : : "memory"); }
// sti takes effect after the next instruction, so no interrupt can slip in before hlt and be slept through.
inline void sleep() { asm volatile("sti; hlt; cli" : : : "memory"); }

// Device memory: the platform maps all of it one to one.
inline volatile std::uint32_t& device32(std::uint64_t address) { return *reinterpret_cast<volatile std::uint32_t*>(address); }
inline volatile std::uint8_t& device8(std::uint64_t address) { return *reinterpret_cast<volatile std::uint8_t*>(address); }

}  // namespace unibpf::platform::cpu
