#include "guest/bpf/maps/map_hash.hpp"

#include <bit>
#include <cstring>

#include "guest/bpf/maps/map_bytes.hpp"
#include "guest/bpf/maps/random.hpp"

namespace unibpf {
namespace {

using map_bytes::load;

// A power of two when that wastes no more than a third: places then do not straddle cache lines.
constexpr std::uint32_t stride_of(std::uint32_t bytes) {
    const std::uint32_t power = std::bit_ceil(bytes);
    return power <= 64 && power - bytes <= bytes / 3 ? power : bytes;
}

}  // namespace

// Everything that depends on the size of keys.
template <std::uint32_t size>
struct HashMap::By {
    static HashMap& hash(Map& map) { return static_cast<HashMap&>(map); }
    static std::uint32_t bytes(const HashMap& map) { return size != 0 ? size : map.key_size_; }

    static std::uint32_t& bucket_of(const HashMap& map, const std::uint8_t* key) {
        std::uint64_t sum;
        if constexpr (size == 4) sum = random::hash(load<std::uint32_t>(key));
        else if constexpr (size == 8) sum = random::hash(load<std::uint64_t>(key));
        else if constexpr (size == 16) sum = random::hash(load<std::uint64_t>(key), load<std::uint64_t>(key + 8));
        else sum = random::hash({key, map.key_size_});
        return map.buckets_[sum >> map.shift_];
    }
    static bool equal(const HashMap& map, const std::uint8_t* a, const std::uint8_t* b) {
        if constexpr (size == 4) return load<std::uint32_t>(a) == load<std::uint32_t>(b);
        return map_bytes::equal(a, b, bytes(map));
    }
    static std::uint32_t find_in(const HashMap& map, std::uint32_t bucket, const std::uint8_t* key) {
        std::uint32_t offset = bucket;
        for (std::uint32_t left = map.max_entries_; offset != none && !equal(map, map.key_at(offset), key); --left) {
            if (left == 0) return none;  // links in a circle: only a program that beat the verifier makes them
            offset = map.link(offset) & ~marks;
        }
        return offset;
    }
    static std::uint32_t find(const HashMap& map, const std::uint8_t* key) { return find_in(map, bucket_of(map, key), key); }

    static std::uint8_t* lookup(Map& map, const std::uint8_t* key) {
        const std::uint32_t offset = find(hash(map), key);
        return offset == none ? nullptr : hash(map).value_at(offset);
    }
    static std::uint8_t* lookup_used(Map& map, const std::uint8_t* key) {
        const std::uint32_t offset = find(hash(map), key);
        if (offset == none) return nullptr;
        hash(map).set_link(offset, hash(map).link(offset) | used_since);
        return hash(map).value_at(offset);
    }
    static std::uint8_t* lookup_map(Map& map, const std::uint8_t* key) {
        const std::uint8_t* place = lookup(map, key);
        return place == nullptr ? nullptr : load<std::uint8_t*>(place);
    }

    static long put(HashMap& map, const std::uint8_t* key, const std::uint8_t* stored, std::uint64_t flags) {
        if (!map.takes_flags(flags)) return -abi::einval;
        flags &= ~abi::update_lock;
        std::uint32_t& bucket = bucket_of(map, key);
        std::uint32_t offset = find_in(map, bucket, key);
        if (offset != none) {
            if (flags == abi::update_noexist) return -abi::eexist;
        } else {
            if (flags == abi::update_exist) return -abi::enoent;
            offset = take_place(map);
            if (offset == none) return -abi::e2big;
            map_bytes::copy(map.key_at(offset), key, bytes(map));
            map.set_link(offset, bucket | live);
            bucket = offset;
            ++map.head().used;
        }
        map.store(map.value_at(offset), stored);
        return 0;
    }
    static long update(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
        return put(hash(map), key, value, flags);
    }
    // Devices and maps. Linux refuses port 0 here: there is no index that it could vacate.
    static long update_translated(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
        std::uint8_t stored[8] = {};
        if (map.holds() == abi::Holds::devices && load<std::uint32_t>(value) == 0) return -abi::einval;
        const long result = hash(map).translate(value, stored);
        return result != 0 ? result : put(hash(map), key, stored, flags);
    }

    static long remove(Map& map, const std::uint8_t* key) {
        return unlink(hash(map), key) ? 0 : -abi::enoent;
    }
    static bool unlink(HashMap& map, const std::uint8_t* key) {
        std::uint32_t& bucket = bucket_of(map, key);
        std::uint32_t before = none, offset = bucket;
        for (std::uint32_t left = map.max_entries_; offset != none && !equal(map, map.key_at(offset), key); --left) {
            if (left == 0) return false;
            before = offset;
            offset = map.link(offset) & ~marks;
        }
        if (offset == none) return false;
        const std::uint32_t next = map.link(offset) & ~marks;
        if (before == none) bucket = next;
        else map.set_link(before, (map.link(before) & marks) | next);
        map.set_link(offset, map.free());
        map.free() = offset;
        --map.head().used;
        return true;
    }

    // A free place, or for an LRU map the place of an entry not used for long: the clock algorithm, a second chance for what was
    // looked up since the hand came by. It gives up sparing after `scan_places` steps, so that its cost is bounded.
    static std::uint32_t take_place(HashMap& map) {
        if (map.free() == none) {
            if (!map.row().evicts) return none;
            for (std::uint32_t step = 0; step < scan_places && (map.link(map.hand()) & used_since) != 0; ++step) {
                map.set_link(map.hand(), map.link(map.hand()) & ~used_since);
                advance(map);
            }
            unlink(map, map.key_at(map.hand()));
            advance(map);
        }
        const std::uint32_t offset = map.free();
        if (offset == none) return none;
        map.free() = map.link(offset) & ~marks;
        return offset;
    }
    static void advance(HashMap& map) {
        map.hand() += map.stride_;
        if (map.hand() == map.stride_ * map.max_entries_) map.hand() = 0;
    }
};

std::uint32_t HashMap::link(std::uint32_t offset) const { return load<std::uint32_t>(at(offset)); }

template <std::uint32_t size>
void HashMap::use_functions() {
    const bool plain = holds() == abi::Holds::values;
    lookup_ = holds() == abi::Holds::maps ? By<size>::lookup_map
              : row().evicts              ? By<size>::lookup_used
                                          : By<size>::lookup;
    update_ = plain ? By<size>::update : By<size>::update_translated;
    remove_ = By<size>::remove;
}

Status HashMap::allocate(const BundleMap&) {
    random::prepare();
    value_offset_ = map_bytes::round8(sizeof(std::uint32_t) + key_size_);
    key_offset_ = value_offset_ - key_size_;
    stride_ = stride_of(value_offset_ + map_bytes::round8(stored_size()));
    TRY(allocate_places(max_entries_));
    const std::uint32_t count = std::bit_ceil(max_entries_) * 2;
    buckets_ = make_array<std::uint32_t>(count);
    if (!buckets_) return Error{"memory", "the heap has no room for a map"};
    free() = none;
    shift_ = 64 - static_cast<std::uint32_t>(std::countr_zero(count));
    for (std::uint32_t& bucket : buckets_) bucket = none;
    for (std::uint32_t i = max_entries_; i-- > 0;) {
        set_link(i * stride_, free());
        free() = i * stride_;
    }
    switch (key_size_) {
        case 4: use_functions<4>(); break;
        case 8: use_functions<8>(); break;
        case 16: use_functions<16>(); break;
        default: use_functions<0>(); break;
    }
    return done();
}

ScanStep HashMap::scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const {
    if (cursor >= max_entries_) return {};
    const std::uint32_t stop = max_entries_ - cursor > scan_places ? cursor + scan_places : max_entries_;
    for (std::uint32_t index = cursor; index < stop; ++index) {
        const std::uint32_t offset = index * stride_;
        if ((link(offset) & live) == 0) continue;
        std::memcpy(key, key_at(offset), key_size_);
        show(value_at(offset), value);
        return {.found = true, .next = index + 1 < max_entries_ ? index + 1 : 0};
    }
    return {.found = false, .next = stop < max_entries_ ? stop : 0};
}

std::uint32_t HashMap::visit(Visit visit, void* context) {
    std::uint32_t visited = 0;
    for (std::uint32_t index = 0; index < max_entries_; ++index) {
        const std::uint32_t offset = index * stride_;
        if ((link(offset) & live) == 0) continue;
        ++visited;
        if (!visit(context, key_at(offset), value_at(offset))) break;
    }
    return visited;
}

bool HashMap::contains_key(std::uintptr_t address, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(storage());
    if (address < begin || address - begin >= std::size_t{stride_} * max_entries_) return false;
    const std::size_t within = (address - begin) % stride_;
    return within >= key_offset_ && within + bytes <= value_offset_;
}

}  // namespace unibpf
