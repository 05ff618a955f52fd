#include "guest/bpf/maps/map_prefix.hpp"

#include <bit>
#include <cstring>

#include "guest/bpf/maps/map_bytes.hpp"

namespace unibpf {
namespace {

using map_bytes::load;

PrefixMap& prefix_map(Map& map) { return static_cast<PrefixMap&>(map); }

unsigned bit_of(const std::uint64_t* words, std::uint32_t index) { return words[index / 64] >> (63 - index % 64) & 1; }

// How many leading bits are the same, `most` at most.
std::uint32_t common_bits(const std::uint64_t* a, const std::uint64_t* b, std::uint32_t most) {
    for (std::uint32_t bits = 0; bits < most; bits += 64, ++a, ++b) {
        if (*a == *b) continue;
        const std::uint32_t same = bits + static_cast<std::uint32_t>(std::countl_zero(*a ^ *b));
        return same < most ? same : most;
    }
    return most;
}

}  // namespace

template <std::uint32_t size>
struct PrefixMap::By {
    // The longest prefix on the way down that the key continues and that is no longer than the key asks for.
    static std::uint8_t* lookup(Map& map, const std::uint8_t* key) {
        PrefixMap& self = prefix_map(map);
        Prefix prefix;
        if (!read(self, key, prefix)) return nullptr;
        std::uint32_t best = none;
        // On the way down prefixes get longer, so it ends; only a program that beat the verifier makes a circle.
        for (std::uint32_t number = self.root(), left = prefix.bits; number != none; --left) {
            Node& node = self.node(number);
            if (node.bits > prefix.bits || common_bits(self.words(node), prefix.words, node.bits) != node.bits) break;
            if (node.entry != none) best = node.entry;
            if (node.bits == prefix.bits || left == 0) break;
            number = node.child[bit_of(prefix.words, node.bits)];
        }
        return best == none ? nullptr : self.value_at(best);
    }

    static bool read(PrefixMap& map, const std::uint8_t* key, Prefix& prefix) {
        if constexpr (size == 0) return map.read_prefix(key, prefix);
        prefix.bits = load<std::uint32_t>(key);
        if constexpr (size == 4) prefix.words[0] = std::uint64_t{__builtin_bswap32(load<std::uint32_t>(key + 4))} << 32;
        for (std::uint32_t i = 0; i < size / 8; ++i) prefix.words[i] = __builtin_bswap64(load<std::uint64_t>(key + 4 + 8 * i));
        return prefix.bits <= size * 8;
    }
};

Status PrefixMap::allocate(const BundleMap&) {
    word_count_ = (data_bytes() + 7) / 8;
    node_stride_ = static_cast<std::uint32_t>(sizeof(Node)) + 8 * word_count_;
    nodes_ = make_array<std::uint8_t>(std::size_t{node_stride_} * 2 * max_entries_);
    if (!nodes_) return Error{"memory", "the heap has no room for a map"};
    value_offset_ = static_cast<std::uint32_t>(sizeof(Place)) + map_bytes::round8(key_size_);
    stride_ = value_offset_ + map_bytes::round8(value_size_);
    TRY(allocate_places(max_entries_));
    root() = free_nodes() = free_places() = none;
    for (std::uint32_t i = 2 * max_entries_; i-- > 0;) drop_node(i);
    for (std::uint32_t i = max_entries_; i-- > 0;) {
        place(i) = {.next = free_places(), .live = 0};
        free_places() = i;
    }
    lookup_ = data_bytes() == 4    ? By<4>::lookup
              : data_bytes() == 16 ? By<16>::lookup
                                   : By<0>::lookup;
    update_ = update_prefix;
    remove_ = remove_prefix;
    return done();
}

bool PrefixMap::read_prefix(const std::uint8_t* key, Prefix& prefix) const {
    prefix.bits = load<std::uint32_t>(key);
    const std::uint8_t* data = key + sizeof(std::uint32_t);
    std::uint32_t left = data_bytes();
    for (std::uint32_t i = 0; i < word_count_; ++i, data += 8, left -= 8) {
        const std::uint64_t word = left >= 8 ? load<std::uint64_t>(data) : map_bytes::load_tail(data, left);
        prefix.words[i] = __builtin_bswap64(word);
        if (left <= 8) break;
    }
    return prefix.bits <= 8 * data_bytes();
}

// --- the tree -------------------------------------------------------------------------------------------------------------

PrefixMap::Spot PrefixMap::find_spot(const Prefix& prefix) {
    Spot spot{.link = &root(), .node = root(), .common = 0, .parent_link = nullptr};
    for (std::uint32_t left = prefix.bits; spot.node != none; --left) {
        Node& here = node(spot.node);
        spot.common = common_bits(words(here), prefix.words, here.bits < prefix.bits ? here.bits : prefix.bits);
        if (spot.common != here.bits || here.bits == prefix.bits || left == 0) break;
        spot.parent_link = spot.link;
        spot.link = &here.child[bit_of(prefix.words, here.bits)];
        spot.node = *spot.link;
    }
    return spot;
}

std::uint32_t PrefixMap::take_node(const Prefix& prefix, std::uint32_t bits) {
    const std::uint32_t number = free_nodes();
    Node& taken = node(number);
    free_nodes() = taken.child[0];
    taken = {.child = {none, none}, .entry = none, .bits = bits};
    std::memcpy(words(taken), prefix.words, 8 * word_count_);
    return number;
}

void PrefixMap::drop_node(std::uint32_t number) {
    node(number).child[0] = free_nodes();
    free_nodes() = number;
}

// Four cases: the very prefix has a node without an entry, nothing is there, the new prefix is one of what is there, or both
// continue a third one.
void PrefixMap::add(const Prefix& prefix, const Spot& spot, std::uint32_t entry) {
    if (spot.node != none && node(spot.node).bits == prefix.bits && spot.common == prefix.bits) {
        node(spot.node).entry = entry;
        return;
    }
    const std::uint32_t leaf = take_node(prefix, prefix.bits);
    node(leaf).entry = entry;
    if (spot.node == none) {
        *spot.link = leaf;
        return;
    }
    const unsigned side = bit_of(words(node(spot.node)), spot.common);
    std::uint32_t parent = leaf;
    if (spot.common != prefix.bits) {
        parent = take_node(prefix, spot.common);
        node(parent).child[1 - side] = leaf;
    }
    node(parent).child[side] = spot.node;
    *spot.link = parent;
}

// The node that `link` names has lost its entry: it goes unless it still parts two branches, and so may its parent.
void PrefixMap::drop_entry(std::uint32_t* link, std::uint32_t* parent_link) {
    const std::uint32_t number = *link;
    const Node& gone = node(number);
    if (gone.child[0] != none && gone.child[1] != none) return;
    *link = gone.child[0] != none ? gone.child[0] : gone.child[1];
    drop_node(number);
    if (*link != none || parent_link == nullptr) return;
    const std::uint32_t parent = *parent_link;
    if (node(parent).entry != none) return;
    *parent_link = node(parent).child[0] != none ? node(parent).child[0] : node(parent).child[1];
    drop_node(parent);
}

// --- the ways in ------------------------------------------------------------------------------------------------------------

// An update of an existing prefix replaces its key too: what stands after its bits may differ.
long PrefixMap::update_prefix(Map& map, const std::uint8_t* key, const std::uint8_t* value, std::uint64_t flags) {
    PrefixMap& self = prefix_map(map);
    Prefix prefix;
    if (flags > abi::update_exist || !self.read_prefix(key, prefix)) return -abi::einval;
    const Spot spot = self.find_spot(prefix);
    const bool exact = spot.node != none && spot.common == prefix.bits && self.node(spot.node).bits == prefix.bits;
    std::uint32_t entry = exact ? self.node(spot.node).entry : none;
    if (entry != none && flags == abi::update_noexist) return -abi::eexist;
    if (entry == none) {
        if (flags == abi::update_exist) return -abi::enoent;
        if (self.free_places() == none) return -abi::enospc;
        entry = self.free_places();
        self.free_places() = self.place(entry).next;
        self.place(entry).live = 1;
        ++self.head().used;
        self.add(prefix, spot, entry);
    }
    map_bytes::copy(self.key_at(entry), key, self.key_size_);
    map_bytes::copy(self.value_at(entry), value, self.value_size_);
    return 0;
}

long PrefixMap::remove_prefix(Map& map, const std::uint8_t* key) {
    PrefixMap& self = prefix_map(map);
    Prefix prefix;
    if (!self.read_prefix(key, prefix)) return -abi::einval;
    const Spot spot = self.find_spot(prefix);
    if (spot.node == none || spot.common != prefix.bits) return -abi::enoent;
    Node& found = self.node(spot.node);
    if (found.bits != prefix.bits || found.entry == none) return -abi::enoent;
    self.place(found.entry) = {.next = self.free_places(), .live = 0};
    self.free_places() = found.entry;
    found.entry = none;
    --self.head().used;
    self.drop_entry(spot.link, spot.parent_link);
    return 0;
}

ScanStep PrefixMap::scan(std::uint32_t cursor, std::uint8_t* key, std::uint8_t* value) const {
    if (cursor >= max_entries_) return {};
    const std::uint32_t stop = max_entries_ - cursor > scan_places ? cursor + scan_places : max_entries_;
    for (std::uint32_t index = cursor; index < stop; ++index) {
        if (place(index).live == 0) continue;
        std::memcpy(key, key_at(index), key_size_);
        std::memcpy(value, value_at(index), value_size_);
        return {.found = true, .next = index + 1 < max_entries_ ? index + 1 : 0};
    }
    return {.found = false, .next = stop < max_entries_ ? stop : 0};
}

}  // namespace unibpf
