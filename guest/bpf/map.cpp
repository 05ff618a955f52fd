#include "guest/bpf/map.hpp"

#include <bit>
#include <cstring>
#include <new>

#include "guest/bpf/random.hpp"

namespace unibpf {
namespace {

constexpr std::uint32_t round8(std::uint32_t bytes) { return (bytes + 7) & ~7U; }
constexpr Error no_memory{"memory", "the heap has no room for a map"};

}  // namespace

MapRef::MapRef(Map* map) : map_{map} {
    if (map_ != nullptr) ++map_->references_;
}

MapRef::~MapRef() {
    if (map_ == nullptr || --map_->references_ != 0) return;
    map_->~Map();
    Heap::system().release(map_);
}

Result<MapRef> Map::create(const BundleMap& spec) {
    void* block = Heap::system().allocate(sizeof(Map));
    if (block == nullptr) return no_memory;
    MapRef map{new (block) Map{}};
    const Status status = map->allocate(spec);
    if (!status.ok()) return status.error();
    return map;
}

Status Map::allocate(const BundleMap& spec) {
    row_ = abi::find_map_type(spec.type);
    name_size_ = static_cast<std::uint8_t>(spec.name.size());
    std::memcpy(name_, spec.name.data(), spec.name.size());
    key_size_ = spec.key_size;
    value_size_ = spec.value_size;
    max_entries_ = spec.max_entries;
    flags_ = spec.flags;
    has_layout_ = spec.has_layout;
    layout_ = make_array<char>(spec.layout.size());
    if (!layout_) return no_memory;
    if (!spec.layout.empty()) std::memcpy(layout_.data(), spec.layout.data(), spec.layout.size());

    value_offset_ = row_->array_like() ? 0 : static_cast<std::uint32_t>(sizeof(Place)) + round8(key_size_);
    stride_ = value_offset_ + round8(value_size_);
    storage_ = make_array<std::uint8_t>(std::size_t{stride_} * max_entries_);
    if (!storage_) return no_memory;
    if (spec.has_data) std::memcpy(value_at(0), spec.data.data(), spec.data.size());
    return row_->array_like() ? done() : allocate_buckets();
}

Status Map::allocate_buckets() {
    const std::uint32_t count = std::bit_ceil(max_entries_);
    buckets_ = make_array<std::uint32_t>(count);
    if (!buckets_) return no_memory;
    bucket_mask_ = count - 1;
    for (std::uint32_t& bucket : buckets_) bucket = none;
    for (std::uint32_t i = max_entries_; i-- > 0;) {
        place(i) = {.next = free_, .live = 0, .used_since = 0};
        free_ = i;
    }
    return done();
}

bool Map::same_layout(const BundleMap& spec) const {
    return type() == spec.type && key_size_ == spec.key_size && value_size_ == spec.value_size && max_entries_ == spec.max_entries &&
           flags_ == spec.flags && has_layout_ == spec.has_layout && std::string_view{layout_.data(), layout_.size()} == spec.layout;
}

std::uint32_t& Map::bucket_of(const std::uint8_t* key) const {
    return buckets_[static_cast<std::uint32_t>(random::keyed_hash({key, key_size_})) & bucket_mask_];
}

std::uint32_t Map::find(const std::uint8_t* key) const {
    if (row_->array_like()) {
        std::uint32_t index;
        std::memcpy(&index, key, sizeof index);
        return index < max_entries_ ? index : none;
    }
    std::uint32_t index = bucket_of(key);
    while (index != none && std::memcmp(key_at(index), key, key_size_) != 0) index = place(index).next;
    return index;
}

std::uint8_t* Map::lookup(const std::uint8_t* key) {
    const std::uint32_t index = find(key);
    if (index == none) return nullptr;
    if (row_->evicts) place(index).used_since = 1;
    return value_at(index);
}

// Return values as Linux: kernel/bpf/arraymap.c and hashtab.c document them through bpf(2) and bpf-helpers(7).
long Map::update(const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    if (flags > abi::update_exist) return -abi::einval;
    std::uint32_t index = find(key);
    if (row_->array_like() && index == none) return -abi::e2big;
    if (index != none && flags == abi::update_noexist) return -abi::eexist;
    if (index == none) {
        if (flags == abi::update_exist) return -abi::enoent;
        index = take_place();
        if (index == none) return -abi::e2big;
        std::memcpy(key_at(index), key, key_size_);
        std::uint32_t& bucket = bucket_of(key);
        place(index) = {.next = bucket, .live = 1, .used_since = 0};
        bucket = index;
        ++used_;
    }
    std::memmove(value_at(index), value, value_size_);  // the value may be one of this map's own
    return 0;
}

long Map::remove(const std::uint8_t* key) {
    if (row_->array_like()) return -abi::einval;
    const std::uint32_t index = find(key);
    if (index == none) return -abi::enoent;
    unlink(index);
    return 0;
}

void Map::unlink(std::uint32_t index) {
    std::uint32_t* link = &bucket_of(key_at(index));
    while (*link != index) link = &place(*link).next;
    *link = place(index).next;
    place(index) = {.next = free_, .live = 0, .used_since = 0};
    free_ = index;
    --used_;
}

// A free place, or for an LRU map the place of an entry not used for long: the clock algorithm, a second chance for what was
// looked up since the hand came by. It gives up sparing after `scan_places` steps, so that its cost is bounded.
std::uint32_t Map::take_place() {
    if (free_ == none) {
        if (!row_->evicts) return none;
        for (std::uint32_t step = 0; step < scan_places && place(hand_).used_since != 0; ++step) {
            place(hand_).used_since = 0;
            hand_ = (hand_ + 1) % max_entries_;
        }
        unlink(hand_);
        hand_ = (hand_ + 1) % max_entries_;
    }
    const std::uint32_t index = free_;
    free_ = place(index).next;
    return index;
}

ScanStep Map::scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const {
    if (cursor >= max_entries_) return {};
    const std::uint32_t stop = max_entries_ - cursor > scan_places ? cursor + scan_places : max_entries_;
    for (std::uint32_t index = cursor; index < stop; ++index) {
        if (!row_->array_like() && place(index).live == 0) continue;
        if (row_->array_like()) {
            std::memcpy(key, &index, sizeof index);
        } else {
            std::memcpy(key, key_at(index), key_size_);
        }
        std::memcpy(value, value_at(index), value_size_);
        return {.found = true, .next = index + 1 < max_entries_ ? index + 1 : 0};
    }
    return {.found = false, .next = stop < max_entries_ ? stop : 0};
}

bool Map::contains(std::uintptr_t address, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(storage_.data());
    if (address < begin || address - begin >= storage_.size()) return false;
    const std::size_t within = (address - begin) % stride_;
    return within >= value_offset_ && within + bytes <= std::size_t{value_offset_} + value_size_;
}

}  // namespace unibpf
