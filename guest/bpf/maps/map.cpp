#include "guest/bpf/maps/map.hpp"

#include <cstring>
#include <new>

#include "guest/bpf/maps/map_array.hpp"
#include "guest/bpf/maps/map_bytes.hpp"
#include "guest/bpf/maps/map_hash.hpp"
#include "guest/bpf/maps/map_prefix.hpp"
#include "guest/bpf/maps/map_ring.hpp"
#include "guest/bpf/maps/rights.hpp"

namespace unibpf {
namespace {

constexpr Error no_memory{"memory", "the heap has no room for a map"};

std::uint32_t word_at(const std::uint8_t* bytes) {
    std::uint32_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word;
}

bool same(const InnerMap& a, const InnerMap& b) {
    return a.type == b.type && a.key_size == b.key_size && a.value_size == b.value_size && a.max_entries == b.max_entries && a.flags == b.flags;
}

}  // namespace

MapRef::MapRef(Map* map) : map_{map} {
    if (map_ != nullptr) ++map_->references_;
}

MapRef::~MapRef() {
    if (map_ == nullptr || --map_->references_ != 0) return;
    map_->~Map();
    Heap::system().release(map_);
}

template <typename T>
Result<MapRef> Map::born(const BundleMap& spec, platform::PageKey key) {
    void* block = Heap::system().allocate(sizeof(T));
    if (block == nullptr) return no_memory;
    MapRef map{new (block) T{}};
    TRY(map->describe(spec));
    map->key_ = key;
    const Heap::OnPages pages{key};
    TRY(map->allocate(spec));
    return map;
}

Result<MapRef> Map::create(const BundleMap& spec, platform::PageKey key) {
    const abi::MapTypeRow* row = abi::find_map_type(spec.type);
    if (row->holds == abi::Holds::events || row->holds == abi::Holds::records) return born<RingMap>(spec, key);
    if (row->index == abi::Index::array) return born<ArrayMap>(spec, key);
    return row->index == abi::Index::hash ? born<HashMap>(spec, key) : born<PrefixMap>(spec, key);
}

Status Map::describe(const BundleMap& spec) {
    row_ = abi::find_map_type(spec.type);
    name_size_ = static_cast<std::uint8_t>(spec.name.size());
    std::memcpy(name_, spec.name.data(), spec.name.size());
    key_size_ = spec.key_size;
    value_size_ = spec.value_size;
    max_entries_ = spec.max_entries;
    flags_ = spec.flags;
    has_lock_ = spec.has_lock;
    lock_ = spec.lock;
    inner_ = spec.inner;
    has_layout_ = spec.has_layout;
    layout_ = make_array<char>(spec.layout.size());
    if (!layout_) return no_memory;
    if (!spec.layout.empty()) std::memcpy(layout_.data(), spec.layout.data(), spec.layout.size());
    return done();
}

Status Map::allocate_places(std::size_t count) {
    lines_ = make_array<Line>(1 + (count * stride_ + sizeof(Line) - 1) / sizeof(Line));
    if (!lines_) return no_memory;
    head_ = new (lines_.data()) Head;
    return done();
}

bool Map::same_layout(const BundleMap& spec) const {
    return type() == spec.type && key_size_ == spec.key_size && value_size_ == spec.value_size && max_entries_ == spec.max_entries &&
           flags_ == spec.flags && has_layout_ == spec.has_layout && std::string_view{layout_.data(), layout_.size()} == spec.layout &&
           has_lock_ == spec.has_lock && lock_ == spec.lock && same(inner_, spec.inner);
}

bool Map::fits(const InnerMap& inner) const {
    const bool any_length = row_->index != abi::Index::array || (inner.flags & abi::map_flag_inner_map) != 0;
    return type() == inner.type && key_size_ == inner.key_size && value_size_ == inner.value_size && flags_ == inner.flags &&
           (any_length || max_entries_ == inner.max_entries);
}

void Map::store(std::uint8_t* place, const std::uint8_t* stored) const {
    if (!has_lock_) return map_bytes::copy(place, stored, stored_size());
    constexpr std::uint32_t lock_bytes = 4;
    map_bytes::copy(place, stored, lock_);
    map_bytes::copy(place + lock_ + lock_bytes, stored + lock_ + lock_bytes, value_size_ - lock_ - lock_bytes);
}

// A device is the output port and, in 8 bytes, a program to run there, which guests do not offer (Linux: 0 or less is none).
long Map::translate(const std::uint8_t* value, std::uint8_t (&stored)[8]) const {
    if (holds() == abi::Holds::devices) {
        if (value_size_ > 4 && (value_size_ != 8 || static_cast<std::int32_t>(word_at(value + 4)) > 0)) return -abi::einval;
        std::memcpy(stored, value, value_size_);
        return 0;
    }
    const std::uint32_t number = word_at(value);
    if (number >= candidates_.size() || !candidates_[number]->fits(inner_)) return -abi::einval;
    Map* map = candidates_[number].get();
    std::memcpy(stored, &map, sizeof map);
    return 0;
}

void Map::show(const std::uint8_t* stored, std::uint8_t* value) const {
    if (holds() != abi::Holds::maps) {
        std::memcpy(value, stored, value_size_);
        return;
    }
    std::uint32_t number = 0;
    while (number < candidates_.size() && std::memcmp(stored, &candidates_[number], sizeof(Map*)) != 0) ++number;
    std::memcpy(value, &number, sizeof number);
}

bool Map::read(const std::uint8_t* key, std::uint8_t* value) {
    const auto answer = with_rights(key_, [&] { return reinterpret_cast<std::uint64_t>(lookup(key)); });
    if (!answer || *answer == 0) return false;
    if (holds() == abi::Holds::maps) {
        show(reinterpret_cast<const std::uint8_t*>(&*answer), value);
        return true;
    }
    if (!contains(*answer, value_size_)) return false;
    show(reinterpret_cast<const std::uint8_t*>(*answer), value);
    return true;
}

long Map::set(const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    const auto answer = with_rights(key_, [&] { return static_cast<std::uint64_t>(update(key, value, flags)); });
    return answer ? static_cast<long>(*answer) : -abi::efault;
}

long Map::erase(const std::uint8_t* key) {
    const auto answer = with_rights(key_, [&] { return static_cast<std::uint64_t>(remove(key)); });
    return answer ? static_cast<long>(*answer) : -abi::efault;
}

std::uint32_t Map::visit(Visit, void*) { return 0; }

bool Map::contains(std::uintptr_t address, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(storage());
    if (address < begin || address - begin >= std::size_t{stride_} * max_entries_) return false;
    if (holds() != abi::Holds::values && holds() != abi::Holds::devices) return false;
    const std::size_t within = (address - begin) % stride_;
    return within >= value_offset_ && within + bytes <= std::size_t{value_offset_} + value_size_;
}

bool Map::contains_lock(std::uintptr_t address) const {
    return has_lock_ && contains(address, 4) && (address - reinterpret_cast<std::uintptr_t>(storage())) % stride_ == value_offset_ + lock_;
}

}  // namespace unibpf
