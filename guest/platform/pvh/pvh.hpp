// What the files of this platform share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guest/platform/platform.hpp"

namespace unibpf::platform::pvh {

// boot_info.cpp: what the loader told (hvm_start_info). Called first; copies what may be overwritten later.
void read_start_info(std::uint64_t address);
struct Range {
    std::uint64_t begin, end;
};
Range free_memory();  // one range after the image, below 4 GiB, clear of the boot module, by the addresses of the machine
std::uint64_t memory_end();                                      // of all memory below 4 GiB
void move_memory(std::uint64_t slide, std::uint64_t left_free);  // regions are cut at addresses higher by `slide`, after `left_free` bytes

// placement.cpp: once, before the first region is cut
void place_memory();

// paging.cpp
void protect_image();                                 // W^X, guard page, null page
void move_pages(const Range& range, std::uint64_t slide);  // to addresses higher by a multiple of 2 MiB; nothing stays where it was

// traps.cpp
void install_traps();
inline constexpr unsigned slice_vector = 0x20;
inline constexpr unsigned wake_vector = 0x21;
inline constexpr unsigned spurious_vector = 0xff;

// clock.cpp
void start_clock();

// interrupts.cpp: device interrupts of the I/O APICs' pins wake the guest, nothing more
void route_microvm_pins();             // acpi=on: all pins of the second I/O APIC
void route_pin(std::uint64_t number);  // global interrupt number, first I/O APIC

// machine.cpp: which of the machines we know this is
void find_machine();
enum class Machine : std::uint8_t {
    microvm,
    microvm_acpi,
    pc
};
Machine machine();

}  // namespace unibpf::platform::pvh
