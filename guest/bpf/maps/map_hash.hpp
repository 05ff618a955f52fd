// Hash tables: buckets of chained places. A full one refuses new keys (E2BIG), or evicts if its row says so (LRU).
//
// A place is: link (u32), key, value; the key ends where the value begins, at a multiple of 8. Links and buckets are byte offsets of
// places, so that following one takes no multiplication; their low three bits, always zero in an offset, say whether the place
// is live and was used. There are two buckets for each possible entry.
//
// The hash (random.hpp) is universal under a secret of the boot: for any set of keys that was chosen without knowledge of it, chains
// are as short as for random keys. Who could measure the length of single chains through the network could find keys that
// meet; the map is bounded and so are they, and the next boot has another secret.
#pragma once

#include "guest/bpf/maps/map.hpp"

namespace unibpf {

class HashMap final : public Map {
  public:
    ScanStep scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const override;
    std::uint32_t visit(Visit visit, void* context) override;
    bool contains_key(std::uintptr_t address, std::size_t bytes) const override;

  private:
    static constexpr std::uint32_t live = 1, used_since = 2, marks = 7;  // in a link
    static constexpr std::uint32_t none = 0xffff'fff8;                   // no offset

    // The size of keys as the compiler knows it; 0 where only the map does.
    template <std::uint32_t size>
    struct By;

    Status allocate(const BundleMap& spec) override;
    template <std::uint32_t size>
    void use_functions();
    std::uint32_t& free() const { return head().first; }   // chained by links
    std::uint32_t& hand() const { return head().second; }  // offset; eviction goes on from here
    std::uint8_t* at(std::uint32_t offset) const { return storage() + offset; }
    std::uint32_t link(std::uint32_t offset) const;
    void set_link(std::uint32_t offset, std::uint32_t link) { __builtin_memcpy(at(offset), &link, sizeof link); }
    std::uint8_t* key_at(std::uint32_t offset) const { return at(offset) + key_offset_; }
    std::uint8_t* value_at(std::uint32_t offset) const { return at(offset) + value_offset_; }

    OwnedArray<std::uint32_t> buckets_;
    std::uint32_t shift_ = 0;       // of a hash, to a bucket's number
    std::uint32_t key_offset_ = 0;  // of a place
};

}  // namespace unibpf
