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
Range free_memory();  // one range after the image, below 4 GiB, clear of the boot module

// paging.cpp
void protect_image();  // W^X, guard page, null page

// traps.cpp
void install_traps();
inline constexpr unsigned kSliceVector = 0x20;
inline constexpr unsigned kWakeVector = 0x21;
inline constexpr unsigned kSpuriousVector = 0xff;

// clock.cpp
void start_clock();

// interrupts.cpp: device interrupts of the I/O APICs' pins wake the guest, nothing more
void route_microvm_pins();             // acpi=on: all pins of the second I/O APIC
void route_pin(std::uint64_t number);  // global interrupt number, first I/O APIC

// machine.cpp: which of the machines we know this is
void find_machine();
enum class Machine : std::uint8_t { microvm, microvm_acpi, pc };
Machine machine();

}  // namespace unibpf::platform::pvh
