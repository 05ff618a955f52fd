#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "guest/core/heap.hpp"

using unibpf::Heap;

namespace {

struct Region {
    alignas(4096) std::byte bytes[64 * 1024];
};

}  // namespace

TEST_CASE("a heap gives memory back whole after any order of releases") {
    static Region region;
    Heap heap{region.bytes};
    std::mt19937 random{7};
    std::vector<void*> live;
    for (int round = 0; round < 3000; ++round) {
        if (live.empty() || random() % 3 != 0) {
            if (void* block = heap.allocate(random() % 2000, 16u << random() % 4)) live.push_back(block);
        } else {
            const std::size_t victim = random() % live.size();
            heap.release(live[victim]);
            live.erase(live.begin() + static_cast<long>(victim));
        }
    }
    for (void* block : live) heap.release(block);
    CHECK(heap.used() == 0);
    CHECK(heap.allocate(heap.total() - 16) != nullptr);  // one block again: nothing stayed split
}

TEST_CASE("blocks never overlap and are aligned as asked") {
    static Region region;
    Heap heap{region.bytes};
    std::mt19937 random{11};
    struct Block {
        std::uint8_t* bytes;
        std::size_t size;
        std::uint8_t mark;
    };
    std::vector<Block> blocks;
    for (int i = 0; i < 200; ++i) {
        const std::size_t size = random() % 900 + 1;
        const std::size_t align = 16u << random() % 6;
        auto* bytes = static_cast<std::uint8_t*>(heap.allocate(size, align));
        if (bytes == nullptr) break;
        CHECK(reinterpret_cast<std::uintptr_t>(bytes) % align == 0);
        std::memset(bytes, i & 0xff, size);
        blocks.push_back({bytes, size, static_cast<std::uint8_t>(i)});
    }
    CHECK(blocks.size() > 50);
    for (const Block& block : blocks)
        for (std::size_t i = 0; i < block.size; ++i) REQUIRE(block.bytes[i] == block.mark);
}

TEST_CASE("a heap that has too little says so with nullptr and keeps what it has") {
    static Region region;
    Heap heap{region.bytes};
    CHECK(heap.allocate(sizeof region) == nullptr);
    CHECK(heap.allocate(SIZE_MAX) == nullptr);
    CHECK(heap.allocate(16, SIZE_MAX / 2 + 1) == nullptr);
    CHECK(heap.used() == 0);
    CHECK(heap.allocate(0) != nullptr);
}

TEST_CASE("peak remembers the most that was ever used") {
    static Region region;
    Heap heap{region.bytes};
    void* block = heap.allocate(10'000);
    heap.release(block);
    heap.allocate(100);
    CHECK(heap.peak() >= 10'000);
    CHECK(heap.used() < 200);
}

TEST_CASE("an owner destroys what it owns exactly once, also through its base") {
    static int alive = 0;
    struct Base {
        virtual ~Base() = default;
    };
    struct Derived : Base {
        Derived() { ++alive; }
        ~Derived() override { --alive; }
    };
    const std::size_t before = Heap::system().used();
    {
        unibpf::Owned<Base> owner = unibpf::make<Derived>();
        unibpf::Owned<Base> other = std::move(owner);
        CHECK(alive == 1);
        CHECK_FALSE(owner);
    }
    CHECK(alive == 0);
    CHECK(Heap::system().used() == before);
}
