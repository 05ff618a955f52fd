#include "guest/bpf/maps/map_array.hpp"

#include <cstring>

#include "guest/bpf/maps/map_bytes.hpp"

namespace unibpf {
namespace {

using map_bytes::load;

ArrayMap& array(Map& map) { return static_cast<ArrayMap&>(map); }

}  // namespace

Status ArrayMap::allocate(const BundleMap& spec) {
    stride_ = holds() == abi::Holds::programs ? sizeof(std::uint32_t) : map_bytes::round8(stored_size());
    TRY(allocate_places(max_entries_));
    switch (holds()) {
        case abi::Holds::values:
            lookup_ = lookup_value, update_ = update_value;
            head().used = max_entries_;
            if (spec.has_data) std::memcpy(global_data(), spec.data.data(), spec.data.size());
            break;
        case abi::Holds::devices: lookup_ = lookup_device, update_ = update_device, remove_ = remove_device; break;
        case abi::Holds::maps: lookup_ = lookup_map, update_ = update_map, remove_ = remove_map; break;
        default: std::memset(storage(), 0xff, storage_bytes()); break;  // programs: no function anywhere
    }
    return done();
}

std::uint8_t* ArrayMap::find(const std::uint8_t* key) const {
    const auto index = load<std::uint32_t>(key);
    return index < max_entries_ ? place_at(index) : nullptr;
}

std::uint32_t ArrayMap::program(std::uint32_t index) const {
    return index < max_entries_ ? load<std::uint32_t>(place_at(index)) : UINT32_MAX;
}

bool ArrayMap::vacant(const std::uint8_t* place) const {
    switch (holds()) {
        case abi::Holds::programs: return load<std::uint32_t>(place) == UINT32_MAX;
        case abi::Holds::devices: return load<std::uint32_t>(place) == 0;
        case abi::Holds::maps: return load<std::uint64_t>(place) == 0;
        default: return false;
    }
}

// --- values -------------------------------------------------------------------------------------------------------------

std::uint8_t* ArrayMap::lookup_value(Map& map, const std::uint8_t* key) { return array(map).find(key); }

long ArrayMap::update_value(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    // In Linux' order: an array without locks says what else is wrong first.
    if ((flags & ~abi::update_lock) > abi::update_exist) return -abi::einval;
    std::uint8_t* place = array(map).find(key);
    if (place == nullptr) return -abi::e2big;
    if ((flags & abi::update_noexist) != 0) return -abi::eexist;
    if (!array(map).takes_flags(flags)) return -abi::einval;
    array(map).store(place, value);
    return 0;
}

// --- what may be missing --------------------------------------------------------------------------------------------------

long ArrayMap::put(const std::uint8_t* key, const std::uint8_t* stored) {
    std::uint8_t* place = find(key);
    if (!vacant(place)) --head().used;
    map_bytes::copy(place, stored, stored_size());
    if (!vacant(place)) ++head().used;
    return 0;
}

long ArrayMap::clear(const std::uint8_t* key, int past_the_end, int missing) {
    std::uint8_t* place = find(key);
    if (place == nullptr) return -past_the_end;
    if (vacant(place)) return -missing;
    std::memset(place, 0, stored_size());
    --head().used;
    return 0;
}

std::uint8_t* ArrayMap::lookup_device(Map& map, const std::uint8_t* key) {
    std::uint8_t* place = array(map).find(key);
    return place == nullptr || load<std::uint32_t>(place) == 0 ? nullptr : place;
}

long ArrayMap::update_device(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    if (flags > abi::update_exist) return -abi::einval;
    if (array(map).find(key) == nullptr) return -abi::e2big;
    if (flags == abi::update_noexist) return -abi::eexist;
    std::uint8_t stored[8] = {};
    const long result = array(map).translate(value, stored);
    return result != 0 ? result : array(map).put(key, stored);
}

long ArrayMap::remove_device(Map& map, const std::uint8_t* key) { return array(map).clear(key, abi::einval, 0); }

std::uint8_t* ArrayMap::lookup_map(Map& map, const std::uint8_t* key) {
    const std::uint8_t* place = array(map).find(key);
    return place == nullptr ? nullptr : load<std::uint8_t*>(place);
}

long ArrayMap::update_map(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    if (flags != abi::update_any) return -abi::einval;
    if (array(map).find(key) == nullptr) return -abi::e2big;
    std::uint8_t stored[8] = {};
    const long result = array(map).translate(value, stored);
    return result != 0 ? result : array(map).put(key, stored);
}

long ArrayMap::remove_map(Map& map, const std::uint8_t* key) { return array(map).clear(key, abi::e2big, abi::enoent); }

void ArrayMap::set_program(std::uint32_t index, std::uint32_t instruction) {
    std::uint8_t* place = place_at(index);
    if (vacant(place)) ++head().used;
    std::memcpy(place, &instruction, sizeof instruction);
}

// --- all of it ------------------------------------------------------------------------------------------------------------

ScanStep ArrayMap::scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const {
    if (cursor >= max_entries_) return {};
    const std::uint32_t stop = max_entries_ - cursor > scan_places ? cursor + scan_places : max_entries_;
    for (std::uint32_t index = cursor; index < stop; ++index) {
        const std::uint8_t* place = place_at(index);
        if (vacant(place)) continue;
        std::memcpy(key, &index, sizeof index);
        show(place, value);
        return {.found = true, .next = index + 1 < max_entries_ ? index + 1 : 0};
    }
    return {.found = false, .next = stop < max_entries_ ? stop : 0};
}

std::uint32_t ArrayMap::visit(Visit visit, void* context) {
    for (std::uint32_t index = 0; index < max_entries_; ++index) {
        if (!visit(context, reinterpret_cast<const std::uint8_t*>(&index), place_at(index))) return index + 1;
    }
    return max_entries_;
}

}  // namespace unibpf
