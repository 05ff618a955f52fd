#include "guest/drivers/transports/pci.hpp"

#include "guest/platform/platform.hpp"

namespace unibpf::pci {
namespace {

// Configuration header (PCI Local Bus 3.0, 6.1; bridges: PCI-to-PCI Bridge 1.2, 3.2).
constexpr std::uint8_t command_register = 0x04, status_register = 0x06, header_type = 0x0e, bar_0 = 0x10, capabilities = 0x34;
constexpr std::uint8_t bus_numbers = 0x18, bridge_memory = 0x20;
constexpr std::uint16_t command_memory = 2, command_master = 4, status_capabilities = 0x10;
constexpr std::uint32_t megabyte = 1u << 20;

// The PCI hole of QEMU's q35 and pc below the I/O APIC; firmware that assigns BARs starts elsewhere in it.
constexpr std::uint64_t window_begin = 0xf000'0000, window_end = 0xfe00'0000;
std::uint64_t next_free = window_begin;
std::uint8_t last_bus = 0;

std::uint64_t place(std::uint64_t size) {
    const std::uint64_t address = (next_free + size - 1) & ~(size - 1);
    if (address + size > window_end) return 0;
    next_free = address + size;
    return address;
}

void visit_bus(std::uint8_t bus, unsigned depth, void (*visit)(void*, const Function&), void* context);

std::uint32_t memory_range(std::uint64_t begin, std::uint64_t last) {
    return static_cast<std::uint32_t>(begin >> 16 & 0xfff0) | static_cast<std::uint32_t>(last & 0xfff0'0000);
}

// The bus behind a bridge; firmware that numbered none left that to us.
std::uint8_t secondary_bus(const Function& bridge) {
    const std::uint32_t numbers = bridge.read32(bus_numbers);
    auto secondary = static_cast<std::uint8_t>(numbers >> 8);
    if (secondary == 0) {
        secondary = ++last_bus;
        bridge.write32(bus_numbers, (numbers & 0xff00'0000) | 0xff'0000 | std::uint32_t{secondary} << 8 | bridge.bus);
    }
    if (secondary > last_bus) last_bus = secondary;
    return secondary;
}

// A bridge without a memory window gets one, open to the end of our range until its functions have taken what they need.
// (qboot numbers buses and opens no window, SeaBIOS does both.)
void visit_bridge(const Function& bridge, unsigned depth, void (*visit)(void*, const Function&), void* context) {
    const std::uint8_t secondary = secondary_bus(bridge);
    const std::uint32_t range = bridge.read32(bridge_memory);
    const bool closed = (range & 0xfff0) > (range >> 16 & 0xfff0);
    if (!closed) return visit_bus(secondary, depth + 1, visit, context);

    const std::uint64_t begin = next_free = (next_free + megabyte - 1) & ~std::uint64_t{megabyte - 1};
    bridge.write32(bridge_memory, memory_range(begin, window_end - 1));
    bridge.write16(command_register, bridge.read16(command_register) | command_memory | command_master);
    visit_bus(secondary, depth + 1, visit, context);
    next_free = (next_free + megabyte - 1) & ~std::uint64_t{megabyte - 1};
    bridge.write32(bridge_memory, next_free == begin ? range : memory_range(begin, next_free - 1));
}

void visit_bus(std::uint8_t bus, unsigned depth, void (*visit)(void*, const Function&), void* context) {
    if (depth > 4) return;
    for (unsigned device = 0; device < 32; ++device) {
        for (unsigned number = 0; number < 8; ++number) {
            const Function function{bus, static_cast<std::uint8_t>(device << 3 | number)};
            if (function.vendor() == 0xffff) {
                if (number == 0) break;
                continue;
            }
            const std::uint8_t header = function.read8(header_type);
            if ((header & 0x7f) == 1) visit_bridge(function, depth, visit, context);
            else visit(context, function);
            if (number == 0 && (header & 0x80) == 0) break;  // not multifunction
        }
    }
}

}  // namespace

std::uint32_t Function::read32(std::uint8_t offset) const { return platform::pci_read(bus, function, offset); }
void Function::write32(std::uint8_t offset, std::uint32_t value) const { platform::pci_write(bus, function, offset, value); }

void Function::write16(std::uint8_t offset, std::uint16_t value) const {
    const unsigned shift = 8 * (offset & 2);
    // The other half of the command register is the status register, whose bits clear when written as ones: write zeroes.
    const std::uint32_t other = (offset & 0xfc) == command_register ? 0 : read32(offset & 0xfc) & ~(0xffffu << shift);
    write32(offset & 0xfc, other | std::uint32_t{value} << shift);
}

std::uint8_t Function::capability(std::uint8_t kind, std::uint8_t after) const {
    if ((read16(status_register) & status_capabilities) == 0) return 0;
    std::uint8_t at = after == 0 ? read8(capabilities) : read8(after + 1);
    for (unsigned hops = 0; at >= 0x40 && hops < 48; ++hops) {  // a list that loops ends here
        at &= 0xfc;
        if (read8(at) == kind) return at;
        at = read8(at + 1);
    }
    return 0;
}

std::uint64_t Function::memory_bar(std::uint8_t index) const {
    if (index > 5) return 0;
    const auto at = static_cast<std::uint8_t>(bar_0 + 4 * index);
    const std::uint32_t low = read32(at);
    if ((low & 1) != 0) return 0;  // an I/O BAR
    const bool wide = (low & 6) == 4 && index < 5;
    std::uint64_t base = (low & ~0xfu) | (wide ? std::uint64_t{read32(at + 4)} << 32 : 0);
    const std::uint16_t command = read16(command_register);
    if (base == 0 || base >> 32 != 0) {
        // 6.2.5.1: all ones tell the size. Decoding is off meanwhile, and as before when there is no BAR at all.
        write16(command_register, command & static_cast<std::uint16_t>(~command_memory));
        write32(at, 0xffff'ffff);
        const std::uint32_t size = ~(read32(at) & ~0xfu) + 1;
        base = size == 0 ? 0 : place(size < 4096 ? 4096 : size);
        write32(at, static_cast<std::uint32_t>(base) | (low & 0xf));
        if (wide) write32(at + 4, 0);
    }
    write16(command_register, base == 0 ? command : command | command_memory);
    return base;
}

void Function::enable_bus_master() const { write16(command_register, read16(command_register) | command_master); }

void for_each_function(void (*visit)(void*, const Function&), void* context) {
    next_free = window_begin;
    visit_bus(0, 0, visit, context);
}

}  // namespace unibpf::pci
