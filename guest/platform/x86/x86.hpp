// What the platforms on a bare x86-64 machine share (pvh/, unikraft/), and the three functions that each of them lends to it.
//
// Shared, as platform.hpp names them: code pages (code_arena.cpp), PCI configuration ports (pci_ports.cpp), entropy (entropy.cpp),
// the clock once its scale is known (tsc_clock.cpp), isolated runs by protection keys (protection_keys.cpp). A platform that
// takes a file defines nothing of what stands in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/platform/platform.hpp"

namespace unibpf::platform::x86 {

// --- lent by the platform ----------------------------------------------------------------------------------------------
enum class Access : std::uint8_t {
    none,     // as near to not present as the platform can come: at least not writable
    write,    // read and written, never executed
    execute,  // read and executed, never written
};
bool protect(std::span<std::byte> pages, Access access);  // 4096-aligned; false: no memory for page tables
// Every page has the key `guest` unless it was given another, the stack of exceptions can be written by programs, CR4.PKE is set.
void keys_on();
// set_page_key of platform.hpp is the platform's too: it walks its page tables.

// --- protection_keys.cpp -----------------------------------------------------------------------------------------------
// An exception came. Takes the rights of a program that runs isolated away from it, before anything else is done; if the fault is
// one that ends a run, gate::end_by_fault follows. False when no program ran isolated.
bool end_isolation();

// --- tsc_clock.cpp -----------------------------------------------------------------------------------------------------
void set_clock_frequency(std::uint64_t hz);      // of the TSC; panics when no TSC can have it
std::uint64_t nanoseconds(std::uint64_t ticks);  // of the TSC

// --- power.cpp: QEMU's machines with an ICH9 or PIIX4 PM1 block, and those with none --------------------------------------
void enable_power_button();
bool power_button_pressed();
void soft_off();                   // ACPI S5; returns where there is no such block
[[noreturn]] void triple_fault();  // the end everywhere under -no-reboot
void tell_panic();                 // pvpanic

// --- pci_ports.cpp -----------------------------------------------------------------------------------------------------
bool host_bridge_present();  // at 0:0.0: a PC; microvm has no PCI unless asked, and then without these ports

}  // namespace unibpf::platform::x86
