#include "guest/bpf/bounds.hpp"

namespace unibpf::bounds {
namespace {

bool inside(std::uint64_t address, std::uint64_t bytes, std::uint64_t begin, std::uint64_t end) {
    return address >= begin && address <= end && bytes <= end - address;
}

bool context_load(const Machine& machine, std::uint64_t address, std::uint64_t bytes, Access access) {
    const std::uint64_t offset = address - reinterpret_cast<std::uintptr_t>(&machine.context);
    if (access == Access::write) return false;
    for (const auto& field : abi::context_fields) {
        if (field.offset == offset && field.bytes == bytes) return true;
    }
    return false;
}

bool in_maps(const Machine& machine, std::uint64_t address, std::uint64_t bytes, Access access) {
    for (const MapRef& map : machine.program.maps()) {
        if (map->contains(address, bytes)) return access == Access::read || !map->read_only();
    }
    return false;
}

const Map* map_of(const Machine& machine, std::uint64_t handle) {
    for (const MapRef& map : machine.program.maps()) {
        if (reinterpret_cast<std::uintptr_t>(map.get()) == handle) return map.get();
    }
    return nullptr;
}

}  // namespace

bool allowed(const Machine& machine, std::uint64_t frame, std::uint64_t address, std::uint64_t bytes, Access access) {
    if (inside(address, bytes, frame - abi::frame_bytes, machine.stack_top())) return true;
    if (inside(address, bytes, machine.context.data, machine.context.data_end)) {
        return access == Access::read || abi::describe(machine.program.kind()).writes_packet;
    }
    return context_load(machine, address, bytes, access) || in_maps(machine, address, bytes, access);
}

const char* wrong_argument(const Machine& machine, std::uint64_t frame, std::int32_t index, const HelperArguments& arguments) {
    const abi::HelperRow& row = abi::helpers[static_cast<std::size_t>(index)];
    const Map* map = nullptr;
    const auto readable = [&](std::uint64_t address, std::uint64_t bytes) { return allowed(machine, frame, address, bytes, Access::read); };
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::uint64_t value = arguments[i];
        const std::uint64_t size = i + 1 < arguments.size() ? static_cast<std::uint32_t>(arguments[i + 1]) : 0;
        switch (row.arguments[i]) {
            case abi::Argument::none:
            case abi::Argument::any:
            case abi::Argument::number:
            case abi::Argument::size_or_zero: break;
            case abi::Argument::context:
                if (value != reinterpret_cast<std::uintptr_t>(&machine.context)) return "helper argument is not the context";
                break;
            case abi::Argument::map:
                map = map_of(machine, value);
                if (map == nullptr) return "helper argument is not a map of the program";
                if (row.has(abi::writes_map) && map->read_only()) return "helper writes a read-only map";
                break;
            case abi::Argument::map_key:
                if (!readable(value, map->key_size())) return "helper argument is not a readable map key";
                break;
            case abi::Argument::map_value:
                if (!readable(value, map->value_size())) return "helper argument is not a readable map value";
                break;
            case abi::Argument::memory_read_or_null:
                if (size == 0) break;
                [[fallthrough]];
            case abi::Argument::memory_read:
                if (!readable(value, size)) return "helper argument is not readable memory";
                break;
            case abi::Argument::map_value_write: case abi::Argument::memory_write: case abi::Argument::memory_write_or_null:
            case abi::Argument::memory_update: case abi::Argument::constant_size: case abi::Argument::record:
            case abi::Argument::socket: case abi::Argument::long_write: case abi::Argument::u32_update: case abi::Argument::string:
            case abi::Argument::function: case abi::Argument::callback_context: case abi::Argument::lock:
            case abi::Argument::ipv4_header: case abi::Argument::ipv6_header: case abi::Argument::tcp_header:  // Linux only
                return "helper argument of a kind that is not checked yet";
            case abi::Argument::size:
                if (static_cast<std::uint32_t>(value) == 0) return "helper argument is a size of zero";
                break;
        }
    }
    return nullptr;
}

}  // namespace unibpf::bounds
