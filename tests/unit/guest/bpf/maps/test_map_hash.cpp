// Hash maps of every size of key against a model, their hash, and what a lookup through the chosen function does.
#include <random>

#include "guest/bpf/maps/random.hpp"
#include "tests/unit/guest/bpf/maps/map_support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

// Keys that differ in one byte only, wherever it is.
Text key_number(std::uint32_t number, std::uint32_t size) {
    Text key(size, '\0');
    key[number % size] = static_cast<char>(number / size + 1);
    return key;
}
const std::uint8_t* bytes_of(const Text& text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

struct Work {
    std::mt19937 rng{5};
    MapRef map;
    std::map<Text, Text> model;
    std::uint32_t key, value, capacity;

    Work(std::uint32_t key_size, std::uint32_t value_size, std::uint32_t entries)
        : map{map_of(abi::MapType::hash, key_size, value_size, entries)}, key{key_size}, value{value_size}, capacity{entries} {}

    long expected(const Text& name, std::uint64_t flags) const {
        const bool exists = model.contains(name);
        if (exists) return flags == abi::update_noexist ? -abi::eexist : 0;
        if (flags == abi::update_exist) return -abi::enoent;
        return model.size() == capacity ? -abi::e2big : 0;
    }
    void step() {
        const Text name = key_number(rng() % (2 * capacity), key);
        if (rng() % 3 == 0) {
            const long removed = model.erase(name) != 0 ? 0 : -abi::enoent;
            CHECK(map->remove(bytes_of(name)) == removed);
            return;
        }
        Text data(value, '\0');
        for (char& byte : data) byte = static_cast<char>(rng());
        const std::uint64_t flags = rng() % 3;
        const long result = expected(name, flags);
        CHECK(map->update(bytes_of(name), bytes_of(data), flags) == result);
        if (result == 0) model[name] = data;
    }
    void compare() {
        CHECK(contents(*map) == model);
        for (const auto& [name, data] : model) {
            const std::uint8_t* found = map->lookup(bytes_of(name));
            REQUIRE(found != nullptr);
            CHECK(text_of(found, value) == data);
            CHECK(map->contains(reinterpret_cast<std::uintptr_t>(found), value));
            CHECK_FALSE(map->contains(reinterpret_cast<std::uintptr_t>(found), value + 1));
        }
    }
};

}  // namespace

TEST_CASE("a hash of any key size behaves as a bounded dictionary under random work") {
    for (const std::uint32_t key : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 9U, 12U, 13U, 16U, 17U, 37U, 64U, 512U}) {
        for (const std::uint32_t value : {1U, 3U, 8U, 20U}) {
            Work work{key, value, 50};
            for (int i = 0; i < 3000; ++i) work.step();
            CAPTURE(key);
            work.compare();
        }
    }
}

TEST_CASE("the function that native code calls finds what the map finds") {
    MapRef map = map_of(abi::MapType::hash, 16, 8, 8);
    const Text key = key_number(3, 16);
    const std::uint64_t value = 7;
    REQUIRE(map->update_function()(*map, bytes_of(key), bytes(value), 0) == 0);
    CHECK(map->lookup_function()(*map, bytes_of(key)) == map->lookup(bytes_of(key)));
    CHECK(map->remove_function()(*map, bytes_of(key)) == 0);
    CHECK(map->lookup_function()(*map, bytes_of(key)) == nullptr);
}

TEST_CASE("regular keys spread over the buckets as random ones would") {
    random::prepare();
    constexpr std::uint32_t count = 1 << 12;
    for (const std::uint64_t stride : {1ULL, 256ULL, 1ULL << 32, 0x0100'0000'0000'0001ULL}) {
        std::vector<std::uint32_t> buckets(count);
        for (std::uint64_t i = 0; i < count; ++i) ++buckets[random::hash(i * stride) >> (64 - 12)];
        std::uint64_t pairs = 0;
        for (const std::uint64_t n : buckets) pairs += n * (n - 1) / 2;
        CHECK(pairs < 20 * count / 2);  // expected: count / 2; by Markov's inequality rarely 20 times that, for a random secret
    }
}

TEST_CASE("an entry's key may be read by a callback, and nothing around it") {
    MapRef map = map_of(abi::MapType::hash, 5, 8, 4);
    const Text key = key_number(1, 5);
    const std::uint64_t value = 1;
    REQUIRE(map->update(bytes_of(key), bytes(value), 0) == 0);
    const std::uint8_t* seen = nullptr;
    const auto visit = [](void* out, const std::uint8_t* name, std::uint8_t*) {
        *static_cast<const std::uint8_t**>(out) = name;
        return true;
    };
    CHECK(map->visit(visit, &seen) == 1);
    const auto address = reinterpret_cast<std::uintptr_t>(seen);
    CHECK(map->contains_key(address, 5));
    CHECK_FALSE(map->contains_key(address, 6));
    CHECK_FALSE(map->contains_key(address - 1, 1));
}

TEST_CASE("a visit sees each entry once and ends when it is told to") {
    MapRef map = map_of(abi::MapType::hash, 4, 8, 100);
    const std::uint64_t value = 1;
    for (std::uint32_t i = 0; i < 60; ++i) REQUIRE(map->update(bytes(i), bytes(value), 0) == 0);
    std::map<Text, int> seen;
    const auto all = [](void* out, const std::uint8_t* name, std::uint8_t*) {
        ++(*static_cast<std::map<Text, int>*>(out))[text_of(name, 4)];
        return true;
    };
    CHECK(map->visit(all, &seen) == 60);
    CHECK(seen.size() == 60);
    int left = 10;
    const auto some = [](void* out, const std::uint8_t*, std::uint8_t*) { return --*static_cast<int*>(out) != 0; };
    CHECK(map->visit(some, &left) == 10);
}

TEST_CASE("a visit survives the deletion of what it sees") {
    MapRef map = map_of(abi::MapType::hash, 4, 8, 32);
    const std::uint64_t value = 1;
    for (std::uint32_t i = 0; i < 32; ++i) REQUIRE(map->update(bytes(i), bytes(value), 0) == 0);
    const auto visit = [](void* out, const std::uint8_t* name, std::uint8_t*) { return static_cast<Map*>(out)->remove(name) == 0; };
    CHECK(map->visit(visit, map.get()) == 32);
    CHECK(map->entries() == 0);
}
