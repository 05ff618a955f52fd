// Longest prefix match (LPM): a key is a u32 number of bits and then the bits, the first one the highest of the first byte.
//
// A binary tree of prefixes without nodes that decide nothing (Morrison's PATRICIA, 1968): a node's prefix continues its parent's,
// and a node without an entry has two children. So n entries need 2n nodes at most, made beforehand. Nodes hold prefixes as
// numbers (big-endian words), so that a comparison is an exclusive or; keys and values stand in places of their own.
// Return values as Linux: EINVAL for more bits than a key has, ENOSPC when full.
#pragma once

#include "guest/bpf/maps/map.hpp"

namespace unibpf {

class PrefixMap final : public Map {
  public:
    ScanStep scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const override;

  private:
    static constexpr std::uint32_t none = UINT32_MAX;
    static constexpr std::size_t max_words = (260 - 4 + 7) / 8;

    struct Node {
        std::uint32_t child[2];
        std::uint32_t entry;  // number of a place, or none
        std::uint32_t bits;   // of the prefix, whose words follow
    };
    struct Place {            // precedes key and value
        std::uint32_t next;   // free list
        std::uint32_t live;
    };
    // A key as numbers, zeroes past the end.
    struct Prefix {
        std::uint32_t bits = 0;
        std::uint64_t words[max_words];
    };
    // Where a walk for a prefix ended: `node` is what `link` names (none: nothing there); `common` leading bits agree.
    struct Spot {
        std::uint32_t* link;
        std::uint32_t node, common;
        std::uint32_t* parent_link;  // the link that names the node with `link` in it
    };

    // The bytes of a key's bits as the compiler knows them (IPv4, IPv6); 0 where only the map does.
    template <std::uint32_t size>
    struct By;

    Status allocate(const BundleMap& spec) override;
    std::uint32_t& root() const { return head().first; }
    std::uint32_t& free_nodes() const { return head().second; }
    std::uint32_t& free_places() const { return head().third; }
    std::uint32_t data_bytes() const { return key_size_ - static_cast<std::uint32_t>(sizeof(std::uint32_t)); }
    Node& node(std::uint32_t number) const { return *reinterpret_cast<Node*>(nodes_.data() + std::size_t{number} * node_stride_); }
    std::uint64_t* words(Node& node) const { return reinterpret_cast<std::uint64_t*>(&node + 1); }
    Place& place(std::uint32_t number) const { return *reinterpret_cast<Place*>(place_at(number)); }
    std::uint8_t* key_at(std::uint32_t number) const { return place_at(number) + sizeof(Place); }
    std::uint8_t* value_at(std::uint32_t number) const { return place_at(number) + value_offset_; }

    bool read_prefix(const std::uint8_t* key, Prefix& prefix) const;  // false: more bits than the key has
    Spot find_spot(const Prefix& prefix);
    std::uint32_t take_node(const Prefix& prefix, std::uint32_t bits);
    void drop_node(std::uint32_t number);
    void add(const Prefix& prefix, const Spot& spot, std::uint32_t entry);
    void drop_entry(std::uint32_t* link, std::uint32_t* parent_link);

    static long update_prefix(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags);
    static long remove_prefix(Map& map, const std::uint8_t* key);

    OwnedArray<std::uint8_t> nodes_;
    std::uint32_t node_stride_ = 0, word_count_ = 0;
};

}  // namespace unibpf
