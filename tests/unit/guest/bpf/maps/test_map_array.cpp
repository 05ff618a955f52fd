// What arrays may hold besides values, and hashes of the same: devices, maps and programs.
#include <array>

#include "guest/bpf/maps/map_array.hpp"
#include "tests/unit/guest/bpf/maps/map_support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

struct Device {
    std::uint32_t port, program;
};

MapRef map_of_maps(abi::MapType type, std::uint32_t key_size, std::span<const MapRef> maps) {
    BundleMap spec = spec_of(type, key_size, 4, 4);
    spec.has_inner = true;
    spec.inner = {.type = 2, .key_size = 4, .value_size = 8, .max_entries = 2, .flags = 0};
    MapRef map = Map::create(spec).value();
    map->refer_to(maps);
    return map;
}

}  // namespace

TEST_CASE("devices of an array: missing until set, gone when their port is zero") {
    MapRef map = map_of(abi::MapType::devmap, 4, 4, 3);
    const std::uint32_t index = 1, past = 3, port = 7, none = 0;
    CHECK(map->lookup(bytes(index)) == nullptr);
    CHECK(map->entries() == 0);
    CHECK(map->update(bytes(index), bytes(port), abi::update_noexist) == -abi::eexist);
    CHECK(map->update(bytes(past), bytes(port), 0) == -abi::e2big);
    REQUIRE(map->update(bytes(index), bytes(port), abi::update_exist) == 0);
    CHECK(*map->lookup(bytes(index)) == 7);
    CHECK(map->entries() == 1);
    CHECK(contents(*map) == std::map<Text, Text>{{text_of(bytes(index), 4), text_of(bytes(port), 4)}});
    REQUIRE(map->update(bytes(index), bytes(none), 0) == 0);
    CHECK(map->lookup(bytes(index)) == nullptr);
    CHECK(map->entries() == 0);
    REQUIRE(map->update(bytes(index), bytes(port), 0) == 0);
    CHECK(map->remove(bytes(index)) == 0);
    CHECK(map->remove(bytes(index)) == 0);
    CHECK(map->remove(bytes(past)) == -abi::einval);
    CHECK(map->entries() == 0);
}

TEST_CASE("devices of a hash: any number is a key, port zero is none") {
    MapRef map = map_of(abi::MapType::devmap_hash, 4, 8, 2);
    const std::uint32_t key = 0xdead'beef, other = 1, third = 2;
    const Device device{.port = 3, .program = 0}, nowhere{.port = 0, .program = 0}, with_program{.port = 3, .program = 5};
    CHECK(map->update(bytes(key), bytes(nowhere), 0) == -abi::einval);
    CHECK(map->update(bytes(key), bytes(with_program), 0) == -abi::einval);
    REQUIRE(map->update(bytes(key), bytes(device), 0) == 0);
    CHECK(map->update(bytes(key), bytes(device), abi::update_noexist) == -abi::eexist);
    REQUIRE(map->update(bytes(other), bytes(device), 0) == 0);
    CHECK(map->update(bytes(third), bytes(device), 0) == -abi::e2big);
    CHECK(*map->lookup(bytes(key)) == 3);
    CHECK(map->remove(bytes(key)) == 0);
    CHECK(map->remove(bytes(key)) == -abi::enoent);
    CHECK_FALSE(map->written_by_programs());
}

TEST_CASE("a look-up in a map of maps gives a map; only maps of its kind go in") {
    const std::array<MapRef, 3> maps = {map_of(abi::MapType::array, 4, 8, 2), map_of(abi::MapType::array, 4, 8, 3), map_of(abi::MapType::hash, 4, 8, 2)};
    for (const auto type : {abi::MapType::array_of_maps, abi::MapType::hash_of_maps}) {
        MapRef outer = map_of_maps(type, 4, maps);
        const std::uint32_t key = 2, good = 0, longer = 1, other_type = 2, missing = 3;
        CHECK(outer->lookup(bytes(key)) == nullptr);
        CHECK(outer->update(bytes(key), bytes(longer), 0) == -abi::einval);
        CHECK(outer->update(bytes(key), bytes(other_type), 0) == -abi::einval);
        CHECK(outer->update(bytes(key), bytes(missing), 0) == -abi::einval);
        REQUIRE(outer->update(bytes(key), bytes(good), 0) == 0);
        CHECK(reinterpret_cast<Map*>(outer->lookup(bytes(key))) == maps[0].get());
        std::uint32_t number = 99;
        CHECK(outer->read(bytes(key), reinterpret_cast<std::uint8_t*>(&number)));
        CHECK(number == 0);
        CHECK(contents(*outer) == std::map<Text, Text>{{text_of(bytes(key), 4), text_of(bytes(good), 4)}});
        CHECK(outer->remove(bytes(key)) == 0);
        CHECK(outer->remove(bytes(key)) == -abi::enoent);
        CHECK(outer->lookup(bytes(key)) == nullptr);
    }
}

TEST_CASE("hashes of maps take keys of any size") {
    const std::array<MapRef, 1> maps = {map_of(abi::MapType::array, 4, 8, 2)};
    MapRef outer = map_of_maps(abi::MapType::hash_of_maps, 6, maps);
    const Text key = "abcdef";
    const auto* raw = reinterpret_cast<const std::uint8_t*>(key.data());
    const std::uint32_t number = 0;
    REQUIRE(outer->update(raw, bytes(number), 0) == 0);
    CHECK(reinterpret_cast<Map*>(outer->lookup(raw)) == maps[0].get());
}

TEST_CASE("a program array is the loader's to fill and nobody's to change") {
    MapRef map = map_of(abi::MapType::prog_array, 4, 4, 4);
    auto& programs = static_cast<ArrayMap&>(*map);
    const std::uint32_t index = 2, instruction = 40;
    CHECK(programs.program(index) == UINT32_MAX);
    programs.set_program(index, instruction);
    CHECK(programs.program(index) == 40);
    CHECK(programs.program(4) == UINT32_MAX);
    CHECK(map->entries() == 1);
    CHECK(map->update(bytes(index), bytes(instruction), 0) == -abi::einval);
    CHECK(map->remove(bytes(index)) == -abi::einval);
    CHECK(map->lookup(bytes(index)) == nullptr);
    CHECK(contents(*map) == std::map<Text, Text>{{text_of(bytes(index), 4), text_of(bytes(instruction), 4)}});
}

TEST_CASE("a lock is a place in a value, the same in each") {
    BundleMap spec = spec_of(abi::MapType::array, 4, 16, 2);
    spec.has_lock = true;
    spec.lock = 8;
    MapRef map = Map::create(spec).value();
    const std::uint32_t second = 1;
    const auto value = reinterpret_cast<std::uintptr_t>(map->lookup(bytes(second)));
    CHECK(map->contains_lock(value + 8));
    CHECK_FALSE(map->contains_lock(value));
    CHECK_FALSE(map->contains_lock(value + 16));
}
