// LPM maps against a model that compares bit by bit.
#include <random>

#include "tests/unit/guest/bpf/maps/map_support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

bool bit_of(const Text& data, std::uint32_t index) { return (static_cast<unsigned char>(data[index / 8]) >> (7 - index % 8) & 1) != 0; }

struct Key {
    std::uint32_t bits = 0;
    Text data{};

    // The same for keys of the same prefix.
    std::pair<std::uint32_t, std::vector<bool>> prefix() const {
        std::vector<bool> part(bits);
        for (std::uint32_t i = 0; i < bits; ++i) part[i] = bit_of(data, i);
        return {bits, part};
    }
    bool covers(const Key& other) const {
        if (bits > other.bits) return false;
        for (std::uint32_t i = 0; i < bits; ++i) {
            if (bit_of(data, i) != bit_of(other.data, i)) return false;
        }
        return true;
    }
    Text encoded() const { return text_of(bytes(bits), 4) + data; }
};

struct Trie {
    std::mt19937 rng{11};
    std::uint32_t data_bytes, capacity;
    MapRef map;
    std::map<std::pair<std::uint32_t, std::vector<bool>>, std::pair<Key, std::uint64_t>> model;

    Trie(std::uint32_t bytes, std::uint32_t entries)
        : data_bytes{bytes}, capacity{entries}, map{map_of(abi::MapType::lpm_trie, bytes + 4, 8, entries)} {}

    // Few different bytes, so that prefixes nest and part.
    Key random_key() {
        Key key{static_cast<std::uint32_t>(rng() % (8 * data_bytes + 1)), Text(data_bytes, '\0')};
        for (char& byte : key.data) byte = static_cast<char>(rng() % 4 == 0 ? rng() : rng() % 2 * 0xff);
        return key;
    }
    static const std::uint8_t* raw(const Text& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

    void step() {
        const Key key = random_key();
        const Text encoded = key.encoded();
        const bool exists = model.contains(key.prefix());
        if (rng() % 3 == 0) {
            CHECK(map->remove(raw(encoded)) == (exists ? 0 : -abi::enoent));
            model.erase(key.prefix());
            return;
        }
        const std::uint64_t value = rng(), flags = rng() % 3;
        const long expected = exists && flags == abi::update_noexist  ? -abi::eexist
                              : !exists && flags == abi::update_exist ? -abi::enoent
                              : !exists && model.size() == capacity   ? -abi::enospc
                                                                      : 0;
        CHECK(map->update(raw(encoded), bytes(value), flags) == expected);
        if (expected == 0) model[key.prefix()] = {key, value};
    }
    const std::uint64_t* longest(const Key& key) const {
        const std::uint64_t* best = nullptr;
        std::uint32_t bits = 0;
        for (const auto& [prefix, entry] : model) {
            if (entry.first.covers(key) && (best == nullptr || entry.first.bits >= bits)) best = &entry.second, bits = entry.first.bits;
        }
        return best;
    }
    void compare_lookup() {
        const Key key = random_key();
        const Text encoded = key.encoded();
        const std::uint8_t* found = map->lookup(raw(encoded));
        const std::uint64_t* expected = longest(key);
        REQUIRE((found != nullptr) == (expected != nullptr));
        if (found != nullptr) CHECK(std::memcmp(found, expected, 8) == 0);
    }
    std::map<Text, Text> model_contents() const {
        std::map<Text, Text> all;
        for (const auto& [prefix, entry] : model) all[entry.first.encoded()] = text_of(bytes(entry.second), 8);
        return all;
    }
};

}  // namespace

TEST_CASE("the longest prefix is found, for every size of key, under random work") {
    for (const std::uint32_t size : {1U, 2U, 3U, 4U, 8U, 9U, 16U, 40U}) {
        CAPTURE(size);
        Trie trie{size, 60};
        for (int i = 0; i < 6000; ++i) {
            trie.step();
            trie.compare_lookup();
        }
        CHECK(contents(*trie.map) == trie.model_contents());
        CHECK(trie.map->entries() == trie.model.size());
    }
}

TEST_CASE("a trie that was emptied and filled again has room for all its entries") {
    Trie trie{4, 200};
    for (int round = 0; round < 5; ++round) {
        for (std::uint32_t i = 0; i < 200; ++i) {
            const Key key{32, Text{static_cast<char>(i), static_cast<char>(i * 7), static_cast<char>(round), 1}};
            REQUIRE(trie.map->update(Trie::raw(key.encoded()), bytes(std::uint64_t{i}), 0) == 0);
        }
        for (const auto& [key, value] : contents(*trie.map)) REQUIRE(trie.map->remove(Trie::raw(key)) == 0);
        CHECK(trie.map->entries() == 0);
    }
}

TEST_CASE("a key of more bits than it has bytes for is refused") {
    MapRef map = map_of(abi::MapType::lpm_trie, 8, 8, 4);
    const Text key = Key{33, Text(4, '\0')}.encoded();
    const std::uint64_t value = 0;
    CHECK(map->update(Trie::raw(key), bytes(value), 0) == -abi::einval);
    CHECK(map->remove(Trie::raw(key)) == -abi::einval);
    CHECK(map->lookup(Trie::raw(key)) == nullptr);
    CHECK(map->update(Trie::raw(Key{8, Text(4, '\0')}.encoded()), bytes(value), 3) == -abi::einval);
}

TEST_CASE("the empty prefix is everybody's default") {
    MapRef map = map_of(abi::MapType::lpm_trie, 8, 8, 2);
    const std::uint64_t value = 9;
    REQUIRE(map->update(Trie::raw(Key{0, Text(4, '\x55')}.encoded()), bytes(value), 0) == 0);
    for (const std::uint32_t bits : {0U, 1U, 32U}) CHECK(map->lookup(Trie::raw(Key{bits, Text(4, '\x77')}.encoded())) != nullptr);
}
