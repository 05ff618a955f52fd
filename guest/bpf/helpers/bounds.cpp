#include "guest/bpf/helpers/bounds.hpp"

#include <algorithm>

#include "guest/bpf/maps/map_ring.hpp"

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
        if (map->contains(address, bytes)) return access == Access::read || map->written_by_programs();
        if (map->contains_key(address, bytes)) return access == Access::read;
    }
    return false;
}

// The key that a callback of bpf_for_each_map_elem sees on an array.
bool element_key(const Machine& machine, std::uint64_t address, std::uint64_t bytes, Access access) {
    const auto begin = reinterpret_cast<std::uintptr_t>(&machine.element_key);
    return access == Access::read && inside(address, bytes, begin, begin + sizeof machine.element_key);
}

const Map* map_of(const Machine& machine, std::uint64_t handle) {
    for (const MapRef& map : machine.program.maps()) {
        if (reinterpret_cast<std::uintptr_t>(map.get()) == handle) return map.get();
    }
    return nullptr;
}

template <typename Predicate>
bool any_map(const Machine& machine, Predicate&& holds) {
    for (const MapRef& map : machine.program.maps()) {
        if (holds(*map)) return true;
    }
    return false;
}

bool is_function(const Machine& machine, std::uint64_t value) {
    const auto functions = machine.program.functions();
    return std::any_of(functions.begin(), functions.end(), [&](const Function& one) { return function_value(one.start) == value; });
}

bool is_record(const Machine& machine, std::uint64_t address) {
    return any_map(machine, [&](const Map& map) {
        return map.holds() == abi::Holds::records && static_cast<const RingMap&>(map).is_reserved(address);
    });
}

// NUL-terminated inside one value of read-only data.
bool is_constant_string(const Machine& machine, std::uint64_t address) {
    return any_map(machine, [&](const Map& map) {
        if (!map.read_only()) return false;
        for (std::uint64_t at = address; map.contains(at, 1); ++at) {
            if (*reinterpret_cast<const char*>(at) == '\0') return true;  // sound: inside the map
        }
        return false;
    });
}

// One call's arguments, checked in order: a map's key and value take their size from the map before them.
class ArgumentCheck {
  public:
    ArgumentCheck(const Machine& machine, std::uint64_t frame, const abi::HelperRow& row, const HelperArguments& arguments)
        : machine_{machine}, frame_{frame}, row_{row}, arguments_{arguments} {}

    const char* run() {
        for (std::size_t i = 0; i < arguments_.size(); ++i) {
            if (const char* wrong = check(row_.arguments[i], arguments_[i], size_behind(i)); wrong != nullptr) return wrong;
        }
        return nullptr;
    }

  private:
    std::uint64_t size_behind(std::size_t index) const {
        return index + 1 < arguments_.size() ? static_cast<std::uint32_t>(arguments_[index + 1]) : 0;
    }
    bool readable(std::uint64_t address, std::uint64_t bytes) const { return allowed(machine_, frame_, address, bytes, Access::read); }
    bool writable(std::uint64_t address, std::uint64_t bytes) const { return allowed(machine_, frame_, address, bytes, Access::write); }

    const char* check(abi::Argument argument, std::uint64_t value, std::uint64_t size) {
        using abi::Argument;
        switch (argument) {
            case Argument::none:
            case Argument::any:
            case Argument::number:
            case Argument::callback_context:
            case Argument::size_or_zero: return nullptr;
            case Argument::size:
            case Argument::constant_size: return unless(static_cast<std::uint32_t>(value) != 0, "helper argument is a size of zero");
            case Argument::context:
                return unless(value == reinterpret_cast<std::uintptr_t>(&machine_.context), "helper argument is not the context");
            case Argument::map: return check_map(value);
            case Argument::map_key: return unless(readable(value, map_->key_size()), "helper argument is not a readable map key");
            case Argument::map_value: return unless(readable(value, map_->value_size()), "helper argument is not a readable map value");
            case Argument::map_value_write: return unless(writable(value, map_->value_size()), "helper argument is not room for a map value");
            case Argument::memory_read_or_null:
                if (size == 0) return nullptr;
                [[fallthrough]];
            case Argument::memory_read: return unless(readable(value, size), "helper argument is not readable memory");
            case Argument::memory_write_or_null:
                if (size == 0) return nullptr;
                [[fallthrough]];
            case Argument::memory_write:
            case Argument::memory_update: return unless(writable(value, size), "helper argument is not writable memory");
            case Argument::long_write: return unless(writable(value, 8), "helper argument is not room for a long");
            case Argument::u32_update: return unless(writable(value, 4), "helper argument is not room for a u32");
            case Argument::record: return unless(is_record(machine_, value), "helper argument is not a reserved record");
            case Argument::ipv4_header:
            case Argument::ipv6_header:
            case Argument::tcp_header: return "helper argument is of a kind that guests do not have";
            case Argument::socket: return "helper argument is a socket, which guests do not have";
            case Argument::string: return unless(is_constant_string(machine_, value), "helper argument is not a constant string");
            case Argument::function: return unless(is_function(machine_, value), "helper argument is not a function");
            case Argument::lock:
                return unless(any_map(machine_, [&](const Map& map) { return map.contains_lock(value); }), "helper argument is not the lock of a map value");
        }
    }

    static const char* unless(bool good, const char* wrong) { return good ? nullptr : wrong; }

    const char* check_map(std::uint64_t handle) {
        map_ = map_of(machine_, handle);
        if (map_ == nullptr) return "helper argument is not a map of the program";
        if ((row_.maps & abi::holding(map_->holds())) == 0) return "helper does not work on this type of map";
        return unless(!row_.has(abi::writes_map) || !map_->read_only(), "helper writes a read-only map");
    }

    const Machine& machine_;
    const std::uint64_t frame_;
    const abi::HelperRow& row_;
    const HelperArguments& arguments_;
    const Map* map_ = nullptr;
};

}  // namespace

bool allowed(const Machine& machine, std::uint64_t frame, std::uint64_t address, std::uint64_t bytes, Access access) {
    if (inside(address, bytes, frame - abi::frame_bytes, machine.stack_top())) return true;
    if (inside(address, bytes, machine.context.data_meta, machine.context.data_end)) {
        return access == Access::read || abi::describe(machine.program.kind()).writes_packet;
    }
    return context_load(machine, address, bytes, access) || in_maps(machine, address, bytes, access) ||
           element_key(machine, address, bytes, access);
}

const char* wrong_argument(const Machine& machine, std::uint64_t frame, std::int32_t index, const HelperArguments& arguments) {
    return ArgumentCheck{machine, frame, abi::helpers[static_cast<std::size_t>(index)], arguments}.run();
}

}  // namespace unibpf::bounds
