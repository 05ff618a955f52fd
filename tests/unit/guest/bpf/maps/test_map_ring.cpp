// Rings: records in one piece however they wrap, room as Linux counts it, and draining without losing what was not acknowledged.
#include <deque>
#include <random>

#include "guest/bpf/maps/map_ring.hpp"
#include "tests/unit/guest/bpf/maps/map_support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

constexpr std::uint32_t page = abi::ring_page_bytes;

struct Ring {
    MapRef map = map_of(abi::MapType::ringbuf, 0, 0, page);
    RingMap& operator*() const { return static_cast<RingMap&>(*map); }
    RingMap* operator->() const { return static_cast<RingMap*>(map.get()); }
};

long put(RingMap& ring, const Text& text) { return ring.output({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, {}); }

struct Drained {
    std::vector<Text> records;
    std::uint64_t next;
};

Drained drain(const RingMap& ring, std::uint64_t position) {
    Drained drained{{}, position};
    while (drained.next < ring.produced()) {
        const RingMap::Step step = ring.read(drained.next);
        if (step.found) drained.records.push_back(text_of(step.record.data(), step.record.size()));
        drained.next = step.next;
    }
    return drained;
}

void consume(RingMap& ring, std::uint64_t position) {
    while (ring.consume(position)) {}
}

}  // namespace

TEST_CASE("records come out as they went in, over many turns of the ring") {
    Ring ring;
    std::mt19937 rng{3};
    std::deque<Text> waiting;
    std::uint64_t lost = 0;
    for (int i = 0; i < 20'000; ++i) {
        const Text record(rng() % (rng() % 16 == 0 ? page : 200), static_cast<char>(i));
        const std::uint64_t used = ring->produced() - ring->consumed();
        const bool fits = used + (record.size() + 8 + 7) / 8 * 8 <= page - 1;
        CHECK(put(*ring, record) == (fits ? 0 : -abi::eagain));
        if (fits) waiting.push_back(record);
        else ++lost;
        if (rng() % 8 != 0) continue;
        const Drained drained = drain(*ring, ring->consumed());
        REQUIRE(std::vector<Text>{waiting.begin(), waiting.end()} == drained.records);
        consume(*ring, drained.next);
        waiting.clear();
        CHECK(ring.map->entries() == 0);
    }
    CHECK(ring->lost() == lost);
    CHECK(lost > 0);
}

TEST_CASE("what is read but not consumed is read again") {
    Ring ring;
    for (const char* record : {"one", "two", "three"}) REQUIRE(put(*ring, record) == 0);
    const Drained first = drain(*ring, 0);
    CHECK(first.records == std::vector<Text>{"one", "two", "three"});
    CHECK(drain(*ring, 0).records == first.records);
    consume(*ring, 16);  // "one" lies in [0, 16)
    CHECK(ring->consumed() == 16);
    CHECK(drain(*ring, ring->consumed()).records == std::vector<Text>{"two", "three"});
    consume(*ring, 20);  // in the midst of "two": not acknowledged
    CHECK(ring->consumed() == 16);
    consume(*ring, UINT64_MAX);
    CHECK(ring->consumed() == ring->produced());
}

TEST_CASE("discarded records are skipped, and so is what a stopped run left busy") {
    Ring ring;
    std::uint8_t* abandoned = ring->reserve(8);
    std::uint8_t* discarded = ring->reserve(16);
    std::uint8_t* kept = ring->reserve(4);
    REQUIRE(kept != nullptr);
    std::memcpy(kept, "kept", 4);
    RingMap::submit(discarded, true);
    RingMap::submit(kept, false);
    CHECK(drain(*ring, 0).records == std::vector<Text>{"kept"});
    CHECK(ring->is_reserved(reinterpret_cast<std::uintptr_t>(abandoned)));
    consume(*ring, ring->produced());
    CHECK(ring->consumed() == ring->produced());
}

TEST_CASE("only the bytes of a reserved record may be touched") {
    Ring ring;
    std::uint8_t* record = ring->reserve(12);
    const auto address = reinterpret_cast<std::uintptr_t>(record);
    CHECK(ring->contains(address, 12));
    CHECK_FALSE(ring->contains(address, 13));
    CHECK_FALSE(ring->contains(address - 1, 1));
    CHECK_FALSE(ring->is_reserved(address + 4));
    RingMap::submit(record, false);
    CHECK_FALSE(ring->contains(address, 1));
    CHECK_FALSE(ring->is_reserved(address));
}

TEST_CASE("a record larger than the ring, or than an answer of control, is refused") {
    Ring ring;
    CHECK(ring->reserve(page - 8) == nullptr);
    CHECK(ring->reserve(page - 16) != nullptr);
    CHECK(ring->reserve(UINT64_MAX) == nullptr);
    CHECK(ring->lost() == 2);
    MapRef large = map_of(abi::MapType::ringbuf, 0, 0, 1 << 20);
    CHECK(static_cast<RingMap&>(*large).reserve(abi::max_record_bytes + 1) == nullptr);
    CHECK(static_cast<RingMap&>(*large).reserve(abi::max_record_bytes) != nullptr);
}

TEST_CASE("a step looks at a bounded number of records") {
    Ring ring;
    for (int i = 0; i < 200; ++i) RingMap::submit(ring->reserve(8), true);
    const RingMap::Step step = ring->read(0);
    CHECK_FALSE(step.found);
    CHECK(step.next < ring->produced());
    CHECK(ring->consume(ring->produced()));  // there is more to give back
}
