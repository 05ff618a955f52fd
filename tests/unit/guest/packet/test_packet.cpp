#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "guest/packet/packet.hpp"

using unibpf::Batch;
using unibpf::Packet;
using unibpf::PacketPool;
using unibpf::PacketPtr;

namespace {

template <std::size_t Slots>
struct Region {
    alignas(4096) std::byte bytes[PacketPool::region_bytes(Slots)];
};

}  // namespace

TEST_CASE("no sequence of moves takes a frame out of its slot") {
    static Region<1> region;
    PacketPool pool{region.bytes};
    PacketPtr packet = pool.acquire();
    const auto* slot = reinterpret_cast<const std::uint8_t*>(region.bytes);
    std::mt19937 random{3};
    for (int i = 0; i < 20'000; ++i) {
        const auto n = static_cast<std::uint16_t>(random() % 5 == 0 ? random() : random() % 300);
        const auto head = packet->headroom(), tail = packet->tailroom(), length = packet->length();
        bool moved = false, expected = false;
        switch (random() % 4) {
            case 0:
                moved = packet->push(n);
                expected = n <= head;
                break;
            case 1:
                moved = packet->pull(n);
                expected = n <= length;
                break;
            case 2:
                moved = packet->put(n);
                expected = n <= tail;
                break;
            default:
                moved = packet->trim(n);
                expected = n <= length;
                break;
        }
        REQUIRE(moved == expected);
        if (!moved) REQUIRE(packet->length() == length);
        REQUIRE(packet->data() >= slot + Packet::least_start);
        REQUIRE(packet->end() <= slot + Packet::slot_bytes);
        REQUIRE(packet->headroom() + packet->length() + packet->tailroom() == Packet::slot_bytes - Packet::least_start);
    }
}

TEST_CASE("a frame is taken from a copy only if it lies in the slot") {
    static Region<1> region;
    PacketPool pool{region.bytes};
    PacketPtr packet = pool.acquire();
    packet->put(60);
    Packet copy = *packet;
    REQUIRE(copy.push(14));
    REQUIRE(copy.trim(4));
    REQUIRE(packet->take_frame(copy));
    CHECK(packet->length() == 70);
    CHECK(packet->data() == copy.data());
    // Whatever is written over the copy: the packet stays inside its slot.
    std::mt19937 random{5};
    const auto* slot = reinterpret_cast<const std::uint8_t*>(region.bytes);
    unsigned refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        Packet wild = *packet;
        auto* bytes = reinterpret_cast<std::uint8_t*>(&wild);
        bytes[random() % sizeof wild] = static_cast<std::uint8_t>(random());
        bytes[random() % sizeof wild] = static_cast<std::uint8_t>(random());
        refused += packet->take_frame(wild) ? 0 : 1;
        REQUIRE(packet->data() - packet->metadata() >= slot + Packet::least_start);
        REQUIRE(packet->end() <= slot + Packet::slot_bytes);
        REQUIRE(packet->data() <= packet->end());
    }
    CHECK(refused > 100);
}

TEST_CASE("a fresh packet has the headroom of XDP and no annotation of its slot's last user") {
    static Region<1> region;
    PacketPool pool{region.bytes};
    {
        PacketPtr used = pool.acquire();
        used->paint = 7;
        used->put(100);
        used->set_network(14);
    }
    PacketPtr packet = pool.acquire();
    CHECK(packet->headroom() == 256);
    CHECK(packet->length() == 0);
    CHECK(packet->paint == 0);
    CHECK(packet->network().empty());
}

TEST_CASE("the network header follows the head and vanishes when the head passes it") {
    static Region<1> region;
    PacketPool pool{region.bytes};
    PacketPtr packet = pool.acquire();
    packet->put(60);
    packet->set_network(14);
    packet->push(8);
    CHECK(packet->network().data() == packet->data() + 22);
    CHECK(packet->network().size() == 46);
    packet->pull(23);
    CHECK(packet->network().empty());
}

TEST_CASE("a pool hands every slot out once and gets each one back") {
    static Region<8> region;
    PacketPool pool{region.bytes};
    std::vector<PacketPtr> packets;
    while (PacketPtr packet = pool.acquire()) packets.push_back(std::move(packet));
    CHECK(packets.size() == 8);
    CHECK(pool.available() == 0);
    CHECK(pool.exhausted() == 1);
    for (std::size_t i = 1; i < packets.size(); ++i) CHECK(packets[i].get() != packets[i - 1].get());
    packets.clear();
    CHECK(pool.available() == 8);
}

TEST_CASE("a batch keeps order and gives what it cannot take to nobody") {
    static Region<40> region;
    PacketPool pool{region.bytes};
    Batch batch;
    for (std::uint8_t i = 0; i < Batch::most_packets; ++i) {
        PacketPtr packet = pool.acquire();
        packet->paint = i;
        CHECK(batch.push_back(std::move(packet)));
    }
    PacketPtr extra = pool.acquire();
    CHECK_FALSE(batch.push_back(std::move(extra)));
    CHECK(extra);
    for (std::uint8_t i = 0; i < 10; ++i) CHECK(batch.pop_front()->paint == i);
    Batch other;
    PacketPtr last = pool.acquire();
    last->paint = 99;
    other.push_back(std::move(last));
    CHECK(other.append(batch) == 22);
    CHECK(batch.empty());
    CHECK(other[0].paint == 99);
    CHECK(other[22].paint == 31);
}

TEST_CASE("a batch that dies or is overwritten gives its packets back") {
    static Region<8> region;
    PacketPool pool{region.bytes};
    {
        Batch first, second;
        for (int i = 0; i < 3; ++i) first.push_back(pool.acquire());
        for (int i = 0; i < 4; ++i) second.push_back(pool.acquire());
        first = std::move(second);
        CHECK(first.size() == 4);
        CHECK(pool.available() == 4);
    }
    CHECK(pool.available() == 8);
}
