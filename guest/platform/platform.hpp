// Everything the guest needs from outside, on one page. A platform is a folder beside this file that defines these functions
// and nothing else: linux/ (a process), pvh/ (a bare VM), unikraft/ (a library). The control slice and NoPreempt are shared
// code (slice.cpp, switch.S); a platform lends them its one-shot timer. So is the gate of isolated runs (gate.cpp).
//
// Execution model: one CPU, one data path. The data path ("main stack") is never interrupted. Control work has its own
// stack, which a timer takes the CPU from when its slice ends; it goes on at the next `control_resume`. So data-path code
// needs no locks at all, and control code guards what it shares with the data path by NoPreempt.
//
// Errors: what cannot go on panics (the host sees it); what can returns an empty span or nullptr.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/core/needs.hpp"

namespace unibpf {

// main.cpp: what a platform's entry calls once it can run C++. Memory, clock and console work; nothing else has happened yet.
[[noreturn]] void guest_main();

}  // namespace unibpf

namespace unibpf::platform {

// --- identity, console, end ------------------------------------------------------------------------------------------
std::string_view name();  // "linux", "pvh", "unikraft"
std::string_view command_line();
void console_write(std::string_view text);             // as is; the caller ends lines with "\n"
[[noreturn]] void power_off(int status);               // 0: the host sees a clean end
[[noreturn]] void panic(std::string_view unique_text);  // console line "unibpf panic: ...", then an end the host calls a crash
bool power_off_requested();                            // the host pressed the power button (or SIGTERM)

// --- time ------------------------------------------------------------------------------------------------------------
std::uint64_t monotonic_ns();           // since an arbitrary start; a few ns to read
std::uint64_t entry_ns();               // monotonic_ns at the guest's first instruction
std::uint64_t wall_clock_us();          // Unix microseconds
void set_wall_clock_us(std::uint64_t);  // from the boot image
void idle_until(std::uint64_t deadline_ns);  // sleep until then or until a NIC may have something, whichever is first

// --- memory ----------------------------------------------------------------------------------------------------------
// Boot-time memory below 4 GiB, 4096-aligned, never given back, not zeroed. Empty when there is too little.
std::span<std::byte> alloc_region(std::size_t bytes);
std::uint64_t device_address(const void* memory);  // of a region's bytes, as devices name them
std::size_t region_available();            // what alloc_region could still give in one piece
std::span<std::byte> boot_module();        // the boot image, a copy of the guest's own; empty when the host gave none
std::size_t memory_total();                // bytes the guest has in all

// Pages for native code (JIT): writable until sealed, then executable and read-only (W^X).
std::size_t code_room();  // what all code pages together will take of alloc_region, sooner or later
std::span<std::byte> code_allocate(std::size_t bytes);
bool code_seal(std::span<std::byte> pages);
void code_release(std::span<std::byte> pages);

// --- isolation ---------------------------------------------------------------------------------------------------------
// Every page has a key. While a program runs isolated, only pages of its own key and of `common` can be written, and pages of `secret`
// and of other programs cannot even be read, whatever the code does that runs meanwhile: the program, helpers, the engine. An access
// elsewhere (or any other fault) ends the run, and nothing but those pages has changed. The guest's own pages may be read: helpers and
// engines do. One isolated run at a time.
enum class PageKey : std::uint8_t {
    guest = 0,          // every page that was not given another
    common = 1,         // what any program may write: packet slots, the program stack, UNIBPF_PROGRAM_STATE
    secret = 2,         // what no program may read: MAC keys
    first_program = 3,  // from here on one an element
};
inline constexpr std::size_t program_keys = 13;
// Variables that helpers write, all zero at the start. What stands there is worth no trust.
#define UNIBPF_PROGRAM_STATE [[gnu::section(".bss.programs")]]

// Before the first isolated run. Returns what the machine lacks for it, in words that follow "needs"; empty: isolation is on.
std::string_view isolation_enable();
bool set_page_key(std::span<std::byte> pages, PageKey key);  // 4096-aligned; false: no memory for page tables, nothing changed
// Runs `entry(argument)` on the program stack; false when a fault ended it. Main stack, or control stack under NoPreempt: keep it short
// there. Costs two changes of all rights: use it for a batch.
bool run_isolated(PageKey key, void (*entry)(void*), void* argument);

bool entropy(std::span<std::byte> out);  // false: this machine has no source; derive from the boot seed instead

// --- where NICs are (drivers/ turns them into Nics) ---------------------------------------------------------------------
// A device that moves single frames through copies: process guests' sockets, Unikraft's uk_netdev.
class FrameDevice {
  public:
    virtual std::span<const std::uint8_t, 6> mac() const = 0;
    virtual std::size_t receive(std::span<std::uint8_t> frame) = 0;  // 0: nothing there; above frame.size(): one that is too long, gone
    virtual bool transmit(std::span<const std::uint8_t> frame) = 0;  // false: no room, frame not taken
    virtual void flush() {}                                          // end of a burst

  protected:
    ~FrameDevice() = default;
};
std::span<FrameDevice* const> frame_devices();
std::span<const std::uint64_t> virtio_mmio_windows();  // physical = virtual addresses that may hold a virtio-mmio device
// What a device writes (MSI) to end idle_until; address 0: this platform has none.
struct InterruptMessage {
    std::uint64_t address;
    std::uint32_t data;
};
InterruptMessage wake_message();
bool has_pci();
std::uint32_t pci_read(std::uint8_t bus, std::uint8_t function, std::uint8_t offset);  // function: device << 3 | function
void pci_write(std::uint8_t bus, std::uint8_t function, std::uint8_t offset, std::uint32_t value);

// --- control slice -----------------------------------------------------------------------------------------------------
enum class SliceEnd : std::uint8_t {
    finished,   // the entry function returned; control_start may be called again
    yielded,    // control_yield was called: nothing to do for now
    preempted,  // the slice was used up; there is more to do
};

// Prepares `entry(argument)` to run on `stack` (16 KiB or more) at the next control_resume. One control task at a time.
void control_start(void (*entry)(void*), void* argument, std::span<std::byte> stack);
// Main stack only. Runs the control task for at most `slice_ns` (a NoPreempt section may prolong it).
SliceEnd control_resume(std::uint64_t slice_ns);
void control_yield();        // control stack only: back to the main stack; returns at the next control_resume
bool on_control_stack();

// While one lives, the control task keeps the CPU: what it does is one step as seen by the data path. Keep it to
// microseconds. Nests; does nothing on the main stack.
class NoPreempt {
  public:
    NoPreempt();
    ~NoPreempt();
    NoPreempt(const NoPreempt&) = delete;
    NoPreempt& operator=(const NoPreempt&) = delete;
};

}  // namespace unibpf::platform
