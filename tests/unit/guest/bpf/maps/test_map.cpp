// Maps against a plain model, their errors, dumps in bounded steps, and what happens at the end of memory.
#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "guest/bpf/maps/map.hpp"
#include "tests/unit/guest/bpf/maps/map_support.hpp"

using namespace unibpf;
using test::bytes;
using test::map_of;
using test::spec_of;

namespace {

using Entries = std::map<std::uint32_t, std::uint64_t>;

Entries dump(const Map& map, std::size_t* steps = nullptr) {
    Entries entries;
    std::uint32_t cursor = 0;
    do {
        std::uint32_t key = 0;
        std::uint64_t value = 0;
        const ScanStep step = map.scan(cursor, reinterpret_cast<std::uint8_t*>(&key), reinterpret_cast<std::uint8_t*>(&value));
        if (step.found) entries[key] = value;
        if (steps != nullptr) ++*steps;
        cursor = step.next;
    } while (cursor != 0);
    return entries;
}

}  // namespace

TEST_CASE("a hash behaves as a bounded dictionary under random work") {
    MapRef map = map_of(abi::MapType::hash, 4, 8, 100);
    Entries model;
    std::mt19937 rng{1};
    for (int i = 0; i < 50'000; ++i) {
        const std::uint32_t key = rng() % 150;
        const std::uint64_t value = rng();
        const std::uint64_t flags = rng() % 3;
        if (rng() % 3 == 0) {
            CHECK(map->remove(bytes(key)) == (model.erase(key) != 0 ? 0 : -abi::enoent));
            continue;
        }
        const bool exists = model.contains(key);
        const long expected = exists && flags == abi::update_noexist  ? -abi::eexist
                              : !exists && flags == abi::update_exist ? -abi::enoent
                              : !exists && model.size() == 100        ? -abi::e2big
                                                                      : 0;
        CHECK(map->update(bytes(key), bytes(value), flags) == expected);
        if (expected == 0) model[key] = value;
    }
    CHECK(dump(*map) == model);
    CHECK(map->entries() == model.size());
    for (const auto& [key, value] : model) CHECK(std::memcmp(map->lookup(bytes(key)), &value, 8) == 0);
}

// bpf(2): NOEXIST is about the entry, LOCK about the value, and an update may ask for both. The lock's own bytes stay.
TEST_CASE("BPF_F_LOCK goes with every other flag where values have locks, and with none where they have none") {
    for (const auto type : {abi::MapType::array, abi::MapType::hash}) {
        BundleMap spec = spec_of(type, 4, 16, 4);
        spec.has_lock = true;
        spec.lock = 8;
        const bool is_hash = type == abi::MapType::hash;
        const std::uint32_t key = 1;
        const std::array<std::uint32_t, 4> value = {1, 2, 0xffff'ffff, 4};
        MapRef map = Map::create(spec).value();
        CHECK(map->update(bytes(key), bytes(value), abi::update_exist | abi::update_lock) == (is_hash ? -abi::enoent : 0));
        CHECK(map->update(bytes(key), bytes(value), abi::update_noexist | abi::update_lock) == (is_hash ? 0 : -abi::eexist));
        CHECK(map->update(bytes(key), bytes(value), abi::update_noexist | abi::update_lock) == -abi::eexist);
        CHECK(map->update(bytes(key), bytes(value), abi::update_exist | abi::update_lock) == 0);
        CHECK(map->update(bytes(key), bytes(value), abi::update_noexist | abi::update_exist | abi::update_lock) == -abi::einval);
        const std::array<std::uint32_t, 4> stored = {1, 2, 0, 4};
        CHECK(std::memcmp(map->lookup(bytes(key)), stored.data(), sizeof stored) == 0);

        MapRef bare = map_of(type, 4, 16, 4);
        REQUIRE(bare->update(bytes(key), bytes(value), 0) == 0);
        CHECK(bare->update(bytes(key), bytes(value), abi::update_lock) == -abi::einval);
        CHECK(bare->update(bytes(key), bytes(value), abi::update_exist | abi::update_lock) == -abi::einval);
    }
}

TEST_CASE("a value pointer stays valid while other entries come and go") {
    MapRef map = map_of(abi::MapType::hash, 4, 8, 64);
    const std::uint32_t first = 7;
    std::uint64_t value = 1;
    REQUIRE(map->update(bytes(first), bytes(value), 0) == 0);
    std::uint8_t* pointer = map->lookup(bytes(first));
    for (std::uint32_t key = 100; key < 163; ++key) REQUIRE(map->update(bytes(key), bytes(value), 0) == 0);
    for (std::uint32_t key = 100; key < 163; ++key) REQUIRE(map->remove(bytes(key)) == 0);
    CHECK(map->lookup(bytes(first)) == pointer);
    value = 2;
    REQUIRE(map->update(bytes(first), bytes(value), abi::update_exist) == 0);
    CHECK(map->lookup(bytes(first)) == pointer);
}

TEST_CASE("keys of odd sizes are told apart by every byte") {
    MapRef map = map_of(abi::MapType::hash, 13, 3, 64);
    std::array<std::uint8_t, 13> key{};
    const std::array<std::uint8_t, 3> value = {1, 2, 3};
    REQUIRE(map->update(key.data(), value.data(), 0) == 0);
    for (auto& byte : key) {
        byte = 1;
        CHECK(map->lookup(key.data()) == nullptr);
        byte = 0;
    }
    CHECK(map->lookup(key.data()) != nullptr);
}

TEST_CASE("a dump looks at a bounded number of places a step and shows everything") {
    MapRef map = map_of(abi::MapType::hash, 4, 8, 1000);
    const std::uint32_t key = 999;
    const std::uint64_t value = 5;
    for (std::uint32_t i = 0; i < 1000; ++i) REQUIRE(map->update(bytes(i), bytes(value), 0) == 0);
    for (std::uint32_t i = 0; i < 999; ++i) REQUIRE(map->remove(bytes(i)) == 0);
    std::size_t steps = 0;
    CHECK(dump(*map, &steps) == Entries{{key, value}});
    CHECK(steps >= 1000 / 64);
    std::array<std::uint8_t, 8> out{};
    CHECK_FALSE(map->scan(5000, out.data(), out.data()).found);
}

TEST_CASE("an array has all its entries from the start, zeroed") {
    MapRef map = map_of(abi::MapType::array, 4, 8, 3);
    CHECK(dump(*map) == Entries{{0, 0}, {1, 0}, {2, 0}});
    CHECK(map->entries() == 3);
    const std::uint32_t past = 3;
    CHECK(map->lookup(bytes(past)) == nullptr);
}

TEST_CASE("a full LRU hash keeps what is used") {
    MapRef map = map_of(abi::MapType::lru_hash, 4, 8, 32);
    const std::uint32_t hot = 1;
    const std::uint64_t value = 42;
    REQUIRE(map->update(bytes(hot), bytes(value), 0) == 0);
    for (std::uint32_t key = 100; key < 1100; ++key) {
        REQUIRE(map->lookup(bytes(hot)) != nullptr);
        REQUIRE(map->update(bytes(key), bytes(value), 0) == 0);
    }
    CHECK(map->entries() == 32);
    CHECK(dump(*map).contains(hot));
}

TEST_CASE("only single values count as inside a map") {
    MapRef map = map_of(abi::MapType::array, 4, 12, 2);
    const auto base = reinterpret_cast<std::uintptr_t>(map->global_data());
    CHECK(map->contains(base, 12));
    CHECK_FALSE(map->contains(base, 13));
    CHECK_FALSE(map->contains(base + 12, 1));  // padding between values
    CHECK(map->contains(base + 16, 12));
    CHECK_FALSE(map->contains(base + 32, 1));
    CHECK_FALSE(map->contains(base - 1, 1));
}

TEST_CASE("the layout is the same only if every part of it is") {
    BundleMap spec = spec_of(abi::MapType::hash, 4, 8, 16);
    spec.has_layout = true;
    spec.layout = "u64";
    const MapRef map = Map::create(spec).value();
    CHECK(map->same_layout(spec));
    for (auto change : {+[](BundleMap& s) { s.type = 2; }, +[](BundleMap& s) { s.key_size = 8; }, +[](BundleMap& s) { s.value_size = 16; },
                        +[](BundleMap& s) { s.max_entries = 17; }, +[](BundleMap& s) { s.flags = 1; }, +[](BundleMap& s) { s.layout = "s64"; },
                        +[](BundleMap& s) { s.has_layout = false; }, +[](BundleMap& s) { s.has_lock = true; },
                        +[](BundleMap& s) { s.inner.value_size = 4; }}) {
        BundleMap other = spec;
        change(other);
        CHECK_FALSE(map->same_layout(other));
    }
}

TEST_CASE("a map that does not fit is refused and leaves the heap as it was") {
    const std::size_t used = Heap::system().used();
    const auto result = Map::create(spec_of(abi::MapType::hash, 4, 1024, 60'000));
    REQUIRE_FALSE(result.ok());
    CHECK(std::string_view{result.error().rule} == "memory");
    CHECK(Heap::system().used() == used);
}

TEST_CASE("the last reference gives the memory back") {
    const std::size_t used = Heap::system().used();
    {
        MapRef one = map_of(abi::MapType::hash, 4, 8, 16);
        MapRef two = one;
        one = MapRef{};
        CHECK(two->max_entries() == 16);
        CHECK(Heap::system().used() > used);
    }
    CHECK(Heap::system().used() == used);
}
