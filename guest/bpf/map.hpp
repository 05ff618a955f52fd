// Maps: state that programs keep between packets and that outlives the program (design 7).
//
// Everything is allocated when the map is made; the data path never allocates. Entries never move: a value pointer stays
// valid until its entry is deleted (and then, as in Linux, may see the entry that reuses its place).
// Storage of every type is one block of `max_entries` places; a hash adds buckets of chained place numbers, keyed by a
// per-boot secret so that packets cannot aim at one bucket.
// The data path may change a map whenever control is not under NoPreempt; scan() therefore copies one entry a call.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "guest/bpf/abi.hpp"
#include "guest/bpf/decode.hpp"
#include "guest/core/heap.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

struct ScanStep {
    bool found = false;         // key and value were copied out
    std::uint32_t next = 0;     // cursor for the next call; 0: that was all
};

class Map;

// A counted reference to a map. Programs share a kept map by holding one each; made and dropped on the control stack only.
class MapRef {
  public:
    MapRef() = default;
    explicit MapRef(Map* map);
    MapRef(const MapRef& other) : MapRef{other.map_} {}
    MapRef(MapRef&& other) noexcept : map_{std::exchange(other.map_, nullptr)} {}
    MapRef& operator=(MapRef other) noexcept {
        std::swap(map_, other.map_);
        return *this;
    }
    ~MapRef();
    Map* get() const { return map_; }
    Map* operator->() const { return map_; }
    Map& operator*() const { return *map_; }
    explicit operator bool() const { return map_ != nullptr; }

  private:
    Map* map_ = nullptr;
};

class Map {
  public:
    // Rule `memory` when the heap has no room. Data given in the spec is copied in.
    static Result<MapRef> create(const BundleMap& spec);
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;

    std::string_view name() const { return {name_, name_size_}; }
    std::uint32_t type() const { return static_cast<std::uint32_t>(row_->type); }
    std::uint32_t key_size() const { return key_size_; }
    std::uint32_t value_size() const { return value_size_; }
    std::uint32_t max_entries() const { return max_entries_; }
    std::uint32_t entries() const { return row_->array_like() ? max_entries_ : used_; }
    bool read_only() const { return (flags_ & abi::map_flag_rdonly_prog) != 0; }
    // Same type, sizes, flags and value layout: a program made for `spec` can go on with this map's contents.
    bool same_layout(const BundleMap& spec) const;

    // bpf_map_*_elem: keys and values are key_size() and value_size() bytes; errors are negative errno values.
    std::uint8_t* lookup(const std::uint8_t* key);
    long update(const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    long remove(const std::uint8_t* key);

    // One entry at or after `cursor` (start with 0), copied to key and value; looks at 64 places at most, so a step may find
    // nothing and still have a next cursor. Hold NoPreempt around one call, not around a dump.
    // A cursor past the end finds nothing.
    ScanStep scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const;

    // Address of the value of place 0 of an array (global data), and the distance of the next one.
    std::uint8_t* global_data() { return value_at(0); }
    std::uint32_t stride() const { return stride_; }
    bool array_like() const { return row_->array_like(); }
    // Is [address, address + bytes) inside one value? For the checking interpreter.
    bool contains(std::uintptr_t address, std::size_t bytes) const;

  private:
    friend class MapRef;
    Map() = default;
    ~Map() = default;

    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::uint32_t scan_places = 64;

    struct Place {               // precedes key and value of a hash entry
        std::uint32_t next;      // in bucket or free list
        std::uint32_t live : 1;
        std::uint32_t used_since : 1;  // second chance of an LRU map
    };

    std::uint8_t* place_at(std::uint32_t index) const { return storage_.data() + std::size_t{index} * stride_; }
    Place& place(std::uint32_t index) const { return *reinterpret_cast<Place*>(place_at(index)); }
    std::uint8_t* key_at(std::uint32_t index) const { return place_at(index) + sizeof(Place); }
    std::uint8_t* value_at(std::uint32_t index) const { return place_at(index) + value_offset_; }
    std::uint32_t& bucket_of(const std::uint8_t* key) const;
    std::uint32_t find(const std::uint8_t* key) const;
    std::uint32_t take_place();
    void unlink(std::uint32_t index);
    Status allocate(const BundleMap& spec);
    Status allocate_buckets();

    char name_[64] = {};
    std::uint8_t name_size_ = 0;
    const abi::MapTypeRow* row_ = nullptr;
    std::uint32_t key_size_ = 0, value_size_ = 0, max_entries_ = 0, flags_ = 0;
    std::uint32_t value_offset_ = 0, stride_ = 0;
    std::uint32_t used_ = 0, free_ = none, hand_ = 0;
    std::uint32_t references_ = 0;
    std::uint32_t bucket_mask_ = 0;
    OwnedArray<std::uint8_t> storage_;
    OwnedArray<std::uint32_t> buckets_;
    bool has_layout_ = false;
    OwnedArray<char> layout_;
};

// What an update does with each map of the running program (schemas/envelope.cddl, release key 11).
enum class MapPolicy : std::uint8_t { keep = 0, migrate = 1, reset = 2 };
struct MapPolicyEntry {
    std::string_view map;
    MapPolicy policy = MapPolicy::keep;
    std::span<const std::uint8_t> plan{};
};
struct MapPlan {
    std::span<const MapPolicyEntry> entries{};  // a map not named: keep
};

// What was done (schemas/control.cddl, map-decision).
enum class MapDecision : std::uint8_t { kept = 0, fresh = 1, reset = 2, migrated = 3 };
struct MapOutcome {
    std::string_view name;
    MapDecision decision = MapDecision::fresh;
    std::uint64_t entries = 0;  // kept
};

}  // namespace unibpf
