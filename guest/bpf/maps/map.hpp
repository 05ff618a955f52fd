// Maps: state that programs keep between packets and that outlives the program (design 7).
//
// Everything is allocated when the map is made; the data path never allocates. Entries never move: a value pointer stays
// valid until its entry is deleted (and then, as in Linux, may see the entry that reuses its place).
// How entries are found gives a map its class, one file each: map_array, map_hash, map_prefix, map_ring. What they are (values,
// devices, maps, programs) is the row's `holds`: it only changes what an update takes and a look-up gives.
// The data path may change a map whenever control is not under NoPreempt; scan() therefore copies one entry a call.
//
// Of an isolated program (isolated.hpp) what its runs must write lies on pages of its key: the head and the places, and the tables by
// which places are found. What they need not write lies with the guest: the Map itself, with its sizes, functions and addresses. So
// whatever such a program makes of its pages, it is no address and no size to control. What follows links from there
// (`lookup`, `update`, `remove`, `consume`) control runs with the program's rights, in with_rights; every walk ends after as many steps as
// there can be; and what comes out is checked against what the guest knows.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/bundle/decode.hpp"
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
    // The ways in that packets take, chosen once by type and key size, so that a call tests neither. Keys and values are key_size()
    // and value_size() bytes; errors are negative errno values. Native code may call them without a detour.
    using Lookup = std::uint8_t* (*)(Map& map, const std::uint8_t* key);
    using Update = long (*)(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    using Remove = long (*)(Map& map, const std::uint8_t* key);

    // Called for each entry; false ends the visit.
    using Visit = bool (*)(void* context, const std::uint8_t* key, std::uint8_t* value);

    // Rule `memory` when the heap has no room. Data given in the spec is copied in; initial entries are the loader's. What programs
    // write gets pages of `key` if it is not the guest's.
    static Result<MapRef> create(const BundleMap& spec, platform::PageKey key = {});
    Map(const Map&) = delete;
    Map& operator=(const Map&) = delete;

    std::string_view name() const { return {name_, name_size_}; }
    const abi::MapTypeRow& row() const { return *row_; }
    std::uint32_t type() const { return static_cast<std::uint32_t>(row_->type); }
    abi::Holds holds() const { return row_->holds; }
    std::uint32_t key_size() const { return key_size_; }
    std::uint32_t value_size() const { return value_size_; }
    std::uint32_t max_entries() const { return max_entries_; }
    std::uint32_t entries() const { return head_->used; }  // of a ring: records that wait. Of an isolated program: what it says
    platform::PageKey key() const { return key_; }
    bool read_only() const { return (flags_ & abi::map_flag_rdonly_prog) != 0; }
    bool has_lock_at(std::uint32_t offset) const { return has_lock_ && lock_ == offset; }
    // Same type, sizes, flags and value layout: a program made for `spec` can go on with this map's contents.
    bool same_layout(const BundleMap& spec) const;
    // Same shape and use: a map of maps with entries like `inner` may hold it (decode.hpp).
    bool fits(const InnerMap& inner) const;

    // A look-up gives a map that holds maps a Map's address. Updates of one take the number of a map (`refer_to`).
    std::uint8_t* lookup(const std::uint8_t* key) { return lookup_(*this, key); }
    long update(const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) { return update_(*this, key, value, flags); }
    long remove(const std::uint8_t* key) { return remove_(*this, key); }
    Lookup lookup_function() const { return lookup_; }
    Update update_function() const { return update_; }
    Remove remove_function() const { return remove_; }

    // Control's, under NoPreempt, and the loader's: with the rights of the programs that write the map.
    // What control and dumps see of an entry, copied to `value`; false: there is none.
    bool read(const std::uint8_t* key, std::uint8_t* value);
    // As update and remove; EFAULT when the map is spoilt so that a fault ended it.
    long set(const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    long erase(const std::uint8_t* key);

    // One entry at or after `cursor` (start with 0), copied to key and value; looks at 64 places at most, so a step may find
    // nothing and still have a next cursor. Hold NoPreempt around one call, not around a dump.
    // A cursor past the end finds nothing. A ring has no entries.
    virtual ScanStep scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const = 0;
    // Every entry of a map that holds values, each once, in a round of at most max_entries(); of what is
    // added or deleted meanwhile, some may be left out. Returns how many were visited.
    virtual std::uint32_t visit(Visit visit, void* context);

    // Address of the value of place 0 of an array (global data), and the distance of the next one.
    std::uint8_t* global_data() { return place_at(0); }
    std::uint32_t stride() const { return stride_; }
    bool array_like() const { return row_->array_like(); }

    // For the checking interpreter. Is [address, address + bytes) inside one value, or key, or reserved record?
    virtual bool contains(std::uintptr_t address, std::size_t bytes) const;
    virtual bool contains_key(std::uintptr_t, std::size_t) const { return false; }
    bool written_by_programs() const { return !read_only() && (holds() == abi::Holds::values || holds() == abi::Holds::records); }
    // Is there a lock of one of its values at this address?
    bool contains_lock(std::uintptr_t address) const;

    // The loader's, before the first run. The maps that numbers in updates of a map of maps mean: they outlive this one.
    void refer_to(std::span<const MapRef> maps) { candidates_ = maps; }

  protected:
    Map() = default;
    virtual ~Map() = default;
    // Makes storage and sets the ways in.
    virtual Status allocate(const BundleMap& spec) = 0;

    static constexpr std::uint32_t scan_places = 64;

    struct alignas(64) Line {
        std::uint8_t bytes[64];
    };  // places that fit a cache line lie in one
    // What changes with the entries, before the first place. Each kind of map has its own use for it.
    struct alignas(64) Head {
        std::uint32_t used = 0;
        std::uint32_t first = 0, second = 0, third = 0;  // numbers or offsets of places
        std::uint64_t consumed = 0, produced = 0, lost = 0;
    };
    static_assert(sizeof(Head) == sizeof(Line));

    Status allocate_places(std::size_t count);
    std::uint8_t* place_at(std::size_t index) const { return storage() + index * stride_; }
    std::uint8_t* storage() const { return reinterpret_cast<std::uint8_t*>(head_ + 1); }
    std::size_t storage_bytes() const { return (lines_.size() - 1) * sizeof(Line); }
    Head& head() const { return *head_; }
    std::uint32_t stored_size() const { return holds() == abi::Holds::maps ? sizeof(Map*) : value_size_; }

    // Linux: BPF_F_LOCK asks for a lock in the values. Whatever it says, an update leaves the lock as it is.
    bool takes_flags(std::uint64_t flags) const {
        return (flags & ~abi::update_lock) <= abi::update_exist && ((flags & abi::update_lock) == 0 || has_lock_);
    }
    void store(std::uint8_t* place, const std::uint8_t* stored) const;

    // What an entry of devices or maps is stored as; a negative error when the value is none.
    long translate(const std::uint8_t* value, std::uint8_t (&stored)[8]) const;
    // The way back: stored bytes to what control sees.
    void show(const std::uint8_t* stored, std::uint8_t* value) const;

    static std::uint8_t* lookup_nothing(Map&, const std::uint8_t*) { return nullptr; }
    static long update_nothing(Map&, const std::uint8_t*, const std::uint8_t*, std::uint64_t) { return -abi::einval; }
    static long remove_nothing(Map&, const std::uint8_t*) { return -abi::einval; }

    const abi::MapTypeRow* row_ = nullptr;
    std::uint32_t key_size_ = 0, value_size_ = 0, max_entries_ = 0, flags_ = 0;
    std::uint32_t value_offset_ = 0, stride_ = 0;  // of a place
    Lookup lookup_ = lookup_nothing;
    Update update_ = update_nothing;
    Remove remove_ = remove_nothing;

  private:
    friend class MapRef;
    template <typename T>
    static Result<MapRef> born(const BundleMap& spec, platform::PageKey key);
    Status describe(const BundleMap& spec);

    OwnedArray<Line> lines_;
    Head* head_ = nullptr;  // the first of them
    platform::PageKey key_{};
    std::span<const MapRef> candidates_{};
    std::uint32_t references_ = 0;
    std::uint32_t lock_ = 0;
    bool has_lock_ = false, has_layout_ = false;
    std::uint8_t name_size_ = 0;
    char name_[64] = {};
    OwnedArray<char> layout_;
    InnerMap inner_;
};

// What an update does with each map of the running program (schemas/envelope.cddl, release key 11).
enum class MapPolicy : std::uint8_t {
    keep = 0,
    migrate = 1,
    reset = 2
};
struct MapPolicyEntry {
    std::string_view map;
    MapPolicy policy = MapPolicy::keep;
    std::span<const std::uint8_t> plan{};
};
struct MapPlan {
    std::span<const MapPolicyEntry> entries{};  // a map not named: keep
};

// What was done (schemas/control.cddl, map-decision).
enum class MapDecision : std::uint8_t {
    kept = 0,
    fresh = 1,
    reset = 2,
    migrated = 3
};
struct MapOutcome {
    std::string_view name;
    MapDecision decision = MapDecision::fresh;
    std::uint64_t entries = 0;  // kept
};

}  // namespace unibpf
