#include <doctest/doctest.h>

#include <cstring>
#include <memory>

#include "guest/drivers/virtio_net.hpp"
#include "tests/unit/guest/drivers/other_side.hpp"

using other_side::Device;
using unibpf::Batch;
using unibpf::Packet;
using unibpf::PacketPool;
using unibpf::PacketPtr;
using unibpf::VirtioNet;

namespace {

struct Memory {
    alignas(4096) std::byte rings[VirtioNet::ring_memory()];
    alignas(4096) std::byte slots[PacketPool::region_bytes(200)];
};

struct Fixture {
    std::unique_ptr<Memory> memory = std::make_unique<Memory>();
    PacketPool pool{memory->slots};
    Device device;
    VirtioNet nic{device, pool};

    void start() { REQUIRE(nic.start(memory->rings)); }
    // The device delivers one frame of `length` bytes after a header of `header` bytes.
    void deliver(std::uint32_t header, std::uint32_t length, std::uint8_t fill) {
        const auto buffer = device.queues[0].next();
        REQUIRE(buffer);
        REQUIRE(buffer->writable);
        if (header + length <= buffer->bytes.size()) std::memset(buffer->bytes.data() + header, fill, length);
        device.queues[0].complete(buffer->id, header + length);
    }
    // One frame over so many buffers (virtio 1.2, 5.1.6.4), its first saying `said` of them (0: so many): all full but the last.
    void deliver_parts(std::uint16_t parts, std::uint16_t said = 0) {
        for (std::uint16_t part = 0; part < parts; ++part) {
            const auto buffer = device.queues[0].next();
            REQUIRE(buffer);
            const std::uint16_t buffers = said != 0 ? said : parts;
            std::memset(buffer->bytes.data(), 0x55, buffer->bytes.size());
            if (part == 0) std::memcpy(buffer->bytes.data() + 10, &buffers, sizeof buffers);
            const bool last = part + 1 == parts;
            device.queues[0].complete(buffer->id, last ? 72 : static_cast<std::uint32_t>(buffer->bytes.size()));
        }
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a device is started in the order of virtio 1.2, 3.1.1 and its ring filled") {
    start();
    CHECK(device.status_bits == (1 | 2 | 4 | 8));
    CHECK(device.accepted == (1ull << 32 | 1 << 5));
    CHECK(nic.mac() == unibpf::Mac{0x50, 0x51, 0x52, 0x53, 0x54, 0x55});
    CHECK(pool.capacity() - pool.available() == 64);
    CHECK(device.kicks[0] == 1);
}

TEST_CASE_FIXTURE(Fixture, "a device without version 1, or that takes the features back, is refused") {
    SUBCASE("no version 1") { device.offered = 1 << 5; }
    SUBCASE("no MAC") { device.offered = 1ull << 32; }
    SUBCASE("features refused") { device.refuse_status = 8; }
    SUBCASE("no queue") { device.limit = 0; }
    CHECK_FALSE(nic.start(memory->rings));
    CHECK((device.status_bits & 4) == 0);
}

TEST_CASE_FIXTURE(Fixture, "frames are received in place, after a header of the device's version") {
    std::uint32_t header = 12;
    SUBCASE("modern") {}
    SUBCASE("legacy") {
        device.is_legacy = true;
        header = 10;
    }
    start();
    deliver(header, 60, 0xaa);
    deliver(header, 1500, 0xbb);
    Batch batch;
    CHECK(nic.receive(batch) == 2);
    CHECK(batch[0].length() == 60);
    CHECK(batch[1].length() == 1500);
    CHECK(batch[1].data()[1499] == 0xbb);
    CHECK(batch[0].headroom() == Packet::fresh_headroom);
    CHECK(nic.counters().rx_packets == 2);
    CHECK(nic.counters().rx_bytes == 1560);
}

TEST_CASE_FIXTURE(Fixture, "lengths that cannot be are dropped by name") {
    start();
    deliver(12, 13, 1);       // shorter than an Ethernet header
    deliver(0, 5, 1);         // shorter than the virtio header
    deliver(12, 100'000, 1);  // longer than the buffer
    Batch batch;
    CHECK(nic.receive(batch) == 0);
    CHECK(nic.counters().rx_bad_length == 3);
    device.queues[0].complete(9999, 80);
    nic.receive(batch);
    CHECK(nic.counters().rx_bad_id == 1);
    CHECK(pool.capacity() - pool.available() == 64);  // the ring is full again
}

TEST_CASE_FIXTURE(Fixture, "a frame longer than a packet can be is counted once, all its buffers go back, and the next frame is whole") {
    std::uint16_t parts = 2;
    SUBCASE("modern") {}
    SUBCASE("legacy, whose header is as long then") { device.is_legacy = true; }
    SUBCASE("over many buffers") { parts = 6; }
    device.offered |= 1 << 15;
    start();
    CHECK((device.accepted & 1 << 15) != 0);
    deliver_parts(parts);
    deliver_parts(1);
    Batch batch;
    CHECK(nic.receive(batch) == 1);
    CHECK(batch[0].length() == 60);
    CHECK(nic.counters().rx_too_long == 1);
    CHECK(nic.counters().rx_dropped() == 1);
    batch.clear();
    CHECK(pool.capacity() - pool.available() == 64);
}

TEST_CASE_FIXTURE(Fixture, "a number of buffers that the ring does not have costs its own frame alone") {
    device.offered |= 1 << 15;
    start();
    deliver_parts(1, 65'535);
    deliver_parts(1);
    Batch batch;
    CHECK(nic.receive(batch) == 1);
    CHECK(nic.counters().rx_bad_length == 1);
    CHECK(nic.counters().rx_too_long == 0);
}

TEST_CASE_FIXTURE(Fixture, "a burst is sent with one kick, its header before the frame even without headroom") {
    start();
    Batch batch;
    for (int i = 0; i < 5; ++i) {
        PacketPtr packet = pool.acquire();
        packet->push(Packet::fresh_headroom);
        packet->trim(Packet::fresh_headroom - 64);
        std::memset(packet->data(), i, 64);
        batch.push_back(std::move(packet));
    }
    nic.transmit(std::move(batch));
    CHECK(device.kicks[1] == 0);
    nic.flush();
    CHECK(device.kicks[1] == 1);
    for (std::uint8_t i = 0; i < 5; ++i) {
        const auto buffer = device.queues[1].next();
        REQUIRE(buffer);
        CHECK_FALSE(buffer->writable);
        CHECK(buffer->bytes.size() == 12 + 64);
        for (int at = 0; at < 12; ++at) CHECK(buffer->bytes[static_cast<std::size_t>(at)] == 0);
        CHECK(buffer->bytes[12] == i);
        device.queues[1].complete(buffer->id, 0);
    }
    nic.flush();
    CHECK(pool.capacity() - pool.available() == 64);  // all five came back
}

TEST_CASE_FIXTURE(Fixture, "what the ring has no room for is dropped and counted") {
    start();
    for (int round = 0; round < 3; ++round) {
        Batch batch;
        for (int i = 0; i < 30; ++i) {
            PacketPtr packet = pool.acquire();
            packet->put(60);
            batch.push_back(std::move(packet));
        }
        nic.transmit(std::move(batch));
    }
    CHECK(nic.counters().tx_packets == 64);
    CHECK(nic.counters().tx_ring_full == 26);
    CHECK(nic.counters().tx_dropped() == 26);
}

TEST_CASE_FIXTURE(Fixture, "a ring that could not be refilled is refilled when slots are back") {
    start();
    std::vector<PacketPtr> hoard;
    while (PacketPtr packet = pool.acquire()) hoard.push_back(std::move(packet));
    deliver(12, 60, 1);
    Batch batch;
    nic.receive(batch);
    CHECK(nic.counters().rx_no_slot > 0);
    hoard.clear();
    batch.clear();
    Batch none;
    nic.receive(none);
    CHECK(pool.capacity() - pool.available() == 64);
}

TEST_CASE_FIXTURE(Fixture, "the guest does not sleep over a frame that came while interrupts were off") {
    start();
    CHECK(nic.wait_for_interrupt(true));
    CHECK(device.queues[0].interrupts_wanted());
    nic.wait_for_interrupt(false);
    CHECK_FALSE(device.queues[0].interrupts_wanted());
    deliver(12, 60, 1);
    CHECK_FALSE(nic.wait_for_interrupt(true));
}
